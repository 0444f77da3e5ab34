// The patrols of a day under a time slider. It stands still until somebody moves it or presses play.
/* global L */

import { phone, still } from "../dom.js";
import { say, word } from "../words.js";
import { bindPaper } from "../map/paper.js";
import { plainGround } from "../map/placing.js";
import { drawTrack } from "./track.js";

/** A minute of the day in this many milliseconds. */
const MINUTE_MS = 60;
const STEP_S = 300;

/** The parts of a track until an instant, and where its walker is then. */
function until(parts, at) {
  const seen = [];
  let last = null;
  for (const part of parts) {
    if (!part.length || part[0][2] > at) break;
    const here = [];
    for (let i = 0; i < part.length; i += 1) {
      const [lon, lat, t] = part[i];
      if (t <= at) {
        here.push([lon, lat]);
        continue;
      }
      const [lon0, lat0, t0] = part[i - 1];
      const share = (at - t0) / (t - t0);
      here.push([lon0 + (lon - lon0) * share, lat0 + (lat - lat0) * share]);
      break;
    }
    seen.push(here);
    last = here.at(-1);
  }
  return { seen, last };
}

/** Called by the script that folium writes. */
export async function start(map, config) {
  const container = map.getContainer();
  if (still.matches) map.options.zoomAnimation = map.options.fadeAnimation = false;
  const { tiles, state } = await plainGround(map, config);
  state.brief = true;
  tiles.redraw();
  bindPaper(map);
  const answer = await fetch(config.tracks, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const { patrols } = await answer.json();
  const time = { hour: "2-digit", minute: "2-digit", timeZone: config.timezone };
  const hours = new Intl.DateTimeFormat(document.documentElement.lang, time);
  const slider = document.getElementById("time");
  const clock = document.getElementById("clock");
  const play = document.getElementById("play");
  // The number is that of the list; there is room for names where the screen is wide.
  const walkers = patrols.map((patrol, i) => {
    const head = L.marker([0, 0], {
      icon: L.divIcon({ className: "walker", iconSize: [26, 26], html: String(i + 1) }), interactive: false, keyboard: false,
    });
    if (!phone.matches) {
      head.bindTooltip(patrol.who, { permanent: true, direction: "top", offset: [0, -12], className: "walker-name" });
    }
    return { ...patrol, head, track: drawTrack(map, config.symbols, { open: true, arrows: false }) };
  });
  const times = patrols.flatMap(({ parts }) => parts.flat().map(([, , t]) => t));
  if (!times.length) {
    container.dataset.ready = "true";
    return;
  }
  const [first, last] = [Math.floor(times.reduce((a, b) => Math.min(a, b))), Math.ceil(times.reduce((a, b) => Math.max(a, b)))];
  Object.assign(slider, { min: first, max: last, step: 1, value: last, disabled: false });

  let at = last;
  function show() {
    slider.value = at;
    clock.textContent = hours.format(new Date(at * 1000));
    slider.setAttribute("aria-valuetext", clock.textContent);
    for (const { parts, track, head } of walkers) {
      const found = until(parts, at);
      track.set(found.seen);
      if (found.last) head.setLatLng([found.last[1], found.last[0]]).addTo(map);
      else head.remove();
    }
  }

  let frame = 0;
  let before = 0;
  function run(now) {
    const seconds = ((now - (before || now)) / MINUTE_MS) * 60;
    before = now;
    at = Math.min(last, at + seconds);
    show();
    if (at < last) frame = requestAnimationFrame(run);
    else halt();
  }
  function halt() {
    cancelAnimationFrame(frame);
    frame = before = 0;
    play.setAttribute("aria-pressed", "false");
    play.querySelector("use").setAttribute("href", `${config.static}/vendor/icons.svg#player-play`);
  }

  slider.addEventListener("input", () => {
    halt();
    at = Number(slider.value);
    show();
  });
  play.disabled = false;
  play.addEventListener("click", () => {
    if (frame) {
      halt();
      return;
    }
    if (at >= last) at = first;
    if (still.matches) {
      // No motion: each press is a step.
      at = Math.min(last, at + STEP_S);
      show();
      say(clock.textContent);
      return;
    }
    play.setAttribute("aria-pressed", "true");
    play.querySelector("use").setAttribute("href", `${config.static}/vendor/icons.svg#player-pause`);
    frame = requestAnimationFrame(run);
  });
  show();
  const all = L.latLngBounds(patrols.flatMap(({ parts }) => parts.flat().map(([lon, lat]) => [lat, lon])));
  map.fitBounds(all, { padding: [32, 32], maxZoom: 18, animate: false });
  container.setAttribute("role", "region");
  container.setAttribute("aria-label", word("map"));
  container.dataset.ready = "true";
}
