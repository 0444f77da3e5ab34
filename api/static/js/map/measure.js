// Measuring: click point after point; the length, and the area once there are three. Double click or Enter ends.
/* global L */

import { area, length, say, word } from "../words.js";

const EARTH = 6371008.8;

/** The area of a small ring on the sphere in m², by its local plane; 0.1 % of error at the size of a district. */
export function ringArea(points) {
  const latitude = points.reduce((sum, point) => sum + point.lat, 0) / points.length;
  const kx = ((Math.PI / 180) * EARTH) * Math.cos((latitude * Math.PI) / 180);
  const ky = (Math.PI / 180) * EARTH;
  let twice = 0;
  points.forEach((point, i) => {
    const next = points[(i + 1) % points.length];
    twice += (point.lng * next.lat - next.lng * point.lat) * kx * ky;
  });
  return Math.abs(twice) / 2;
}

export function bindMeasure(map) {
  const button = document.getElementById("measure");
  const result = document.getElementById("measured");
  const group = L.layerGroup();
  const measure = { active: false, stop };
  let points = [];

  function draw() {
    group.clearLayers();
    if (!points.length) return;
    const shape = points.length > 2 ? L.polygon : L.polyline;
    shape(points, { className: "measure-line", weight: 2, fillOpacity: 0.08, interactive: false }).addTo(group);
    for (const point of points) {
      L.circleMarker(point, { className: "measure-point", radius: 4, weight: 2, interactive: false }).addTo(group);
    }
    const along = points.slice(1).reduce((sum, point, i) => sum + map.distance(points[i], point), 0);
    const text = points.length < 2
      ? word("measure_next")
      : points.length < 3
        ? length(along)
        : word("measured", { length: length(along), area: area(ringArea(points)) });
    result.textContent = text;
    say(text);
  }

  function click(event) {
    points.push(event.latlng);
    draw();
  }

  function begin() {
    measure.active = true;
    points = [];
    group.addTo(map);
    map.doubleClickZoom.disable();
    map.on("click", click);
    map.getContainer().classList.add("is-measuring");
    button.setAttribute("aria-pressed", "true");
    result.hidden = false;
    result.textContent = word("measure_start");
    say(result.textContent);
  }

  function stop() {
    measure.active = false;
    map.off("click", click);
    map.doubleClickZoom.enable();
    group.clearLayers().remove();
    map.getContainer().classList.remove("is-measuring");
    button.setAttribute("aria-pressed", "false");
    result.hidden = true;
  }

  button.addEventListener("click", () => (measure.active ? stop() : begin()));
  return measure;
}
