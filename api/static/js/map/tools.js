// Zoom, whole community, own position, full screen, the scale bar.
/* global L */

import { still } from "../dom.js";
import { length, say, word } from "../words.js";

export function bindTools(map, config, { padding }) {
  const on = (id, run) => document.getElementById(id)?.addEventListener("click", run);
  on("zoom-in", () => map.zoomIn());
  on("zoom-out", () => map.zoomOut());
  on("whole", () => map.fitBounds(config.bounds, padding()));
  const ends = () => {
    document.getElementById("zoom-in").disabled = map.getZoom() >= map.getMaxZoom();
    document.getElementById("zoom-out").disabled = map.getZoom() <= map.getMinZoom();
  };
  map.on("zoomend", ends);
  ends();

  const full = document.getElementById("full-screen");
  if (!document.fullscreenEnabled) full.hidden = true;
  on("full-screen", () =>
    document.fullscreenElement ? document.exitFullscreen() : document.querySelector(".map-page").requestFullscreen());
  document.addEventListener("fullscreenchange", () => {
    const is = Boolean(document.fullscreenElement);
    full.setAttribute("aria-pressed", String(is));
    full.querySelector("use").setAttribute("href", `${config.static}/vendor/icons.svg#${is ? "minimize" : "maximize"}`);
  });

  let own = null;
  on("locate", () => map.locate({ setView: false, enableHighAccuracy: true, timeout: 15000 }));
  map.on("locationfound", ({ latlng, accuracy }) => {
    own?.remove();
    own = L.layerGroup([
      L.circle(latlng, { radius: accuracy, className: "own-accuracy", weight: 0, interactive: false }),
      L.marker(latlng, { icon: L.divIcon({ className: "own-position", iconSize: [18, 18] }), interactive: false }),
    ]).addTo(map);
    map.setView(latlng, Math.max(map.getZoom(), 18), { animate: !still.matches });
    say(word("position_found", { accuracy: length(accuracy) }));
  });
  map.on("locationerror", () => {
    const notice = document.getElementById("map-trouble");
    notice.hidden = false;
    notice.querySelector("span").textContent = word("no_position");
    say(word("no_position"));
  });
}

/** A bar of a round length, 60 to 120 pixels wide. */
export function scaleBar(map) {
  const bar = document.getElementById("scale");
  if (!bar) return;
  function update() {
    const middle = map.getSize().y / 2;
    const metres = map.distance(map.containerPointToLatLng([0, middle]), map.containerPointToLatLng([100, middle]));
    const power = 10 ** Math.floor(Math.log10(metres * 1.2));
    const round = [5, 2, 1].map((factor) => factor * power).find((value) => value <= metres * 1.2);
    bar.querySelector("span").textContent = length(round);
    bar.querySelector("i").style.inlineSize = `${(round / metres) * 100}px`;
  }
  map.on("zoomend moveend resize", update);
  update();
}
