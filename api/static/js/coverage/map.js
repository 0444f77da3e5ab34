// What patrols passed, what they did not, and where the GPS is too poor to say: each by colour and by pattern.
/* global L */

import { make, phone, still, typing } from "../dom.js";
import { say, word } from "../words.js";
import { liftLabels, plainGround } from "../map/placing.js";
import { bindPrint } from "../map/print.js";
import { bindTools } from "../map/tools.js";

const ORDER = ["street", "building", "asset"];

/** Stripes or dots as a fill. */
function pattern(ground, draw, step = 7) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = step;
  const ctx = tile.getContext("2d");
  ctx.fillStyle = ground;
  ctx.fillRect(0, 0, step, step);
  draw(ctx, step);
  return ctx.createPattern(tile, "repeat");
}

function stripes(colour) {
  return (ctx, step) => {
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.4;
    ctx.beginPath();
    for (const shift of [-step, 0, step]) {
      ctx.moveTo(shift, step);
      ctx.lineTo(shift + step, 0);
    }
    ctx.stroke();
  };
}

function dots(colour) {
  return (ctx, step) => {
    ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.arc(step / 2, step / 2, 1.1, 0, 2 * Math.PI);
    ctx.fill();
  };
}

/** How each status is drawn, as an area, a line and a point. */
function styles({ palette, sequential, diverging }) {
  const [missed, ground] = [diverging[6], diverging[4]];
  const grey = palette["ink-3"];
  return {
    seen: {
      area: { color: palette.brand, weight: 1.2, fillColor: sequential[1], fillOpacity: 0.9 },
      line: { color: palette.brand, weight: 4 },
      point: { radius: 4.5, color: "#FFFFFF", weight: 1.5, fillColor: palette.brand, fillOpacity: 1 },
    },
    not_seen: {
      area: { color: missed, weight: 2.2, fillColor: pattern(ground, stripes(missed)), fillOpacity: 1 },
      line: { color: missed, weight: 4, dashArray: "9 6" },
      point: { radius: 6, color: missed, weight: 3, fillColor: "#FFFFFF", fillOpacity: 1 },
    },
    too_poor: {
      area: { color: grey, weight: 1.6, dashArray: "4 3", fillColor: pattern("#FFFFFF", dots(grey), 6), fillOpacity: 1 },
      line: { color: grey, weight: 4, dashArray: "1 8" },
      point: { radius: 5, color: grey, weight: 2, dashArray: "3 3", fillColor: "#FFFFFF", fillOpacity: 1 },
    },
  };
}

const form = { building: "area", street: "line", asset: "point" };
const keyOf = ({ kind, id }) => `${kind}/${id}`;

/** Called by the script that folium writes. */
export async function start(map, config) {
  const container = map.getContainer();
  if (still.matches) map.options.zoomAnimation = map.options.fadeAnimation = false;
  const how = styles(config.symbols);
  const { tiles, state } = await plainGround(map, config);
  map.fitBounds(config.bounds, { ...padding(), animate: false });
  liftLabels(map, config, tiles, state);
  bindTools(map, config, { padding });
  const part = document.querySelector("#card-form .part-note").textContent;
  bindPrint(map, config, state, { redraw: () => tiles.redraw(), layer: tiles.layer, seen: padding, about: () => part });

  const answer = await fetch(config.features, { headers: { Accept: "application/geo+json, application/json" } });
  if (!answer.ok) return trouble((await answer.json().catch(() => null))?.detail ?? word("no_answer"));
  const { features } = await answer.json();
  features.sort((one, other) => ORDER.indexOf(one.properties.kind) - ORDER.indexOf(other.properties.kind));

  const renderer = L.canvas({ padding: 0.3, tolerance: phone.matches ? 14 : 5 });
  const layers = new Map();
  let chosen = "";

  for (const feature of features) {
    const { properties, geometry } = feature;
    if (!geometry) continue;
    const point = geometry.type === "Point";
    const shape = point ? "point" : geometry.type.endsWith("LineString") ? "line" : "area";
    const style = how[properties.status][shape === "area" && form[properties.kind] === "line" ? "line" : shape];
    const layer = L.geoJSON(feature, {
      renderer, style: () => style, pointToLayer: (_, latlng) => L.circleMarker(latlng, { ...style, renderer }),
    });
    const casing = shape === "line"
      ? L.geoJSON(feature, { renderer, style: { color: "#FFFFFF", weight: 8 }, interactive: false })
      : null;
    layers.set(keyOf(properties), { properties, layer, casing, style });
    layer.on("click", (event) => {
      L.DomEvent.stopPropagation(event);
      choose(keyOf(properties), { at: event.latlng });
    });
  }

  const boxes = (name) => [...document.querySelectorAll(`#card-form input[name=${name}]`)];
  const on = (name) => new Set(boxes(name).filter((box) => box.checked).map((box) => box.value));

  /** The layers that the boxes ask for, casings below. */
  function show() {
    const [statuses, kinds] = [on("status"), on("kind")];
    const wanted = ({ properties }) => statuses.has(properties.status) && kinds.has(properties.kind);
    for (const { layer, casing } of layers.values()) {
      layer.remove();
      casing?.remove();
    }
    const shown = [...layers.values()].filter(wanted);
    for (const { casing } of shown) casing?.addTo(map);
    for (const { layer } of shown) layer.addTo(map);
    legend(shown);
    for (const row of document.querySelectorAll("[data-at]")) {
      const found = layers.get(row.dataset.at);
      row.closest("li").hidden = Boolean(found && !wanted(found));
    }
    // A street goes with its last piece, a heading with its last row.
    for (const street of document.querySelectorAll("#missed .street")) {
      street.closest("li").hidden = !street.querySelector("li:not([hidden])");
    }
    for (const list of document.querySelectorAll("#missed > .missed")) {
      list.hidden = list.previousElementSibling.hidden = !list.querySelector(":scope > li:not([hidden])");
    }
  }

  function legend(shown) {
    const present = new Set(shown.map(({ properties }) => properties.status));
    const items = Object.entries(config.statuses).filter(([code]) => present.has(code)).map(([code, name]) =>
      make("li", {},
        make("i", { class: `sample sample-class sample-${code}`, "aria-hidden": "true" }),
        make("i", { class: `sample sample-line-${code}`, "aria-hidden": "true" }),
        make("span", {}, name)));
    const place = document.getElementById("legend");
    place.replaceChildren(make("ul", {}, ...items));
    place.hidden = !items.length;
  }

  /** Mark one thing on the map and in the list. */
  function choose(key, { at, fit = false } = {}) {
    const before = layers.get(chosen);
    before?.layer.setStyle(before.style);
    chosen = key;
    for (const row of document.querySelectorAll("[data-at]")) row.classList.toggle("is-chosen", row.dataset.at === key);
    const found = layers.get(key);
    map.closePopup();
    if (!found) return;
    const { layer, properties } = found;
    layer.setStyle({ color: config.symbols.palette["ink-1"], weight: 4, dashArray: null });
    layer.bringToFront();
    const bounds = layer.getBounds();
    if (fit) map.fitBounds(bounds, { ...padding(), maxZoom: 18, animate: !still.matches });
    L.popup({ closeButton: false, autoPanPadding: [20, 20], autoPan: !fit })
      .setLatLng(at ?? bounds.getCenter())
      .setContent(card(properties))
      .openOn(map);
    const row = document.querySelector(`[data-at="${key}"]`);
    const street = row?.closest("details");
    if (street && !street.open) street.open = true;
    row?.scrollIntoView({ block: "nearest" });
    say(`${properties.name}: ${config.statuses[properties.status]}`);
  }

  /** Show where the pieces of a street are that the list opens. */
  function outline(keys) {
    const found = keys.map((key) => layers.get(key)).filter(Boolean);
    if (!found.length) return;
    choose("");
    const bounds = L.featureGroup(found.map(({ layer }) => layer)).getBounds();
    map.fitBounds(bounds, { ...padding(), maxZoom: 18, animate: !still.matches });
  }

  const card = ({ name, status, last_seen: time, by }) =>
    make("div", { class: "place-card" },
      make("b", {}, name ?? "—"),
      make("span", { class: `label seen-${status}` }, config.statuses[status]),
      make("small", {}, time ? word(by ? "last_seen_by" : "last_seen", { time, name: by }) : word("never_seen")));

  bindCard(show);
  document.addEventListener("click", (event) => {
    const row = event.target.closest("a[data-at]");
    if (!row || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    history.replaceState(null, "", row.href);
    choose(row.dataset.at, { fit: true });
  });
  document.getElementById("missed").addEventListener("toggle", ({ target }) => {
    if (target.open && !target.querySelector(".is-chosen")) outline([...target.querySelectorAll("[data-at]")].map((row) => row.dataset.at));
  }, true);
  map.on("click", () => choose(""));
  document.addEventListener("keydown", (event) => {
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") choose("");
    else if (event.key.toLowerCase() === "t") document.querySelector("#missed a")?.focus();
  });
  container.setAttribute("role", "region");
  container.setAttribute("aria-label", word("map"));
  show();
  const linked = new URLSearchParams(location.search).get("at");
  // Whoever sees one grid only is shown that grid.
  const all = L.featureGroup([...layers.values()].map(({ layer }) => layer));
  if (linked) choose(linked, { fit: true });
  else if (layers.size) map.fitBounds(all.getBounds(), { ...padding(), animate: false });
  container.dataset.ready = "true";
}

/** The card: what is shown changes here, period and distance ask the server. */
function bindCard(show) {
  const card = document.querySelector(".map-card");
  const form = document.getElementById("card-form");
  const toggle = document.getElementById("card-toggle");
  const fold = (folded) => {
    card.classList.toggle("is-collapsed", folded);
    toggle.setAttribute("aria-expanded", String(!folded));
  };
  fold(phone.matches);
  toggle.addEventListener("click", () => fold(!card.classList.contains("is-collapsed")));
  const days = form.querySelector(".custom-days");
  const custom = () => form.elements.days.value === "custom";
  // What is not asked for stays out of the address.
  const tidy = () => {
    days.hidden = !custom();
    for (const field of days.querySelectorAll("input")) field.disabled = !custom();
  };
  tidy();
  form.addEventListener("change", ({ target }) => {
    if (["status", "kind"].includes(target.name)) show();
    else {
      tidy();
      if (!custom() || target.name !== "days") form.requestSubmit();
    }
  });
}

function trouble(text) {
  const notice = document.getElementById("map-trouble");
  notice.hidden = false;
  notice.querySelector("span").textContent = text;
  say(text);
}

/** Room for the card that floats over the map. */
function padding() {
  if (phone.matches) return { paddingTopLeft: [12, 12], paddingBottomRight: [12, 12] };
  const card = document.querySelector(".map-card:not(.is-collapsed)");
  return { paddingTopLeft: [card ? 272 : 24, 24], paddingBottomRight: [60, 60] };
}
