// How many there are where: a disc for each grid, closer up one for each building, its area by the number.
/* global L */

import { plainGround } from "./placing.js";

/** Called by the script that folium writes. */
export async function start(map, config) {
  const { tiles, state } = await plainGround(map, config);
  state.brief = true;
  tiles.redraw();
  const layers = { areas: discs(config.areas, 26, 52), houses: discs(config.houses, 22, 40) };
  const choose = () => {
    const near = map.getZoom() >= config.nearer;
    layers[near ? "areas" : "houses"].remove();
    layers[near ? "houses" : "areas"].addTo(map);
  };
  map.on("zoomend", choose);
  choose();
  map.getContainer().dataset.ready = "true";
}

function discs(spots, least, most) {
  const top = Math.max(1, ...spots.map((spot) => spot.count));
  return L.layerGroup(spots.map((spot) => {
    const size = Math.round(Math.sqrt(least ** 2 + (most ** 2 - least ** 2) * (spot.count / top)));
    const html = `<b class="${spot.open ? "is-open" : ""}">${Number(spot.count)}</b>`;
    const icon = L.divIcon({ className: "map-disc", iconSize: [size, size], html });
    const mark = L.marker([spot.lat, spot.lon], { icon, title: spot.says, alt: spot.says, keyboard: true, riseOnHover: true });
    mark.on("click keypress", (event) => {
      if (event.type === "click" || event.originalEvent?.key === "Enter") location.assign(spot.href);
    });
    return mark;
  }));
}
