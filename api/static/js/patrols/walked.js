// One patrol: its track, where somebody checked in, and what was dropped of it, which stays visible.
/* global L */

import { still } from "../dom.js";
import { bindPaper } from "../map/paper.js";
import { plainGround } from "../map/placing.js";
import { drawTrack } from "./track.js";

const CROSS = '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.500"/><path d="M5.500 5.500l5 5M10.500 5.500l-5 5"/></svg>';
const TICK = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 8.500l2.800 2.700L12 5.500"/></svg>';
let only = "";
let left = [];

/** Draw { parts, dropped, check_ins }; returns how to take it away again. */
export function draw(map, config, { parts, dropped, check_ins: checkIns = [] }) {
  const track = drawTrack(map, config.symbols);
  track.set(parts);
  only = "";
  left = dropped.map(({ lon, lat, reason, says }) => {
    const mark = L.marker([lat, lon], { icon: L.divIcon({ className: "dropped-point", iconSize: [16, 16], html: CROSS }), title: says });
    return { reason, mark: mark.addTo(map) };
  });
  const ticks = checkIns.map(({ lon, lat, says }) =>
    L.marker([lat, lon], { icon: L.divIcon({ className: "check-in", iconSize: [22, 22], html: TICK }), title: says }).addTo(map));
  if (parts.length) map.fitBounds(track.bounds(), { padding: [32, 32], maxZoom: 19, animate: false });
  else if (left.length) map.fitBounds(L.featureGroup(left.map(({ mark }) => mark)).getBounds(), { maxZoom: 18, animate: false });
  return () => {
    track.remove();
    for (const { mark } of left) mark.remove();
    for (const tick of ticks) tick.remove();
  };
}

/** A reason of the list shows its points alone; once more, all again. */
export function bindReasons(map) {
  document.addEventListener("click", ({ target }) => {
    const row = target.closest("[data-reason]");
    if (!row) return;
    only = only === row.dataset.reason ? "" : row.dataset.reason;
    for (const button of document.querySelectorAll("[data-reason]")) {
      button.setAttribute("aria-pressed", String(button.dataset.reason === only));
    }
    for (const { reason, mark } of left) {
      if (!only || reason === only) mark.addTo(map);
      else mark.remove();
    }
  });
}

/** Called by the script that folium writes. */
export async function start(map, config) {
  const container = map.getContainer();
  if (still.matches) map.options.zoomAnimation = map.options.fadeAnimation = false;
  const { tiles, state } = await plainGround(map, config);
  state.brief = true;
  tiles.redraw();
  bindPaper(map);
  bindReasons(map);
  const show = async () => {
    const answer = await fetch(config.points, { headers: { Accept: "application/json" } });
    if (answer.ok) draw(map, config, await answer.json());
  };
  // The page of a file has no track until one is chosen: the answer to that brings it.
  if (config.points) await show();
  else bindPreview(map, config);
  container.dataset.ready = "true";
}

function bindPreview(map, config) {
  let remove = () => {};
  document.addEventListener("htmx:afterSwap", () => {
    remove();
    remove = () => {};
    const shown = document.getElementById("track-shown");
    if (shown) remove = draw(map, config, JSON.parse(shown.dataset.track));
  });
}
