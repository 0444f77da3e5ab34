// The map under a resident's report: the ground as GeoJSON, and a pin in the middle that the map is moved under.
/* global L */

import { scaleAt } from "../map/paint.js";
import { PIN } from "../map/pin.js";

const BUILT = { residential: ["residential", "residential-edge"], other: ["other", "other-edge"], building: ["other", "other-edge"] };

/** Called by the script that folium writes. */
export async function start(map, config) {
  const { ground } = config.symbols;
  map.setMinZoom(14).setMaxZoom(20);
  if (config.point) map.setView([config.point[1], config.point[0]], 18, { animate: false });
  else map.fitBounds(config.bounds, { animate: false });
  // With one finger the page is scrolled past the map on its edges; the map itself is moved inside.
  map.scrollWheelZoom.disable();
  if (!config.movable && config.point) {
    const icon = L.divIcon({ className: "pin", iconSize: [30, 40], iconAnchor: [15, 38], html: PIN });
    L.marker([config.point[1], config.point[0]], { icon, interactive: false, keyboard: false }).addTo(map);
  }
  document.dispatchEvent(new CustomEvent("wangge:map", { detail: { map, config } }));
  const answer = await fetch(config.ground);
  if (answer.ok) draw(map, config, (await answer.json()).features.map(lengthened), ground);
  if (config.cells) tell(map, config);
  map.getContainer().dataset.ready = "true";
}

/** Lines come as steps in millionths of a degree: the first pair, then from each to the next. */
function unfold(steps) {
  if (Array.isArray(steps[0])) return steps.map(unfold);
  const pairs = [];
  let [x, y] = [0, 0];
  for (let at = 0; at < steps.length; at += 2) {
    [x, y] = [x + steps[at], y + steps[at + 1]];
    pairs.push([x / 1e6, y / 1e6]);
  }
  return pairs;
}

function lengthened(feature) {
  const { type, coordinates } = feature.geometry;
  const unfolded = unfold(coordinates);
  return { ...feature, geometry: { type, coordinates: type === "Point" ? unfolded[0] : unfolded } };
}

const SHADES = ["#b9dbd6", "#7fbdb6", "#3e9690"];

/** Cells with their numbers: the open ones or the settled ones, as the boxes above the map say. */
function tell(map, { cells, side }) {
  const layers = [2, 3].map((field) => {
    const counted = cells.filter((cell) => cell[field] !== null);
    const most = Math.max(1, ...counted.map((cell) => cell[field]));
    return L.layerGroup(counted.map((cell) => {
      const [lon, lat] = cell;
      const fillColor = SHADES[Math.min(2, Math.floor((3 * cell[field]) / (most + 1)))];
      const box = L.rectangle([[lat, lon], [lat + side, lon + side]], { color: "#0b6b6b", weight: 1, fillColor, fillOpacity: 0.6, interactive: false });
      const icon = L.divIcon({ className: "cell-number", iconSize: null, html: String(cell[field]) });
      const mark = L.marker([lat + side / 2, lon + side / 2], { icon, interactive: false, keyboard: false });
      return L.layerGroup([box, mark]);
    }));
  });
  const show = () => {
    const chosen = document.querySelector("input[name=shown]:checked")?.value === "settled" ? 1 : 0;
    layers.forEach((layer, index) => (index === chosen ? layer.addTo(map) : layer.remove()));
  };
  for (const box of document.querySelectorAll("input[name=shown]")) box.addEventListener("change", show);
  show();
}

function draw(map, config, features, ground) {
  const renderer = L.canvas({ padding: 0.5 });
  const of = (...kinds) => ({ type: "FeatureCollection", features: features.filter((one) => kinds.includes(one.properties.kind)) });
  const layer = (data, style) => L.geoJSON(data, { style, renderer, interactive: false, pointToLayer: () => null }).addTo(map);
  const area = (fill, edge) => ({ stroke: Boolean(edge), color: edge, weight: 1, fill: true, fillColor: fill, fillOpacity: 1 });
  const line = (color, weight, dashArray) => ({ color, weight, fill: false, opacity: 1, dashArray });
  const metres = () => scaleAt(map.getZoom(), map.getCenter().lat);
  const width = (one) => Math.max(3, (one.properties.width_m ?? 6) * metres());
  if (!config.pictures) {
    layer(of("grid"), area(ground.community));
    layer(of("green"), area(ground.green));
    layer(of("water"), (one) => (/Polygon/.test(one.geometry.type) ? area(ground.water) : line(ground.water, 3)));
    layer(of("path"), line(ground.path, 1, "4 3"));
    const casing = layer(of("road"), (one) => line(ground["road-casing"], width(one) + 2));
    const road = layer(of("road"), (one) => line(ground.road, width(one)));
    map.on("zoomend", () => {
      casing.setStyle((one) => line(ground["road-casing"], width(one) + 2));
      road.setStyle((one) => line(ground.road, width(one)));
    });
  }
  for (const [kind, [fill, edge]] of Object.entries(BUILT)) layer(of(kind), area(ground[fill], ground[edge]));
  layer(of("grid"), line(ground["grid-line"], 1.6));
  number(map, of("residential").features);
}

/** House numbers, where there is room for them. */
function number(map, buildings) {
  const names = L.layerGroup();
  for (const one of buildings) {
    if (!one.properties.name || one.properties.name.length > 6) continue;
    const icon = L.divIcon({ className: "house-number", html: "" });
    const mark = L.marker(L.geoJSON(one).getBounds().getCenter(), { icon, interactive: false, keyboard: false });
    mark.on("add", () => (mark.getElement().textContent = one.properties.name));
    names.addLayer(mark);
  }
  const show = () => (map.getZoom() >= 17 ? names.addTo(map) : names.remove());
  map.on("zoomend", show);
  show();
}
