// What the map shows, as a table beside it: selecting in one selects in the other.
/* global htmx */

import { debounced, make, phone } from "../dom.js";
import { word } from "../words.js";
import { filters, showsNone } from "./state.js";

const KINDS = ["incidents", "buildings", "grids"];

/** `keep` notes the state in the address, `select` opens what a row is about. */
export function bindTable({ map, state, keep, select }) {
  const drawer = document.getElementById("map-table");
  const button = document.getElementById("table-open");
  let asked = "";
  let before = null;

  function address() {
    const view = map.getBounds();
    const values = new URLSearchParams({ of: state.table });
    // What a wrapped map shows beyond ±180° lies nowhere else.
    const clip = (value, most) => Math.max(-most, Math.min(most, value)).toFixed(6);
    values.set("bbox", [
      clip(view.getWest(), 180), clip(view.getSouth(), 90), clip(view.getEast(), 180), clip(view.getNorth(), 90),
    ].join(","));
    if (state.table === "incidents") {
      for (const [name, value] of Object.entries(filters(state))) if (value) values.set(name, value);
      if (showsNone(state)) values.set("state", "none");
    }
    return `/map/table?${values}`;
  }

  async function load() {
    if (!state.table || asked === address()) return;
    const wanted = (asked = address());
    drawer.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(wanted, { headers: { "HX-Request": "true" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      if (wanted !== asked) return; // the map has moved on
      const at = drawer.querySelector(".drawer-scroll")?.scrollTop ?? 0;
      const focused = document.activeElement?.closest("#map-table [data-select]")?.dataset.select;
      drawer.innerHTML = html;
      htmx.process(drawer);
      drawer.querySelector(".drawer-scroll")?.scrollTo(0, at);
      if (focused) row(focused)?.querySelector("a").focus({ preventScroll: true });
      mark(false);
    } catch {
      if (wanted !== asked) return;
      asked = "";
      drawer.replaceChildren(make("p", { class: "drawer-nothing" }, word("no_answer")));
    } finally {
      if (wanted === asked || !asked) drawer.removeAttribute("aria-busy");
    }
  }
  const soon = debounced(load, 250);

  const row = (selected) => drawer.querySelector(`[data-select="${CSS.escape(selected)}"]`);

  /** The row of what is selected on the map. */
  function mark(scroll = true) {
    for (const one of drawer.querySelectorAll("[aria-selected]")) one.removeAttribute("aria-selected");
    const found = state.selected && row(state.selected);
    if (!found) return;
    found.setAttribute("aria-selected", "true");
    if (scroll) found.scrollIntoView({ block: "nearest" });
  }

  function frame(open) {
    drawer.hidden = !open;
    button.setAttribute("aria-pressed", String(open));
    map.invalidateSize({ pan: true, animate: false }); // the middle of the view stays its middle
  }

  const table = {
    get open() {
      return !drawer.hidden;
    },
    get focused() {
      return drawer.contains(document.activeElement);
    },
    async show(kind) {
      before = drawer.hidden ? document.activeElement : before;
      state.table = KINDS.includes(kind) ? kind : KINDS[0];
      frame(true);
      keep();
      await load();
      drawer.querySelector("[aria-selected] a, [data-select] a")?.focus({ preventScroll: true });
    },
    close() {
      state.table = asked = "";
      frame(false);
      keep();
      before?.focus?.({ preventScroll: true });
    },
    toggle() {
      if (table.open) table.close();
      else table.show(state.selected.split("/")[0]);
    },
    /** Something that rows depend on changed: where the map is, what it filters by, or the records themselves. */
    refresh(anew = false) {
      if (anew) asked = "";
      if (table.open) soon();
    },
    mark,
  };

  drawer.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    const kind = event.target.closest("[data-table-kind]");
    const picked = event.target.closest("[data-select]");
    if (event.target.closest("[data-close-table]")) table.close();
    else if (kind) table.show(kind.dataset.tableKind);
    else if (picked) {
      event.preventDefault();
      select(...picked.dataset.select.split("/"));
    }
  });
  drawer.addEventListener("keydown", (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const here = event.target.closest("[data-select]");
    if (!step || !here) return;
    event.preventDefault();
    here[step]?.querySelector("a").focus();
  });
  button.addEventListener("click", () => table.toggle());
  map.on("moveend resize", () => table.refresh());
  phone.addEventListener("change", () => map.invalidateSize({ pan: false }));
  if (state.table) {
    state.table = KINDS.includes(state.table) ? state.table : KINDS[0];
    frame(true);
    load();
  }
  return table;
}
