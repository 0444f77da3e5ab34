// The map on A4: the sheet gets the size of the paper, the fills get patterns, then the browser prints.

/* global L */

import { word } from "../words.js";

// A4 landscape at 96 dpi, less margins of 10 mm, title, legend and foot.
const SHEET = { width: 1047, height: 550 };
// What some pages say above their map.
const LINES = 35;

/** `seen()` is the part of the screen's map that nothing floats over, as `fitBounds` takes it; `about()` what it shows. */
export function bindPrint(map, config, state, { redraw, layer, seen = () => ({}), about = () => "" }) {
  const container = map.getContainer();
  const title = document.querySelector("#print-head h1");

  /** What is seen now, without what lies below cards and panels. */
  function viewOf({ paddingTopLeft = [0, 0], paddingBottomRight = [0, 0] }) {
    const { x, y } = map.getSize();
    return L.latLngBounds(
      map.containerPointToLatLng(paddingTopLeft),
      map.containerPointToLatLng([x - paddingBottomRight[0], y - paddingBottomRight[1]]));
  }

  /** The screen's map as it is drawn, scaled onto the sheet: the browser's own menu waits for nothing. */
  function scaled() {
    const { x, y } = map.getSize();
    const scale = Math.min(SHEET.width / x, (SHEET.height - LINES) / y);
    const parts = [container, container.parentElement, container.parentElement.querySelector(":scope > .map-corner")];
    const before = parts.map((part) => part?.style.cssText);
    Object.assign(container.style, { inlineSize: `${x}px`, blockSize: `${y}px`, zoom: scale });
    // Its border of 1 px stands around the map.
    Object.assign(parts[1].style, { inlineSize: `${x * scale + 2}px`, blockSize: `${y * scale + 2}px` });
    // The scale bar stays as long as it says.
    if (parts[2]) parts[2].style.zoom = scale;
    return () => parts.forEach((part, place) => part && (part.style.cssText = before[place]));
  }

  /** The sheet in place of the screen, with all that is seen now; from the browser's own menu (`hurried`), which waits
      for nothing, with what is drawn already. */
  function prepare(hurried) {
    if (state.printing) return;
    const centre = map.getCenter();
    const zoom = map.getZoom();
    state.printing = true;
    title.textContent = [config.title || document.title, about()].filter(Boolean).join(" · ");
    const view = viewOf(seen());
    document.body.classList.toggle("is-scaled", hurried);
    const restore = hurried ? scaled() : () => (container.style.inlineSize = container.style.blockSize = "");
    document.body.classList.add("is-printing");
    if (!hurried) {
      container.style.inlineSize = `${SHEET.width}px`;
      container.style.blockSize = `${SHEET.height}px`;
      map.invalidateSize({ pan: false });
      map.fitBounds(view, { animate: false });
      redraw();
    }
    // Phones come back from print() at once and draw the paper later: the screen is restored when they are done.
    addEventListener("afterprint", () => {
      state.printing = false;
      document.body.classList.remove("is-printing");
      restore();
      map.invalidateSize({ pan: false });
      map.setView(centre, zoom, { animate: false });
      redraw();
    }, { once: true });
  }

  async function print() {
    prepare(false);
    await new Promise((done) => {
      layer.once("load", done);
      // Nothing to load when all tiles are here already.
      setTimeout(done, 2500);
    });
    await new Promise((done) => setTimeout(done, 150));
    window.print();
  }

  document.getElementById("print").addEventListener("click", print);
  addEventListener("beforeprint", () => prepare(true));
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "p") {
      event.preventDefault();
      print();
    }
  });
  document.getElementById("print").title = word("print");
}
