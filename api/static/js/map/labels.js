// Names and numbers, in the order of the look when space is short: grid name > marks > building number > street.
// Marks and boundaries stand in the collision index as invisible obstacles, so that no label lies on them.
/* global protomapsL */

import { phone } from "../dom.js";
import { grain } from "./grain.js";
import { markSize } from "./marks.js";
import { number } from "../words.js";

const plus = () => (phone.matches ? 2 : 0);
const nothing = () => {};
/** The width of a tile in its own pixels. */
const TILE = 512;
/** How far beyond its edge a tile brings features, with room for their marks. */
const MARGIN = 16;

const box = (x, y, width, height) => ({
  minX: x - width / 2, maxX: x + width / 2, minY: y - height / 2, maxY: y + height / 2,
});

/** Lines of text centred on the origin, each { text, font, colour }, with a white halo. */
function write(ctx, lines, halo, leading) {
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.globalAlpha = 1;
  const top = (-(lines.length - 1) * leading) / 2;
  lines.forEach(({ text, font, colour }, i) => {
    ctx.font = font;
    ctx.strokeStyle = "rgba(255,255,255,.95)";
    ctx.lineWidth = halo * 2;
    ctx.strokeText(text, 0, top + i * leading);
    ctx.fillStyle = colour;
    ctx.fillText(text, 0, top + i * leading);
  });
}

function measure(scratch, lines, leading) {
  let width = 0;
  for (const { text, font } of lines) {
    scratch.font = font;
    width = Math.max(width, scratch.measureText(text).width);
  }
  return { width, height: leading * lines.length };
}

/**
 * Text at a point: at the first of `offsets` (pixels) where nothing of the same or higher order stands.
 * With `always`, it takes the first place in any case and obstacles give way.
 */
const textAt = ({ lines, offsets, halo, leading, always = false, padding = 2, scale = grain.scale }) => ({
  place(layout, geom, feature) {
    const written = lines(feature, layout.zoom);
    if (!written.length) return undefined;
    const { width, height } = measure(layout.scratch, written, leading * scale);
    // A tile also brings what lies just beyond its edge: the tile that holds the middle knows all its neighbours.
    const own = middle(feature.geom, feature);
    if (own.x < 0 || own.y < 0 || own.x >= TILE || own.y >= TILE) return undefined;
    const { x, y } = middle(geom, feature);
    const draw = (ctx) => write(ctx, written, halo * scale, leading * scale);
    draw.stays = always;
    const label = ([dx, dy]) => {
      const at = { x: x + dx, y: y + dy };
      const bboxes = [box(at.x, at.y, width + 2 * padding * scale, height + 2 * padding * scale)];
      // The same feature comes with every tile that it touches: one label is enough.
      return {
        anchor: point(geom, at), bboxes, draw,
        deduplicationKey: `${layout.order}:${feature.props.id}`, deduplicationDistance: 240 * scale,
      };
    };
    // Beyond the tile and its margin this tile knows no marks and no boundaries: no place for a label.
    const enlarged = 2 ** (layout.overzoom - 1);
    const known = ([dx, dy]) =>
      [own.x + (dx - width / 2) / enlarged, own.x + (dx + width / 2) / enlarged,
        own.y + (dy - height / 2) / enlarged, own.y + (dy + height / 2) / enlarged].every(
        (edge) => edge > -MARGIN && edge < TILE + MARGIN);
    // A name stays in its area, or it would name the neighbour.
    const inside = ([dx, dy]) =>
      !feature.outline ||
      [-0.4, 0, 0.4].every((share) =>
        protomapsL.pointInPolygon({ x: own.x + (dx + share * width) / enlarged, y: own.y + dy / enlarged }, feature.outline));
    const places = offsets(width, height).filter((shift) => known(shift) && inside(shift)).map(label);
    const free = places.find((one) => !layout.index.labelCollides(one, layout.order));
    if (free) return [free];
    if (!always) return undefined;
    const here = label([0, 0]);
    for (const other of layout.index.searchLabel(here, layout.order)) {
      if (other.draw === nothing) layout.index.removeLabel(other);
    }
    return [here];
  },
});

// The painter's own point class, which its index expects, without a second copy of it here.
const point = (geom, { x, y }) => Object.assign(geom[0][0].clone(), { x, y });

/** The point itself, or the centre of the largest ring. */
function middle(geom, feature) {
  if (feature.geomType === 1) return geom[0][0];
  let best = { area: 0, ...geom[0][0] };
  for (const ring of geom) {
    let [area, x, y] = [0, 0, 0];
    for (let i = 1; i < ring.length; i += 1) {
      const cross = (ring[i - 1].x - ring[0].x) * (ring[i].y - ring[0].y) - (ring[i].x - ring[0].x) * (ring[i - 1].y - ring[0].y);
      area += cross / 2;
      x += ((ring[i - 1].x + ring[i].x - 2 * ring[0].x) * cross) / 6;
      y += ((ring[i - 1].y + ring[i].y - 2 * ring[0].y) * cross) / 6;
    }
    if (Math.abs(area) > Math.abs(best.area)) best = { area, x: ring[0].x + x / area, y: ring[0].y + y / area };
  }
  return best;
}

/** Places around the middle, nearest first. */
const around = (width, height) =>
  [0, -1, 1, -2, 2, -3, 3]
    .flatMap((down) => [0, -0.35, 0.35, -0.7, 0.7, -1.1, 1.1].map((right) => [right * width, down * (height * 0.7)]))
    .sort((one, other) => Math.hypot(...one) - Math.hypot(...other));

/** Give each grid's name the outline it belongs to. */
export function nameAreas(tile) {
  const areas = new Map((tile.get("grids") ?? []).map((feature) => [feature.props.id, feature.geom]));
  for (const name of tile.get("grid_labels") ?? []) name.outline = areas.get(name.props.id);
}

const beside = (width, height) => [
  [0, 0], [0, -(height + 4)], [0, height + 4], [-(width / 2 + 16), 0], [width / 2 + 16, 0],
];

/** Invisible boxes that labels keep away from; a name that stands already and must stay is not pushed out by one. */
const obstacles = (boxes) => ({
  place(layout, geom, feature) {
    const placed = [];
    for (const bbox of boxes(geom, feature, layout.zoom)) {
      const anchor = point(geom, { x: (bbox.minX + bbox.maxX) / 2, y: (bbox.minY + bbox.maxY) / 2 });
      const one = { anchor, bboxes: [bbox], draw: nothing };
      const others = [...layout.index.searchLabel(one, Infinity)];
      if (others.some((other) => other.draw.stays)) continue;
      // Labels must not overlap, obstacles may: one that meets another goes straight into the index.
      if (others.some((other) => other.draw === nothing)) layout.index.insert(one, layout.order, "obstacles");
      else placed.push(one);
    }
    return placed;
  },
});

/** Boxes along the outline of an area, where it is its own: beyond the tile's edge it is only where the tile was cut. */
function alongEdges(geom, feature, spacing, width) {
  const boxes = [];
  const between = (from, to, share) => ({ x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share });
  geom.forEach((ring, r) => {
    for (let i = 1; i < ring.length; i += 1) {
      const steps = Math.max(1, Math.round(Math.hypot(ring[i].x - ring[i - 1].x, ring[i].y - ring[i - 1].y) / spacing));
      for (let k = 0; k < steps; k += 1) {
        const inTile = between(feature.geom[r][i - 1], feature.geom[r][i], k / steps);
        if (inTile.x < 0 || inTile.y < 0 || inTile.x > TILE || inTile.y > TILE) continue;
        const { x, y } = between(ring[i - 1], ring[i], k / steps);
        boxes.push(box(x, y, width, width));
      }
    }
  });
  return boxes;
}

/** A street's name along its line; where a boundary runs there, 14 px beside it. */
function streetName(font, colour) {
  const { scale } = grain;
  const make = (offset) =>
    new protomapsL.LineLabelSymbolizer({
      labelProps: ["name"], font, fill: colour, stroke: "rgba(255,255,255,.95)", width: 6 * scale,
      position: protomapsL.LineLabelPlacement.Center, offset, repeatDistance: 420 * scale,
    });
  const candidates = [0, 14 * scale, -14 * scale].map((offset) => ({ offset, symbolizer: make(offset) }));
  const shifted = (label, offset) => {
    const [first, last] = [label.bboxes[0], label.bboxes.at(-1)];
    const angle = Math.atan2(last.minY - first.minY, last.minX - first.minX);
    // Names run left to right, so "above" depends on the direction of the line.
    const side = Math.cos(angle) < 0 ? -1 : 1;
    const [dx, dy] = [Math.sin(angle) * offset * side, -Math.cos(angle) * offset * side];
    return label.bboxes.map((b) => ({ minX: b.minX + dx, maxX: b.maxX + dx, minY: b.minY + dy, maxY: b.maxY + dy }));
  };
  return {
    place(layout, geom, feature) {
      layout.scratch.letterSpacing = `${3 * scale}px`;
      const placed = candidates.map(({ offset, symbolizer }) => ({
        offset,
        labels: symbolizer.place(layout, geom, feature) ?? [],
      }));
      layout.scratch.letterSpacing = "0px";
      return placed[0].labels.map((_, i) => {
        const tried = placed.map(({ offset, labels }) => ({ ...labels[i], bboxes: shifted(labels[i], offset) }));
        const free = tried.find((one) => !layout.index.labelCollides(one, layout.order)) ?? tried[0];
        const { draw } = free;
        return {
          ...free,
          draw: (ctx) => {
            ctx.letterSpacing = `${3 * scale}px`;
            draw(ctx);
          },
        };
      });
    },
  };
}

/** All label rules for the state of this moment, most important first. */
export function labelRules(config, state) {
  const { ground, palette, states, font } = config.symbols;
  const bold = (size) => `700 ${(size + plus()) * grain.scale}px ${font}`;
  const plain = (size) => `400 ${(size + plus()) * grain.scale}px ${font}`;
  const figure = config.figures?.find((one) => one.code === state.figure);
  const rules = [];

  const grid = (feature, zoom) => {
    // Where tiles are shown smaller, there is room as at the zoom between.
    const short = zoom - Math.log2(grain.scale) < (phone.matches ? 17 : 16) || state.brief;
    const name = short ? feature.props.code?.slice(-2) : feature.props.name;
    const lines = [{ text: name ?? "", font: bold(short ? 12 : 14), colour: ground["grid-name"] }];
    if (figure && zoom >= 15 && feature.props[figure.code] != null) {
      const text = `${number(feature.props[figure.code])} ${figure.unit}`;
      lines.push({ text, font: plain(12), colour: palette["ink-1"] });
    }
    return lines;
  };
  if (state.layers.has("incidents")) {
    rules.push({
      id: "marks", dataSource: "incidents", dataLayer: "incidents",
      symbolizer: obstacles((geom, feature, zoom) => {
        const size = (markSize(feature.props, zoom, states) + 4) * grain.scale;
        return [box(geom[0][0].x, geom[0][0].y, size, size)];
      }),
    });
  }
  if (state.layers.has("grids")) {
    rules.push({
      id: "grid names", dataSource: "grids", dataLayer: "grid_labels", minzoom: 15,
      symbolizer: textAt({ lines: grid, offsets: around, halo: 2, leading: 18 + plus(), always: true }),
    });
    rules.push({
      id: "community names", dataSource: "communities", dataLayer: "communities", maxzoom: 14,
      symbolizer: textAt({
        lines: (feature) => [{ text: feature.props.name ?? "", font: bold(14), colour: ground["community-line"] }],
        offsets: around, halo: 2, leading: 18,
      }),
    });
    rules.push({
      id: "boundaries", dataSource: "grids", dataLayer: "grids", minzoom: 16,
      symbolizer: obstacles((geom, feature) => alongEdges(geom, feature, 10 * grain.scale, 8 * grain.scale)),
    });
  }
  if (state.layers.has("buildings")) {
    rules.push({
      id: "building numbers", dataSource: "buildings", dataLayer: "buildings", minzoom: 17,
      filter: (zoom, feature) => feature.props.kind === "residential" || zoom >= 19,
      symbolizer: textAt({
        lines: (feature) =>
          feature.props.number
            ? [{ text: String(feature.props.number), font: plain(11), colour: ground["building-number"] }]
            : [],
        offsets: beside, halo: 1.4, leading: 13 + plus(), padding: 1,
      }),
    });
  }
  if (state.layers.has("ground") && config.basemap.drawn) {
    rules.push({
      id: "street names", dataSource: "basemap", dataLayer: "basemap", minzoom: 15,
      filter: (zoom, feature) => feature.props.kind === "road" && Boolean(feature.props.name),
      symbolizer: streetName(plain(12), ground["street-name"]),
    });
  }
  return rules;
}
