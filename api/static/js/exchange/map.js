// The preview of an import: accepted rows as green points, the others as red crosses; outlines for areas.
/* global L */

import { plainGround } from "../map/placing.js";

/** Called by the script that folium writes. */
export async function start(map, config) {
  const { palette, states } = config.symbols;
  const { tiles, state } = await plainGround(map, config);
  // The rows are what this map is about: grids only by their number.
  state.brief = true;
  tiles.redraw();
  const canvas = L.canvas({ padding: 0.2 });
  const rows = new Map();
  L.geoJSON(config.features, {
    renderer: canvas,
    style: ({ properties, geometry }) =>
      geometry.type === "Point"
        ? {}
        : properties.accepted
        ? { color: states.closed.ring, weight: 1.5, fillOpacity: 0.12 }
        : { color: palette["act-now"], weight: 2, dashArray: "5 4", fillOpacity: 0.08 },
    pointToLayer: ({ properties }, latlng) =>
      properties.accepted
        ? L.circleMarker(latlng, {
            renderer: canvas, radius: 3.5, weight: 1, color: "#FFFFFF", fillColor: states.closed.ring, fillOpacity: 1,
          })
        : L.marker(latlng, { icon: L.divIcon({ className: "reject-cross", iconSize: [16, 16], html: CROSS }) }),
    onEachFeature({ properties }, layer) {
      rows.set(String(properties.row), layer);
      if (!properties.accepted) layer.on("click", () => mark(String(properties.row)));
    },
  }).addTo(map);

  // Map and list show the same: choosing a row goes to its place, choosing a cross marks its row.
  function mark(row) {
    for (const line of document.querySelectorAll("tr[data-row]")) {
      line.classList.toggle("is-chosen", line.dataset.row === row);
      if (line.dataset.row === row) line.scrollIntoView({ block: "nearest" });
    }
  }
  document.addEventListener("click", (event) => {
    const line = event.target.closest("tr[data-row]");
    const layer = line && rows.get(line.dataset.row);
    if (!layer) return;
    mark(line.dataset.row);
    if (layer.getBounds) map.fitBounds(layer.getBounds(), { maxZoom: 19 });
    else map.setView(layer.getLatLng(), Math.max(map.getZoom(), 18));
  });
  map.getContainer().dataset.ready = "true";
}

const CROSS = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3l10 10M13 3L3 13"/></svg>';
