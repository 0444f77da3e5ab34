// One patrol: its track, where somebody checked in, and what was dropped of it, which stays visible.
/* global L */

import { still } from "../dom.js";
import { plainGround } from "./placing.js";
import { drawTrack } from "./track.js";

const CROSS = '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.500"/><path d="M5.500 5.500l5 5M10.500 5.500l-5 5"/></svg>';
const TICK = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 8.500l2.800 2.700L12 5.500"/></svg>';

/** Called by the script that folium writes. */
export async function start(map, config) {
  const container = map.getContainer();
  if (still.matches) map.options.zoomAnimation = map.options.fadeAnimation = false;
  const { tiles, state } = await plainGround(map, config);
  state.brief = true;
  tiles.redraw();
  const answer = await fetch(config.points, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const { parts, dropped, check_ins: checkIns } = await answer.json();
  const track = drawTrack(map, config.symbols);
  track.set(parts);

  const marks = dropped.map(({ lon, lat, reason, says }) => {
    const mark = L.marker([lat, lon], { icon: L.divIcon({ className: "dropped-point", iconSize: [16, 16], html: CROSS }), title: says });
    return { reason, mark: mark.addTo(map) };
  });
  for (const { lon, lat, says } of checkIns) {
    L.marker([lat, lon], { icon: L.divIcon({ className: "check-in", iconSize: [22, 22], html: TICK }), title: says }).addTo(map);
  }
  if (parts.length) map.fitBounds(track.bounds(), { padding: [32, 32], maxZoom: 19, animate: false });
  else if (marks.length) map.fitBounds(L.featureGroup(marks.map(({ mark }) => mark)).getBounds(), { maxZoom: 18, animate: false });

  // A reason of the list shows its points alone; once more, all again.
  let only = "";
  document.addEventListener("click", ({ target }) => {
    const row = target.closest("[data-reason]");
    if (!row) return;
    only = only === row.dataset.reason ? "" : row.dataset.reason;
    for (const button of document.querySelectorAll("[data-reason]")) {
      button.setAttribute("aria-pressed", String(button.dataset.reason === only));
    }
    for (const { reason, mark } of marks) {
      if (!only || reason === only) mark.addTo(map);
      else mark.remove();
    }
  });
  container.dataset.ready = "true";
}
