// The canvas layer: vector tiles of several sources, painted and labelled as one.
// protomaps-leaflet does the tiles, the overzoom and the label collisions; rules are ours (paint.js, labels.js).
/* global protomapsL */

import { debounced } from "../dom.js";
import { grain, grainAt } from "./grain.js";

/** Where the tiles of a layer are, with the filters of this moment. */
export function address(config, layer, filters = {}) {
  const query = new URLSearchParams();
  if (config.community) query.set("community", config.community);
  for (const [key, value] of Object.entries(filters)) if (value) query.set(key, value);
  query.set("v", config.version);
  return `${config.tiles}/${layer}/{z}/{x}/{y}.mvt?${query}`;
}

/** Have the class limits of a figure, which are asked for when it is first chosen. */
export async function haveLimits(config, code) {
  const figure = config.figures.find((one) => one.code === code);
  if (!figure || figure.breaks) return;
  const query = new URLSearchParams({ figure: code });
  if (config.community) query.set("community", config.community);
  const answer = await fetch(`${config.tiles}/grids/limits?${query}`);
  figure.breaks = answer.ok ? (await answer.json()).breaks : [];
}

/**
 * The layer on the map.
 *
 * `sources`: name → address; `rules()` gives { paint, labels } for the state of this moment; `prepare`: source name →
 * what is done to a tile (layer name → features) when it comes; `pane`: the Leaflet pane it lies in. Fires on `target`: "wangge:tiles" with { detail: { failed, status } } once the tiles that were asked for have come or failed.
 */
export function createTiles(map, config, { sources, rules, background, target, prepare = {}, pane = "tilePane" }) {
  let failed = 0;
  let status = 0;
  let waiting = 0;
  const settled = debounced(() => {
    if (waiting) return;
    target.dispatchEvent(new CustomEvent("wangge:tiles", { detail: { failed, status } }));
    failed = 0;
  }, 60);

  // The painter's own fetch takes an error page for a tile; this one knows empty tiles, errors and the end of a session.
  const reader = (url) => ({
    getZxy: async (z, x, y, signal) => {
      if (z < config.tile_zooms[0]) return undefined;
      waiting += 1;
      try {
        const answer = await fetch(url.replace("{z}", z).replace("{x}", x).replace("{y}", y), { signal });
        if (answer.status === 204 || answer.status === 404) return undefined;
        if (!answer.ok) throw Object.assign(new Error(`tile ${answer.status}`), { status: answer.status });
        const data = await answer.arrayBuffer();
        return data.byteLength ? { data } : undefined;
      } catch (error) {
        if (error.name === "AbortError") throw error;
        failed += 1;
        status = error.status ?? 0;
        return undefined;
      } finally {
        waiting -= 1;
        settled();
      }
    },
  });
  const view = (name, url) => {
    const options = { url: reader(url), maxDataZoom: config.tile_zooms[1], levelDiff: 1 };
    const made = protomapsL.sourcesToViews(options).get("");
    if (prepare[name]) {
      const { source } = made.tileCache;
      const get = source.get.bind(source);
      source.get = async (...place) => {
        const tile = await get(...place);
        prepare[name](tile);
        return tile;
      };
    }
    return made;
  };

  grain.scale = grainAt(map.getZoom());
  const first = rules();
  const layer = protomapsL.leafletLayer({
    sources: {},
    paintRules: first.paint,
    labelRules: first.labels,
    backgroundColor: background,
    attribution: "",
    noWrap: true,
    pane,
    minZoom: map.getMinZoom(),
    maxZoom: map.getMaxZoom(),
    keepBuffer: 3,
    updateWhenZooming: false,
  });
  for (const [name, url] of Object.entries(sources)) layer.views.set(name, view(name, url));
  layer.addTo(map);

  function redraw() {
    const { paint, labels } = rules();
    layer.paintRules = paint;
    layer.labelRules = labels;
    layer.clearLayout();
    layer.rerenderTiles();
  }
  map.on("zoomend", () => {
    const scale = grainAt(map.getZoom());
    if (scale === grain.scale) return;
    grain.scale = scale;
    redraw();
  });

  return {
    layer,
    /** Draw again with the rules of this moment; tiles that are here are not fetched again. */
    redraw,
    /** Other filters for a source, or null to leave it out. The old picture stays until the new one is there. */
    source(name, url) {
      if (url) layer.views.set(name, view(name, url));
      else layer.views.delete(name);
    },
    /** What lies under a place: [{ source, layer, feature, distance }], nearest and topmost first. */
    at(latlng, reach = 6) {
      return pick(map, layer, latlng, reach);
    },
  };
}

function pick(map, layer, latlng, reach) {
  const zoom = Math.round(map.getZoom());
  const hits = [];
  for (const [source, view] of layer.views) {
    const tileZoom = Math.min(zoom - view.levelDiff, view.maxDataLevel);
    if (tileZoom < 0) continue;
    // World position in tiles of that zoom, then within the tile in its own pixels.
    const world = map.project(latlng, tileZoom).divideBy(256);
    const tile = { x: Math.floor(world.x), y: Math.floor(world.y) };
    const entry = view.tileCache.cache.get(`${tile.x}:${tile.y}:${tileZoom}`);
    if (!entry) continue;
    const size = view.tileCache.tileSize;
    const point = { x: (world.x - tile.x) * size, y: (world.y - tile.y) * size };
    const place = { view, tile, zoom: tileZoom };
    const scale = 2 ** (map.getZoom() - view.levelDiff - tileZoom);
    for (const [name, features] of entry.data) {
      for (const feature of features) {
        if (feature.geomType === 1) {
          const distance = scale * Math.hypot(feature.geom[0][0].x - point.x, feature.geom[0][0].y - point.y);
          const near = typeof reach === "function" ? reach(feature, zoom) : reach;
          if (distance <= near) hits.push({ source, layer: name, feature, distance, ...place });
        } else if (feature.geomType === 3 && protomapsL.pointInPolygon(point, feature.geom)) {
          hits.push({ source, layer: name, feature, distance: 0, ...place });
        }
      }
    }
  }
  return hits.sort((a, b) => a.distance - b.distance);
}

