// The phone's map: the round and its buildings from the phone's own storage, so that they are there in a dead zone too, the track,
// and the own position. Tiles come on top when there is a connection.
/* global L */

import { still } from "../dom.js";
import { run } from "./phone.js";
import { word } from "../words.js";
import { liftLabels, plainGround } from "../map/placing.js";
import { drawTrack } from "./track.js";

/** The zoom from which on buildings bear their numbers. */
const NUMBERS_FROM = 17;
const latLngs = (ring) => ring.map(([lon, lat]) => [lat, lon]);

/** Called by the script that folium writes. */
export async function start(map, config) {
  const container = map.getContainer();
  if (still.matches) map.options.zoomAnimation = map.options.fadeAnimation = false;
  // The page must work before, and without, the ground.
  const ground = plainGround(map, config, ["grids", "ground"]);
  const { palette, ground: colours } = config.symbols;
  const outlines = L.layerGroup().addTo(map);
  const shapes = new Map();
  let planned = null;
  let own = null;
  let following = true;
  let moved = false;
  const track = drawTrack(map, config.symbols, { open: true });
  container.setAttribute("role", "region");
  container.setAttribute("aria-label", word("track"));

  const style = (state) =>
    ({
      open: { color: colours["residential-edge"], weight: 1, fillColor: colours.residential, fillOpacity: 1 },
      passed: { color: palette.track, weight: 2, fillColor: "#E7F0FA", fillOpacity: 1 },
      done: { color: palette["brand-dark"], weight: 2, fillColor: "#7FBDB6", fillOpacity: 1 },
      next: { color: palette["ink-1"], weight: 3, fillColor: colours.residential, fillOpacity: 1 },
    })[state];

  /** All of it, while nobody has moved the map. */
  function fit() {
    const all = L.featureGroup(outlines.getLayers());
    if (all.getLayers().length && !moved) map.fitBounds(all.getBounds(), { padding: [16, 16], animate: false });
  }
  // From far off there is no room for the numbers of buildings.
  const number = () => container.classList.toggle("is-far", map.getZoom() < NUMBERS_FROM);
  map.on("zoomend", number);
  number();
  // The list below grows and shrinks, and the map with it.
  new ResizeObserver(() => {
    map.invalidateSize({ pan: false });
    fit();
  }).observe(container);

  const view = {
    /** The area and the buildings of a patrol, and the line of its round. */
    show({ grids, buildings, route }) {
      outlines.clearLayers();
      shapes.clear();
      planned?.remove();
      for (const { rings } of grids) {
        outlines.addLayer(L.polygon(rings.map(latLngs), {
          color: colours["grid-line"], weight: 4, fillColor: palette.brand, fillOpacity: 0.08, interactive: false,
        }));
      }
      for (const { id, rings, short } of buildings) {
        const shape = L.polygon(rings.map(latLngs), { ...style("open"), interactive: false });
        shapes.set(id, shape);
        outlines.addLayer(shape);
        if (short) shape.bindTooltip(short, { permanent: true, direction: "center", className: "walk-number", interactive: false });
      }
      if (route?.length) {
        planned = L.layerGroup([
          L.polyline(latLngs(route), { color: "#FFFFFF", weight: 6, interactive: false }),
          L.polyline(latLngs(route), { color: palette["ink-2"], weight: 2.5, dashArray: "2 7", interactive: false }),
        ]).addTo(map);
      }
      fit();
    },
    /** How a building stands: open, next, passed, done. */
    mark: (id, state) => shapes.get(id)?.setStyle(style(state)),
    track: (parts) => track.set(parts),
    own({ lon, lat, accuracy }) {
      own?.remove();
      own = L.layerGroup([
        L.circle([lat, lon], { radius: accuracy, className: "own-accuracy", weight: 0, interactive: false }),
        L.marker([lat, lon], { icon: L.divIcon({ className: "own-position", iconSize: [18, 18] }), interactive: false, keyboard: false }),
      ]).addTo(map);
      moved = true;
      if (following) map.setView([lat, lon], Math.max(map.getZoom(), 18), { animate: !still.matches });
    },
    /** Look at a building. */
    look(id) {
      const shape = shapes.get(id);
      if (!shape) return;
      follow(false);
      map.fitBounds(shape.getBounds(), { maxZoom: 19, padding: [40, 40] });
    },
  };

  const button = document.getElementById("follow");
  function follow(on) {
    following = on;
    button.setAttribute("aria-pressed", String(on));
  }
  button.addEventListener("click", () => follow(!following));
  map.on("dragstart", () => {
    moved = true;
    follow(false);
  });
  await run(view);
  container.dataset.ready = "true";
  const { tiles, state } = await ground;
  state.brief = true;
  liftLabels(map, config, tiles, state);
}
