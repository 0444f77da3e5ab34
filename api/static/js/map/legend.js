// The legend: what is shown now, and nothing else.

import { icon, make } from "../dom.js";
import { number, word } from "../words.js";
import { classColours } from "./paint.js";
import { showsNone } from "./state.js";

const entry = (sample, text) => make("li", {}, sample, make("span", {}, text));
const swatch = (kind) => make("i", { class: `sample sample-${kind}`, "aria-hidden": "true" });

function figureLegend(figure, ramp) {
  const colours = classColours(figure.breaks, ramp);
  const texts = figure.breaks.length
    ? [
        word("below", { value: number(figure.breaks[0]) }),
        ...figure.breaks.slice(0, -1).map((low, i) =>
          word("range", { low: number(low), high: number(figure.breaks[i + 1] - 1) })),
        word("at_least", { value: number(figure.breaks.at(-1)) }),
      ]
    : [word("same_everywhere")];
  const classes = colours.map((colour, i) => {
    const sample = make("i", { class: "sample sample-class", "aria-hidden": "true" });
    sample.style.backgroundColor = colour;
    return entry(sample, texts[i]);
  });
  return make("div", { class: "legend-figure" },
    make("b", {}, figure.label),
    make("ul", {}, ...classes));
}

function stateEntry(code) {
  const row = document.querySelector(`.state-row:has(input[value="${code}"])`);
  return entry(row.querySelector("svg").cloneNode(true), row.querySelector("span").textContent);
}

/** Fill the legend for the state of this moment. */
export function showLegend(config, state) {
  const place = document.getElementById("legend");
  const figure = config.figures?.find((one) => one.code === state.figure);
  const items = [];
  if (state.layers.has("grids")) {
    items.push(entry(swatch("community"), word("community_boundary")));
    items.push(entry(swatch(figure ? "grid-thematic" : "grid"), word("grid_boundary")));
  }
  if (state.layers.has("buildings")) {
    items.push(entry(swatch("residential"), word("residential")));
    items.push(entry(swatch("other"), word("other_building")));
  }
  if (state.layers.has("incidents") && !showsNone(state)) {
    // On the screen the states stand in the card beside the map; on paper only here.
    if (state.printing) items.push(...[...state.states].map(stateEntry));
    items.push(entry(swatch("count"), word("several_cases")));
  }
  place.replaceChildren(
    make("button", { type: "button", class: "legend-fold", "aria-expanded": "true", "aria-label": word("legend") },
      icon("list")),
    ...(figure ? [figureLegend(figure, config.symbols.sequential)] : []),
    make("ul", { class: "legend-items" }, ...items),
  );
  place.hidden = !figure && !items.length;
  place.classList.toggle("has-figure", Boolean(figure));
  place.querySelector(".legend-fold").addEventListener("click", (event) => {
    const folded = place.classList.toggle("is-folded");
    event.currentTarget.setAttribute("aria-expanded", String(!folded));
  });
}
