// Hotspots: cells over the ground, names above them, the panel beside, and the days below.
/* global L */

import { make, phone, still, tablet, typing } from "../dom.js";
import { number, say, word } from "../words.js";
import { loadIcons } from "../map/icons.js";
import { labelRules, nameAreas } from "../map/labels.js";
import { together } from "../map/marks.js";
import { paintRules } from "../map/paint.js";
import { bindPrint } from "../map/print.js";
import { address, createTiles } from "../map/tiles.js";
import { bindTools, scaleBar } from "../map/tools.js";

const GROUND = ["buildings", "ground"];
const DAY = new Intl.DateTimeFormat(document.documentElement.lang, { month: "short", day: "numeric" });
const WHOLE_DAY = new Intl.DateTimeFormat(document.documentElement.lang, { year: "numeric", month: "short", day: "numeric" });
const day = (text) => DAY.format(new Date(`${text}T00:00`));
/** A day with its year, unless that is the year we are in. */
const dated = (text) =>
  (Number(text.slice(0, 4)) === new Date().getFullYear() ? DAY : WHOLE_DAY).format(new Date(`${text}T00:00`));
const HATCH = { hot_99: 5, hot_95: 8, hot_90: 13, cold_90: 18, cold_95: 12, cold_99: 7 };

/** Called by the script that folium writes. */
export async function start(map, config) {
  const container = map.getContainer();
  map.setMinZoom(4).setMaxZoom(21);
  if (still.matches) map.options.zoomAnimation = map.options.fadeAnimation = false;
  frame(map);
  map.fitBounds(config.bounds, { ...padding(), animate: false });
  await loadIcons(`${config.static}/vendor/icons.svg`);
  const layers = ground(map, config);
  bindTools(map, config, { padding });
  scaleBar(map);
  bindCard();
  const panel = bindSheet(map);
  bindKeys(panel);
  const shown = L.layerGroup().addTo(map);
  const printed = { printing: false };
  bindPrint(map, config, printed, {
    layer: layers.upper.layer,
    seen: padding,
    about() {
      const { from, to } = document.getElementById("card-form").elements;
      return [document.querySelector(".hot-panel h2")?.textContent, word("from_dates", { from: from.value, to: to.value })]
        .filter(Boolean).join(" · ");
    },
    redraw() {
      for (const one of layers.all) one.redraw();
      hatch(map, config, printed.printing);
    },
  });
  const place = document.getElementById("hot-data");
  // A large run is computed in the background, and what nobody asked for yet is asked for.
  if (!place) return import("../views/waiting.js");

  const key = bindLegend();
  let asking = null;
  /** Show what a page says that was asked for, without leaving this one. */
  async function load(query) {
    asking?.abort();
    asking = new AbortController();
    document.body.classList.add("is-working");
    say(word("working"));
    try {
      // Whoever chooses something else asks for it to be computed; what is there already is not computed again.
      const answer = await fetch(`/hotspots?${query}`, {
        method: "POST",
        headers: { "X-CSRF-Token": document.querySelector("meta[name=csrf-token]").content },
        signal: asking.signal,
      });
      const text = await answer.text();
      const page = new DOMParser().parseFromString(text, "text/html");
      const found = page.getElementById("hot-data");
      if (!answer.ok || !found) return location.assign(`/hotspots?${query}`);
      document.getElementById("panel-body").replaceChildren(...page.getElementById("panel-body").childNodes);
      for (const selector of ["[data-left-out]", "[data-print-sentence]", "[data-print-counts]"]) {
        document.querySelector(selector).textContent = page.querySelector(selector).textContent;
      }
      document.title = page.title;
      history.replaceState(null, "", `/hotspots?${query}`);
      await draw(JSON.parse(found.textContent));
      say(document.querySelector("[data-sentence]").textContent);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      document.body.classList.remove("is-working");
    }
  }

  const time = bindTime((from, to) => {
    const form = document.getElementById("card-form");
    form.elements.from.value = from;
    form.elements.to.value = to;
    return load(asked());
  });

  async function draw(data) {
    const more = { points: data.clusters, change: data.changes }[data.method];
    const [cells, others] = await Promise.all([data.cells, more].map((url) => url && get(url)));
    shown.clearLayers();
    layers.points(data.method === "points" ? data.filters : null);
    if (data.method === "points") shown.addLayer(drawClusters(others, config));
    else if (data.method === "change") shown.addLayer(drawChanges(others, config));
    else shown.addLayer(drawCells(map, cells, data.method, config));
    for (const one of data.spots) if (data.method === "significant") shown.addLayer(badge(one));
    for (const one of data.default_points) shown.addLayer(crossed(one, map));
    key.show(legend(data, cells, config));
    time.show(data.time);
    map.invalidateSize({ pan: false });
  }

  document.getElementById("card-form").addEventListener("change", () => load(asked()));
  document.getElementById("panel").addEventListener("click", (event) => {
    const spot = event.target.closest("[data-spot]");
    if (!spot) return;
    const [lon, lat] = spot.dataset.spot.split(",").map(Number);
    map.setView([lat, lon], Math.max(map.getZoom(), 18), { animate: !still.matches });
  });
  await draw(JSON.parse(place.textContent));
  container.dataset.ready = "true";
}

const get = async (url) => (await fetch(url)).json();

/** What the card asks for, as a query; an empty choice is none. */
function asked() {
  const form = new FormData(document.getElementById("card-form"));
  const query = new URLSearchParams();
  for (const [name, value] of form) if (value !== "") query.set(name, value);
  return query;
}

/* ---- ground ---- */

function frame(map) {
  for (const [name, zIndex] of [["cells", 300], ["names", 350]]) map.createPane(name).style.zIndex = String(zIndex);
  map.getPane("names").style.pointerEvents = "none";
}

/** The ground below the cells; boundaries, names, and the cases as points above them. */
function ground(map, config) {
  const state = (layers) => ({ layers: new Set(layers), states: new Set(), figure: "", selected: "", printing: false });
  const target = map.getContainer();
  const sources = (names) => Object.fromEntries(names.map((name) => [name, address(config, name)]));
  const drawn = config.basemap.drawn ? ["basemap"] : [];
  const lower = createTiles(map, config, {
    sources: sources(["communities", "buildings", ...drawn]),
    rules: () => ({ paint: paintRules(config, state(GROUND)), labels: [] }),
    background: config.basemap.pictures ? undefined : config.symbols.ground.outside,
    target,
  });
  let points = false;
  const upper = createTiles(map, config, {
    sources: sources(["communities", "grids", "buildings", ...drawn]),
    rules() {
      const lines = state(points ? ["grids", "incidents"] : ["grids"]);
      const paint = paintRules(config, lines);
      return {
        // The community's own ground is painted below already.
        paint: config.basemap.pictures ? paint : paint.slice(1),
        labels: labelRules(config, state(["grids", ...GROUND, ...(points ? ["incidents"] : [])])),
      };
    },
    target,
    prepare: { grids: nameAreas, incidents: together },
    pane: "names",
  });
  return {
    upper,
    all: [lower, upper],
    points(filters) {
      points = Boolean(filters);
      upper.source("incidents", filters && address(config, "incidents", filters));
      upper.redraw();
    },
  };
}

/** Room for what floats over the map. */
function padding() {
  if (phone.matches) {
    const sheet = document.querySelector(".panel:not([hidden])");
    return { paddingTopLeft: [12, 80], paddingBottomRight: [12, 20 + (sheet?.offsetHeight ?? 0)] };
  }
  const card = document.querySelector(".map-card:not(.is-collapsed)");
  return { paddingTopLeft: [card && !tablet.matches ? 272 : 24, 24], paddingBottomRight: [60, 130] };
}

/* ---- what a run found ---- */

function drawCells(map, cells, method, config) {
  const { hotspot, hotspot_opacity: opacity, sequential, ramp_opacity: veil } = config.symbols;
  const limits = density(cells);
  const names = new Map(config.heats);
  const style = ({ properties }) => {
    const line = { color: "#FFFFFF", weight: 1, opacity: 0.85, pane: "cells" };
    if (method === "density") {
      const shade = limits.filter((limit) => properties.density >= limit).length;
      return { ...line, fillColor: sequential[shade], fillOpacity: properties.density < limits[0] / 4 ? 0 : veil };
    }
    if (method === "trend") {
      const colour = trendColours(config)[config.course_of[properties.pattern]];
      return { ...line, fillColor: colour ?? hotspot.none, fillOpacity: colour ? opacity : 0.12 };
    }
    const flat = properties.heat === "none";
    return { ...line, fillColor: hotspot[properties.heat] ?? hotspot.cold_95, fillOpacity: flat ? 0.12 : opacity };
  };
  return L.geoJson(cells, {
    style,
    pane: "cells",
    onEachFeature({ properties }, layer) {
      const { heat, pattern, grid_name: grid, cases, few, households } = properties;
      const course = method === "trend" && new Map(config.courses).get(config.course_of[pattern]);
      const lines = [
        grid,
        method === "trend" ? course : names.get(heat),
        cases === null ? (few ? word("few_cases") : null) : word("cases_of", { count: number(cases) }),
        households ? word("households_of", { count: number(households) }) : null,
      ].filter(Boolean);
      layer.bindTooltip(make("span", {}, lines.join(" · ")), { sticky: true, className: "picture-tip", opacity: 1 });
      if (method === "significant") layer.heat = heat;
      else if (method === "trend") layer.heat = { emerging: "hot_99", persistent: "hot_90", fading: "cold_95" }[config.course_of[pattern]];
    },
  });
}

/** Four round limits of the density, cases per hectare. */
function density(cells) {
  const highest = Math.max(0.01, ...cells.features.map(({ properties }) => properties.density));
  const power = 10 ** Math.floor(Math.log10(highest / 5));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one * 5 >= highest);
  return [1, 2, 3, 4].map((factor) => Number((factor * step).toPrecision(3)));
}

/** On paper each class has a density of hatching, so that a copier keeps them apart. */
function hatch(map, config, on) {
  const svg = map.getPane("cells").querySelector("svg");
  if (!svg) return;
  map.eachLayer((layer) => {
    if (!layer.heat || !layer._path) return;
    const step = HATCH[layer.heat];
    if (!step) return;
    const id = `hatch-${layer.heat}`;
    if (on && !svg.querySelector(`#${id}`)) {
      const pattern = (name, attributes) => {
        const element = document.createElementNS("http://www.w3.org/2000/svg", name);
        for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
        return element;
      };
      const lean = layer.heat.startsWith("hot") ? `M0 ${step}L${step} 0` : `M0 0L${step} ${step}`;
      const found = pattern("pattern", { id, width: step, height: step, patternUnits: "userSpaceOnUse" });
      found.append(
        pattern("rect", { width: step, height: step, fill: layer.options.fillColor }),
        pattern("path", { d: lean, stroke: "#18212B", "stroke-opacity": 0.6, "stroke-width": 1 }),
      );
      svg.prepend(found);
    }
    layer._path.setAttribute("fill", on ? `url(#${id})` : layer.options.fillColor);
  });
}

const trendColours = ({ symbols: { hotspot } }) =>
  ({ emerging: hotspot.hot_99, persistent: hotspot.hot_90, fading: hotspot.cold_95 });
const CHANGES = { more: "change_more", fewer: "change_fewer", same: "change_same" };
const changeColours = ({ symbols: { diverging } }) => ({ more: diverging[6], fewer: diverging[0] });

/** Where there are surely more or fewer cases than in the days before; each cell stands for itself and its neighbours. */
function drawChanges(changes, config) {
  const colours = changeColours(config);
  const told = (count) => (count === null ? word("few_then") : number(count));
  return L.geoJson(changes, {
    pane: "cells",
    style: ({ properties: { change } }) => ({
      color: "#FFFFFF", weight: 1, opacity: 0.85, fillColor: colours[change] ?? config.symbols.hotspot.none,
      fillOpacity: colours[change] ? 0.66 : 0.12,
    }),
    onEachFeature({ properties: { change, before, after } }, layer) {
      const text = `${word(CHANGES[change])} · ${word("before_after", { before: told(before), after: told(after) })}`;
      layer.bindTooltip(make("span", {}, text), { sticky: true, className: "picture-tip", opacity: 1 });
      layer.heat = { more: "hot_99", fewer: "cold_95" }[change];
    },
  });
}

function drawClusters(clusters, config) {
  const { hotspot } = config.symbols;
  return L.geoJson(clusters, {
    pane: "cells",
    style: { color: hotspot.hot_99, weight: 2, dashArray: "6 4", fillColor: hotspot.hot_90, fillOpacity: 0.35 },
    onEachFeature({ properties }, layer) {
      const text = `${word("cluster")} ${properties.rank} · ${word("cases_of", { count: number(properties.cases) })}`;
      layer.bindTooltip(make("span", {}, text), { sticky: true, className: "picture-tip", opacity: 1 });
    },
  });
}

function badge({ rank, at, heat, name }) {
  const icon = L.divIcon({
    className: `hot-badge heat-${heat}`, html: make("span", {}, String(rank)), iconSize: [24, 24], iconAnchor: [12, 12],
  });
  return L.marker([at[1], at[0]], { icon, title: name, alt: `${rank} ${name}`, keyboard: false, interactive: false });
}

const CROSS =
  '<svg viewBox="0 0 34 34" aria-hidden="true"><circle cx="17" cy="17" r="14.500"/><path d="M11.500 11.500l11 11M22.500 11.500l-11 11"/></svg>';

/** What was left out stays visible: a dashed circle with a cross, how many, and why. */
function crossed({ at, says, why }, map) {
  const icon = L.divIcon({ className: "hot-crossed", html: CROSS, iconSize: [34, 34], iconAnchor: [17, 17] });
  const mark = L.marker([at[1], at[0]], { icon, alt: says, keyboard: true });
  const text = make("span", {}, make("b", {}, says), make("br"), why);
  const right = map.latLngToContainerPoint([at[1], at[0]]).x < 0.68 * map.getSize().x;
  return mark.bindTooltip(text, {
    permanent: !phone.matches, direction: right ? "right" : "left", offset: [right ? 20 : -20, 30],
    className: "picture-tip hot-callout", opacity: 1,
  });
}

/* ---- legend ---- */

const TITLES = {
  significant: "heat_title", density: "density_title", points: "points_title", trend: "trend_title", change: "change_title",
};

function legend({ method, default_points: points }, cells, config) {
  const { hotspot, sequential } = config.symbols;
  const items = [];
  const swatch = (colour, kind = "hexagon") => {
    const sample = make("i", { class: `sample-${kind}`, "aria-hidden": "true" });
    if (colour) sample.style.backgroundColor = colour;
    return sample;
  };
  const item = (sample, text) => items.push(make("li", {}, sample, make("span", {}, text)));
  if (method === "significant") {
    const there = new Set(cells.features.map(({ properties }) => properties.heat));
    // Cold is told in two steps; the surest of it has the colour of the second.
    if (there.delete("cold_99")) there.add("cold_95");
    for (const [heat, name] of config.heats) {
      if (there.has(heat) || heat === "none") item(swatch(hotspot[heat] ?? hotspot.cold_95), name);
    }
  } else if (method === "density") {
    const limits = density(cells);
    const texts = [word("below", { value: number(limits[0]) }), ...limits.map((low, place) =>
      place < 3 ? word("range", { low: number(low), high: number(limits[place + 1]) }) : word("at_least", { value: number(low) }))];
    texts.forEach((text, place) => item(swatch(sequential[place]), text));
  } else if (method === "trend") {
    for (const [course, name] of config.courses) item(swatch(trendColours(config)[course]), name);
  } else if (method === "change") {
    for (const change of ["more", "fewer"]) item(swatch(changeColours(config)[change]), word(CHANGES[change]));
    item(swatch(hotspot.none), word("change_same"));
  } else {
    item(swatch(null, "cluster"), word("cluster"));
    item(make("i", { class: "sample sample-count", "aria-hidden": "true" }), word("several_cases"));
  }
  if (points.length) item(swatch(null, "crossed"), word("left_out_point"));
  return [make("b", {}, word(TITLES[method])), make("ul", {}, ...items)];
}

/** The legend lies on the map; on a phone, where there is no room, it stands in the sheet. On paper it is on the map. */
function bindLegend() {
  const box = document.getElementById("legend");
  const home = box.parentElement;
  const settle = () => {
    const before = phone.matches && document.querySelector(".hot-panel .hot-counts");
    if (before) before.after(box);
    else home.append(box);
  };
  phone.addEventListener("change", settle);
  addEventListener("beforeprint", () => home.append(box));
  addEventListener("afterprint", settle);
  return {
    show(children) {
      box.replaceChildren(...children);
      box.hidden = false;
      settle();
    },
  };
}

/* ---- days ---- */

/** The bars of the weeks and the window over them; `changed(from, to)` looks at other days. */
function bindTime(changed) {
  const box = document.querySelector(".hot-time");
  const bars = box.querySelector(".hot-bars-time");
  const window_ = box.querySelector(".hot-window");
  const [from, to] = ["from", "to"].map((end) => box.querySelector(`[data-end=${end}]`));
  const button = box.querySelector("button");
  let weeks = [];
  let playing = false;
  // On a phone the days stand in the sheet, under the sentence.
  const home = box.parentElement;
  const settle = () => {
    const body = document.querySelector(".hot-panel .hot-counts");
    if (phone.matches && body) body.after(box);
    else home.append(box);
  };
  phone.addEventListener("change", settle);

  let exact = null;
  // The handles stand on the edges of the weeks: from before the first, to after the last.
  const span = () => [Number(from.value), Number(to.value) - 1];
  const set = (first, last) => {
    from.value = String(first);
    to.value = String(last + 1);
  };
  /** The days of the window: those that were asked for, as long as nobody moves it. */
  const days = () => {
    const [first, last] = span();
    return exact && exact.first === first && exact.last === last
      ? [exact.from, exact.to] : [weeks[first].first, weeks[last].last];
  };
  function mark() {
    const [first, last] = span();
    const each = 100 / weeks.length;
    window_.style.insetInlineStart = `${first * each}%`;
    window_.style.inlineSize = `${(last - first + 1) * each}%`;
    [...bars.children].forEach((bar, place) => bar.classList.toggle("is-in", place >= first && place <= last));
    const [begin, end] = days().map(dated);
    box.querySelector("[data-days]").textContent = word("from_dates", { from: begin, to: end });
    from.setAttribute("aria-valuetext", begin);
    to.setAttribute("aria-valuetext", end);
  }

  function play(on) {
    playing = on;
    button.setAttribute("aria-pressed", String(on));
    button.setAttribute("aria-label", word(on ? "pause" : "play"));
  }

  async function step() {
    while (playing) {
      const [first, last] = span();
      if (last + 1 >= weeks.length) return play(false);
      set(first + 1, last + 1);
      mark();
      await changed(weeks[first + 1].first, weeks[last + 1].last);
      await new Promise((done) => setTimeout(done, 900));
    }
  }

  button.addEventListener("click", () => {
    if (playing) return play(false);
    const [first, last] = span();
    if (last + 1 >= weeks.length) {
      set(0, last - first);
    }
    play(true);
    mark();
    step();
  });
  for (const end of [from, to]) {
    end.addEventListener("input", () => {
      play(false);
      const at = Number(end.value);
      if (end === from && at >= Number(to.value)) set(Math.min(at, weeks.length - 1), Math.min(at, weeks.length - 1));
      if (end === to && at <= Number(from.value)) set(Math.max(at - 1, 0), Math.max(at - 1, 0));
      mark();
    });
    end.addEventListener("change", () => {
      const [first, last] = span();
      changed(weeks[first].first, weeks[last].last);
    });
  }

  return {
    show({ bars: counts, from: first, to: last, days: length }) {
      settle();
      weeks = counts;
      const highest = Math.max(1, ...counts.map((one) => one.count + one.left_out));
      bars.replaceChildren(...counts.map((one) => {
        const bar = make("div", {}, make("i"), make("i", { class: "is-left-out" }), make("span", {}, day(one.first)));
        bar.children[0].style.blockSize = `${(100 * one.count) / highest}%`;
        bar.children[1].style.blockSize = `${(100 * one.left_out) / highest}%`;
        bar.children[1].hidden = !one.left_out;
        return bar;
      }));
      const labelled = Math.ceil(counts.length / (phone.matches ? 5 : 10));
      [...bars.children].forEach((bar, place) => (bar.lastChild.hidden = place % labelled !== 0));
      box.querySelector(".hot-scale").replaceChildren(...[highest, highest / 2, 0].map((value) => make("span", {}, number(Math.round(value)))));
      from.max = to.max = String(counts.length);
      const at = (text) => Math.max(0, counts.findIndex((one) => text <= one.last));
      exact = { from: first, to: last, first: at(first), last: last > counts.at(-1).last ? counts.length - 1 : at(last) };
      set(exact.first, exact.last);
      box.querySelector("[data-length]").textContent = word("step_days", { count: number(length) });
      box.querySelector("[data-left-key]").hidden = !counts.some((one) => one.left_out);
      box.hidden = false;
      mark();
    },
  };
}

/* ---- card, sheet, keys ---- */

function bindCard() {
  const card = document.querySelector(".map-card");
  const toggle = document.getElementById("card-toggle");
  const collapse = (closed) => {
    card.classList.toggle("is-collapsed", closed);
    toggle.setAttribute("aria-expanded", String(!closed));
  };
  toggle.addEventListener("click", () => collapse(!card.classList.contains("is-collapsed")));
  document.getElementById("layers-open").addEventListener("click", () => collapse(false));
  collapse(tablet.matches);
}

function bindSheet(map) {
  const panel = document.getElementById("panel");
  const show = (open) => {
    panel.hidden = !open;
    document.body.classList.toggle("has-panel", open);
    map.invalidateSize({ pan: false });
  };
  panel.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) {
      if (phone.matches) panel.classList.remove("is-full");
      else show(false);
    }
    const fold = event.target.closest("[data-sheet]");
    if (fold) fold.setAttribute("aria-expanded", String(panel.classList.toggle("is-full")));
  });
  return { toggle: () => show(panel.hidden), close: () => show(false) };
}

function bindKeys(panel) {
  document.addEventListener("keydown", (event) => {
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "]") panel.toggle();
    else if (event.key === "[") document.getElementById("card-toggle").click();
    else if (event.key.toLowerCase() === "t") document.querySelector(".panel-actions .btn-primary")?.click();
    else return;
    event.preventDefault();
  });
}
