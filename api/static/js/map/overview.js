// The map page: layers and filters on the left, one thing on the right, everything in the address bar.
/* global L */

import { debounced, phone, still, tablet, typing } from "../dom.js";
import { say, word } from "../words.js";
import { bindCard } from "./card.js";
import { loadIcons } from "./icons.js";
import { labelRules, nameAreas } from "./labels.js";
import { showLegend } from "./legend.js";
import { markSize, reach, together } from "./marks.js";
import { bindMeasure } from "./measure.js";
import { paintRules } from "./paint.js";
import { bindPanel } from "./panel.js";
import { bindPrint } from "./print.js";
import { bindReport } from "./report.js";
import { filters, read, showsNone, write } from "./state.js";
import { bindTable } from "./table.js";
import { address, createTiles, haveLimits } from "./tiles.js";
import { bindTools, scaleBar } from "./tools.js";

const KINDS = { incidents: "incidents", buildings: "buildings", grids: "grids" };

/** Called by the script that folium writes. */
export async function start(map, config) {
  const state = read(location.search);
  const container = map.getContainer();
  map.setMinZoom(4).setMaxZoom(21);
  if (still.matches) map.options.zoomAnimation = map.options.fadeAnimation = false;
  // Panel and table take their room before the view is set, so that a link shows the same middle again.
  document.getElementById("panel").hidden = !state.selected;
  document.body.classList.toggle("has-panel", Boolean(state.selected));
  document.getElementById("map-table").hidden = !state.table;
  map.invalidateSize({ pan: false });
  if (state.centre) map.setView(state.centre, state.zoom, { animate: false });
  else map.fitBounds(config.bounds, { ...padding(), animate: false });

  const icons = loadIcons(`${config.static}/vendor/icons.svg`);
  // The figures are those of the grids of today.
  if (state.on || !config.figures.some((figure) => figure.code === state.figure)) state.figure = "";
  const limits = haveLimits(config, state.figure);
  const incidents = () => state.layers.has("incidents") && !showsNone(state);
  const sourcesShown = () => ({
    ...(config.basemap.drawn && state.layers.has("ground") ? { basemap: address(config, "basemap") } : {}),
    communities: address(config, "communities"),
    grids: address(config, "grids", { figure: state.figure, on: state.on }),
    ...(state.layers.has("buildings") ? { buildings: address(config, "buildings") } : {}),
    ...(incidents() ? { incidents: address(config, "incidents", filters(state)) } : {}),
  });
  await Promise.all([icons, limits]);
  const tiles = createTiles(map, config, {
    sources: sourcesShown(),
    rules: () => ({ paint: paintRules(config, state), labels: labelRules(config, state) }),
    background: config.basemap.pictures ? undefined : config.symbols.ground.outside,
    target: container,
    prepare: { incidents: together, grids: nameAreas },
  });
  container.addEventListener("wangge:tiles", ({ detail }) => trouble(detail));

  const keep = debounced(() => history.replaceState(null, "", write(state)), 120);
  const legend = () => showLegend(config, state);
  /** The state changed: `sources` that need other tiles, then everything that shows it. */
  function changed(sources = []) {
    const now = sourcesShown();
    for (const name of sources) tiles.source(name, now[name] ?? null);
    tiles.redraw();
    legend();
    table?.mark();
    table?.refresh(sources.includes("incidents"));
    keep();
  }

  let table = null;
  const panel = bindPanel({
    map,
    padding,
    opened(selected) {
      state.selected = selected;
      changed();
    },
    closed() {
      state.selected = "";
      changed();
      container.focus({ preventScroll: true });
    },
  });
  table = bindTable({ map, state, keep, select: panel.open });
  bindCard({ state, config, changed });
  const modes = [bindMeasure(map), bindReport(map)];
  bindTools(map, config, { padding });
  scaleBar(map);
  bindPrint(map, config, state, {
    redraw() {
      tiles.redraw();
      legend();
    },
    layer: tiles.layer,
    seen: padding,
    about: () => shownIn(config, state),
  });
  bindPick({ map, tiles, config, panel, modes });
  bindKeys({ map, panel, table, modes });

  // The view is noted when it moves, not read back: a link that was opened stays as it is, to the last digit.
  const note = () => {
    const { lat, lng } = map.getCenter();
    state.centre = [lat, lng];
    state.zoom = map.getZoom();
  };
  map.on("moveend", () => {
    note();
    keep();
  });
  document.addEventListener("wangge:found", (event) => {
    event.preventDefault();
    show(map, panel, event.detail);
  });
  // After a form in the panel changed something, the tiles of it are old.
  document.addEventListener("wangge:changed", () => {
    config.version = `${config.version}.1`;
    changed(Object.keys(sourcesShown()));
  });
  phone.addEventListener("change", () => tiles.redraw());
  legend();
  const linked = Boolean(state.centre);
  if (!linked) note();
  if (state.selected) panel.open(...state.selected.split("/"), { fit: !linked });
  container.dataset.ready = "true";
}

/** What the map shows, in words: the figure that colours the grids, and of which time the cases are. */
function shownIn(config, state) {
  const figure = config.figures.find((one) => one.code === state.figure)?.label;
  const period = document.querySelector("[data-period]").textContent;
  const cases = state.layers.has("incidents") && !showsNone(state) && word("cases_of", { period });
  return [figure, cases].filter(Boolean).join(word("between"));
}

/** Room for what floats over the map, so that a fitted view is not covered. */
function padding() {
  if (phone.matches) {
    // The sheet covers the foot of the map, unless the table has already pushed the map up.
    const foot = document.querySelector(".map-frame").getBoundingClientRect().bottom;
    const sheet = document.querySelector(".panel:not([hidden])")?.getBoundingClientRect().top ?? foot;
    return { paddingTopLeft: [12, 124], paddingBottomRight: [12, 24 + Math.max(0, foot - sheet)] };
  }
  const card = document.querySelector(".map-card:not(.is-collapsed)");
  return { paddingTopLeft: [card && !tablet.matches ? 272 : 24, 24], paddingBottomRight: [60, 60] };
}

function trouble({ failed, status }) {
  const notice = document.getElementById("map-trouble");
  notice.hidden = failed === 0;
  if (!failed) return;
  if (status === 401) location.reload();
  const text = word(navigator.onLine ? "tiles_failed" : "offline", { count: failed });
  notice.querySelector("span").textContent = text;
  say(text);
}

function show(map, panel, result) {
  if (result.bounds) {
    const [west, south, east, north] = result.bounds;
    map.fitBounds([[south, west], [north, east]], { ...padding(), maxZoom: 19 });
  } else if (result.point) map.setView([result.point[1], result.point[0]], Math.max(map.getZoom(), 18));
  if (KINDS[result.kind]) panel.open(result.kind, result.id);
  else if (result.href && !result.bounds) location.assign(result.href);
}

function bindPick({ map, tiles, config, panel, modes }) {
  const busy = () => modes.some((mode) => mode.active);
  const { states } = config.symbols;
  const container = map.getContainer();
  // From afar the buildings of a tile are one shape without an id: nothing to point at.
  const hits = (latlng) =>
    tiles.at(latlng, reach(states)).filter(({ layer, feature: { props } }) => KINDS[layer] && (props.id || props.count));
  const best = (found) =>
    ["incidents", "buildings", "grids"].map((layer) => found.find((hit) => hit.layer === layer)).find(Boolean);
  const ring = L.marker([0, 0], {
    icon: L.divIcon({ className: "hover-ring", iconSize: [0, 0] }), interactive: false, keyboard: false,
  });

  map.on("click", (event) => {
    if (busy()) return;
    const hit = best(hits(event.latlng));
    if (!hit) return panel.close();
    const { props } = hit.feature;
    if (props.count > 1) map.setView(event.latlng, Math.min(map.getZoom() + 2, 18));
    else if (props.ids) panel.openGroup(props.ids);
    else panel.open(KINDS[hit.layer], props.id);
  });

  let frame = 0;
  map.on("mousemove", (event) => {
    if (frame || busy() || phone.matches) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      const hit = best(hits(event.latlng));
      container.style.cursor = hit ? "pointer" : "";
      if (hit?.layer === "incidents") {
        const size = markSize(hit.feature.props, Math.round(map.getZoom()), states) + 10;
        ring.setLatLng(ground(map, hit)).addTo(map);
        const element = ring.getElement();
        element.style.inlineSize = element.style.blockSize = `${size}px`;
      } else ring.remove();
    });
  });
  map.on("mouseout zoomstart", () => ring.remove());
}

/** Where a point that was hit lies: its pixel in the tile, back on the ground. */
function ground(map, { view, tile, zoom, feature }) {
  const [{ x, y }] = feature.geom[0];
  const size = view.tileCache.tileSize;
  return map.unproject(L.point(tile.x + x / size, tile.y + y / size).multiplyBy(256), zoom);
}

function bindKeys({ map, panel, table, modes }) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (document.querySelector("details.menu[open], dialog[open]")) return;
      const mode = modes.find((one) => one.active);
      if (mode) mode.stop();
      else if (table.open && (table.focused || document.getElementById("panel").hidden)) table.close();
      else panel.close();
      return;
    }
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "]") panel.toggle();
    else if (event.key === "[") document.getElementById("card-toggle")?.click();
    else if (event.key.toLowerCase() === "t") table.toggle();
    else return;
    event.preventDefault();
  });
  document.addEventListener("wangge:filters", () => {
    const card = document.querySelector(".map-card");
    if (card.classList.contains("is-collapsed")) document.getElementById("card-toggle").click();
    card.querySelector("input, select, button:not(#card-toggle)")?.focus();
  });
  map.getContainer().setAttribute("role", "region");
  map.getContainer().setAttribute("aria-label", word("map"));
}
