// What the map shows, in the address bar: the link reopens the same view.

export const LAYERS = ["grids", "buildings", "incidents", "ground"];
export const STATES = ["new", "in_progress", "to_verify", "closed", "on_hold", "declined"];
/** The states that are shown until somebody chooses others. */
export const SHOWN = ["new", "in_progress", "to_verify", "closed"];
export const DAYS = "30";

const list = (text) => new Set(text.split(",").filter(Boolean));
const same = (one, other) => one.size === other.length && other.every((item) => one.has(item));

/** The state that a query string says; what it leaves out is as on first sight. */
export function read(query) {
  const values = new URLSearchParams(query);
  const place = (values.get("c") ?? "").split(",").map(Number);
  const view = place.length === 3 && place.every(Number.isFinite);
  return {
    centre: view ? [place[0], place[1]] : null,
    zoom: view ? place[2] : null,
    layers: values.has("layers") ? list(values.get("layers")) : new Set(LAYERS),
    figure: values.get("figure") ?? "",
    states: values.has("state") ? list(values.get("state")) : new Set(SHOWN),
    categories: list(values.get("category") ?? ""),
    days: values.get("from") || values.get("to") ? "custom" : (values.get("days") ?? DAYS),
    from: values.get("from") ?? "",
    to: values.get("to") ?? "",
    selected: values.get("at") ?? "",
    table: values.get("table") ?? "",
    on: values.get("on") ?? "",
    printing: false,
  };
}

/** The query string for a state, without what is as on first sight. */
export function write(state) {
  const values = new URLSearchParams();
  values.set("c", [...state.centre.map((degrees) => degrees.toFixed(6)), state.zoom].join(","));
  if (!same(state.layers, LAYERS)) values.set("layers", [...state.layers].join(","));
  if (state.figure) values.set("figure", state.figure);
  if (!same(state.states, SHOWN)) values.set("state", [...state.states].join(","));
  if (state.categories.size) values.set("category", [...state.categories].join(","));
  if (state.days === "custom") {
    if (state.from) values.set("from", state.from);
    if (state.to) values.set("to", state.to);
  } else if (state.days !== DAYS) values.set("days", state.days);
  if (state.selected) values.set("at", state.selected);
  if (state.table) values.set("table", state.table);
  if (state.on) values.set("on", state.on);
  // Commas and slashes are legal in a query and make the link readable.
  return `?${values.toString().replaceAll("%2C", ",").replaceAll("%2F", "/")}`;
}

const day = (date) =>
  [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((n) => String(n).padStart(2, "0")).join("-");

/** The first and the last day of the period, both included; empty means open. */
export function period(state, today = new Date()) {
  if (state.days === "all") return { from: "", to: "" };
  if (state.days === "custom") return { from: state.from, to: state.to };
  const first = new Date(today);
  first.setDate(first.getDate() - (Number(state.days) - 1));
  return { from: day(first), to: day(today) };
}

/** No state or no category ticked means none shown; the server would read an empty filter as "all". */
export const showsNone = (state) => !state.states.size || state.categories.has("none");

/** The filters of the incident layer, as the tiles, the counts, the list and the export understand them. */
export function filters(state) {
  return {
    state: state.states.size === STATES.length ? "" : [...state.states].join(","),
    category: [...state.categories].join(","),
    ...period(state),
  };
}
