// The right panel (a sheet on phones): one thing at a time, fetched as a fragment.
/* global htmx, L */

import { make, phone, tablet } from "../dom.js";
import { say, word } from "../words.js";

const GREY = () =>
  make("div", { class: "skeleton", "aria-hidden": "true" },
    ...["w-50", "w-75", "w-100", "w-100", "w-75", "w-100", "w-50"].map((width) => make("span", { class: width })));

export function bindPanel({ map, padding, opened, closed }) {
  const panel = document.getElementById("panel");
  const body = document.getElementById("panel-body");
  let shown = "";
  let before = null;
  let from = null;
  let swiped = false;
  let stepped = false;

  function frame(open) {
    panel.hidden = !open;
    document.body.classList.toggle("has-panel", open);
    if (!open) panel.classList.remove("is-full");
    map.invalidateSize({ pan: false });
  }

  async function load(address) {
    // Under 300 ms nothing changes; then grey bars in the shape of what will come.
    const timer = setTimeout(() => body.replaceChildren(GREY()), 300);
    if (panel.hidden) {
      before = document.activeElement;
      body.replaceChildren();
    }
    // A sheet covers the map as a page would: the phone's Back takes it away, and not the map.
    if (phone.matches && !stepped) {
      stepped = true;
      history.pushState(null, "");
    }
    frame(true);
    body.setAttribute("aria-busy", "true");
    try {
      await htmx.ajax("GET", address, { target: body, swap: "innerHTML" });
    } finally {
      clearTimeout(timer);
      body.removeAttribute("aria-busy");
    }
  }

  function refit() {
    const place = body.querySelector("[data-bounds], [data-point]");
    if (!place) return;
    const bounds = place.dataset.bounds
      ? (([west, south, east, north]) => L.latLngBounds([[south, west], [north, east]]))(
          place.dataset.bounds.split(",").map(Number))
      : (([lon, lat]) => L.latLng(lat, lon).toBounds(10))(place.dataset.point.split(",").map(Number));
    const view = map.getBounds();
    const covers = tablet.matches && !phone.matches ? { ...padding(), paddingBottomRight: [400, 24] } : padding();
    if (!view.contains(bounds) || tablet.matches) map.fitBounds(bounds, { ...covers, maxZoom: Math.max(map.getZoom(), 17) });
  }

  const panelOf = {
    async open(kind, id, { fit = true } = {}) {
      const selected = `${kind}/${id}`;
      if (selected === shown && !panel.hidden) return;
      shown = selected;
      opened(selected);
      await load(`/${kind}/${id}/panel`);
      if (shown !== selected) return;
      if (fit) refit();
      panel.querySelector("h2")?.focus({ preventScroll: true });
      say(panel.querySelector("h2")?.textContent.trim() ?? "");
    },
    /** Several cases on one spot: a list to choose from. */
    async openGroup(ids) {
      shown = `together/${ids.join("+")}`;
      opened(`incidents/${ids[0]}`);
      await load(`/incidents/panel?${ids.map((id) => `id=${id}`).join("&")}`);
    },
    close() {
      if (panel.hidden) return;
      if (stepped) return history.back();
      frame(false);
      shown = "";
      closed();
      before?.focus?.({ preventScroll: true });
    },
    toggle() {
      if (!panel.hidden) frame(false);
      else if (shown) frame(true);
    },
  };

  addEventListener("popstate", () => {
    stepped = false;
    panelOf.close();
  });

  panel.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) return panelOf.close();
    const fold = event.target.closest("[data-sheet]");
    if (fold && !swiped) {
      const full = panel.classList.toggle("is-full");
      fold.setAttribute("aria-expanded", String(full));
      return;
    }
    const link = event.target.closest("a[data-panel]");
    if (link && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      panelOf.open(...link.dataset.panel.split("/"));
    }
  });

  // On phones the sheet follows the finger on its handle: up is full, down is half, further down closes it.
  const handle = panel.querySelector("[data-sheet]");
  handle.addEventListener("pointerdown", (event) => {
    from = event.clientY;
    swiped = false;
  });
  addEventListener("pointerup", (event) => {
    if (from === null) return;
    const moved = event.clientY - from;
    from = null;
    if (Math.abs(moved) < 24) return;
    swiped = true; // the click that follows is part of it
    if (moved < 0) panel.classList.add("is-full");
    else if (panel.classList.contains("is-full")) panel.classList.remove("is-full");
    else panelOf.close();
  });
  body.addEventListener("htmx:responseError", () => {
    body.replaceChildren(make("p", { class: "in-place" }, word("no_answer")));
  });
  return panelOf;
}
