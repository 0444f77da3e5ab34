// A walk by building: the way, and a number at each stop that leads to its doors below.
/* global L */

import { bindPaper } from "../map/paper.js";
import { plainGround } from "../map/placing.js";
import { drawTrack } from "../patrols/track.js";

/** Called by the script that folium writes. */
export async function start(map, config) {
  const { tiles, state } = await plainGround(map, config);
  state.brief = true;
  tiles.redraw();
  bindPaper(map);
  const drawn = drawTrack(map, config.symbols);
  drawn.set(config.line ? [config.line.coordinates] : []);
  const places = config.stops.map(({ lon, lat, number }) => {
    const icon = L.divIcon({ className: "walk-stop", iconSize: [28, 28], html: `<b>${number}</b>` });
    // The number lies above the ends of the way.
    const mark = L.marker([lat, lon], { icon, zIndexOffset: 1000, title: document.querySelector(`#walk-${number} h2`)?.textContent ?? "" });
    mark.on("click", () => document.getElementById(`walk-${number}`)?.scrollIntoView({ block: "start" }));
    return mark.addTo(map);
  });
  if (places.length) {
    const all = L.featureGroup(places).getBounds();
    if (config.line) all.extend(drawn.bounds());
    map.fitBounds(all, { padding: [36, 36], maxZoom: 18, animate: false });
  }
  map.getContainer().dataset.ready = "true";
}
