// The map on A4: the sheet gets the size of the paper, the fills get patterns, then the browser prints.

import { word } from "../words.js";

// A4 landscape at 96 dpi, less margins of 10 mm, title and foot.
const SHEET = { width: 1047, height: 610 };

export function bindPrint(map, config, state, { redraw, layer }) {
  const container = map.getContainer();
  const title = document.querySelector("#print-head h1");

  async function print() {
    const centre = map.getCenter();
    const zoom = map.getZoom();
    state.printing = true;
    title.textContent = config.title || document.title;
    document.querySelector("#print-foot [data-printed]").textContent = new Intl.DateTimeFormat(
      document.documentElement.lang, { dateStyle: "long", timeStyle: "short" }).format(new Date());
    document.body.classList.add("is-printing");
    container.style.inlineSize = `${SHEET.width}px`;
    container.style.blockSize = `${SHEET.height}px`;
    map.invalidateSize({ pan: false });
    map.setView(centre, zoom, { animate: false });
    redraw();
    await new Promise((done) => {
      layer.once("load", done);
      // Nothing to load when all tiles are here already.
      setTimeout(done, 2500);
    });
    await new Promise((done) => setTimeout(done, 150));
    try {
      window.print();
    } finally {
      state.printing = false;
      document.body.classList.remove("is-printing");
      container.style.inlineSize = container.style.blockSize = "";
      map.invalidateSize({ pan: false });
      map.setView(centre, zoom, { animate: false });
      redraw();
    }
  }

  document.getElementById("print").addEventListener("click", print);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "p") {
      event.preventDefault();
      print();
    }
  });
  document.getElementById("print").title = word("print");
}
