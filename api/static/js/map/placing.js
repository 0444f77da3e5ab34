// One point on a map: a click or a drag fills the fields lon and lat, typing into them moves the pin.
/* global L, protomapsL */

import { loadIcons } from "./icons.js";
import { labelRules, nameAreas } from "./labels.js";
import { paintRules } from "./paint.js";
import { PIN } from "./pin.js";
import { address, createTiles } from "./tiles.js";
import { scaleBar } from "./tools.js";
import { say, word } from "../words.js";

/** The ground without incidents: what small maps show. */
export async function plainGround(map, config, layers = ["grids", "buildings", "ground"]) {
  const state = { layers: new Set(layers), states: new Set(), figure: "", selected: "", printing: false };
  map.setMinZoom(4).setMaxZoom(21);
  map.fitBounds(config.bounds, { padding: [16, 16], animate: false });
  const names = ["communities", "grids", "buildings", ...(config.basemap.drawn ? ["basemap"] : [])];
  await loadIcons(`${config.static}/vendor/icons.svg`);
  const tiles = createTiles(map, config, {
    sources: Object.fromEntries(names.map((name) => [name, address(config, name)])),
    rules: () => ({ paint: paintRules(config, state), labels: labelRules(config, state) }),
    background: config.basemap.pictures ? undefined : config.symbols.ground.outside,
    target: map.getContainer(),
    prepare: { grids: nameAreas },
  });
  scaleBar(map);
  return { tiles, state };
}

/** Names and numbers in a layer of their own above what is drawn on the map, from the tiles that are here already. */
export function liftLabels(map, config, { layer }, state) {
  layer.labelRules = [];
  layer.clearLayout();
  layer.rerenderTiles();
  const pane = map.createPane("names");
  pane.style.zIndex = 450;
  pane.style.pointerEvents = "none";
  const names = protomapsL.leafletLayer({
    sources: {}, paintRules: [], labelRules: labelRules(config, state), attribution: "", noWrap: true, pane: "names",
    minZoom: map.getMinZoom(), maxZoom: map.getMaxZoom(), keepBuffer: 3, updateWhenZooming: false,
  });
  for (const [name, view] of layer.views) names.views.set(name, view);
  names.addTo(map);
}

/** The button that puts the pin where the device is; what keeps it from that is said beside it. */
function bindLocate(found) {
  const button = document.querySelector("[data-locate]");
  const told = button?.closest("div").querySelector("p");
  button?.addEventListener("click", () => {
    const say = (text) => {
      button.disabled = false;
      if (text) told.textContent = text;
    };
    if (!navigator.geolocation) return say(word("no_position"));
    button.disabled = true;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        found(L.latLng(coords.latitude, coords.longitude), coords.accuracy);
        say(word("position_found", { accuracy: word("metres", { value: Math.round(coords.accuracy) }) }));
      },
      () => say(word("no_position")),
      { enableHighAccuracy: true, timeout: 15000 },
    );
  });
}

/** Called by the script that folium writes. */
export async function start(map, config) {
  await plainGround(map, config);
  const lon = document.querySelector("input[name=lon]");
  const lat = document.querySelector("input[name=lat]");
  const pin = L.marker(map.getCenter(), {
    draggable: config.editable,
    keyboard: config.editable,
    autoPan: true,
    title: word("pin"),
    alt: word("pin"),
    icon: L.divIcon({ className: "pin", iconSize: [30, 40], iconAnchor: [15, 38], html: PIN }),
  });

  function place(latlng, { centre = false, fill = true } = {}) {
    pin.setLatLng(latlng).addTo(map);
    if (centre) map.setView(latlng, Math.max(map.getZoom(), 18), { animate: false });
    if (!fill || !lon) return;
    lon.value = latlng.lng.toFixed(6);
    lat.value = latlng.lat.toFixed(6);
    lon.dispatchEvent(new Event("change", { bubbles: true }));
    say(word("placed", { lon: lon.value, lat: lat.value }));
  }

  const fields = () => [lat?.value, lon?.value].map((text) => (text ? Number(text) : Number.NaN));
  const [y, x] = fields();
  if (config.point) place(L.latLng(config.point[1], config.point[0]), { centre: true, fill: false });
  else if (Number.isFinite(x) && Number.isFinite(y)) place(L.latLng(y, x), { centre: true, fill: false });
  map.getContainer().dataset.ready = "true";
  if (!config.editable) return;

  const accuracy = document.querySelector("input[name=accuracy_m]");
  const byHand = (latlng) => {
    if (accuracy) accuracy.value = "";
    place(latlng);
  };
  map.on("click", ({ latlng }) => byHand(latlng));
  pin.on("dragend", () => byHand(pin.getLatLng()));
  bindLocate((latlng, within) => {
    place(latlng, { centre: true });
    if (accuracy) accuracy.value = within.toFixed(1);
  });
  for (const field of [lon, lat]) {
    field?.addEventListener("input", () => {
      const [north, east] = fields();
      if (Math.abs(north) <= 90 && Math.abs(east) <= 180) place(L.latLng(north, east), { centre: true, fill: false });
    });
  }
  // The work list beside the map says what is to be placed, and where its address may be.
  document.addEventListener("click", (event) => {
    const goTo = event.target.closest("[data-go]");
    if (!goTo) return;
    const [east, north] = goTo.dataset.go.split(",").map(Number);
    map.setView([north, east], 19);
  });
}
