// The list of the round's stops: made once, then changed in place, so that a tap is never lost.

import { icon, make } from "../dom.js";
import { length, number, word } from "../words.js";
import { distanceTo } from "./walk.js";

const CLOCK = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

/** Fill `list` with rows for `stops` (buildings in their order); `chosen(id)` hears a tap. */
export function makeStops(list, stops, chosen) {
  const rows = stops.map(({ id, label, rings }, i) => {
    const sign = make("i", {}, number(i + 1));
    const facts = make("small");
    const button = make("button", { type: "button" }, sign, make("span", {}, make("b", {}, label), facts));
    button.addEventListener("click", () => chosen(id));
    return { id, rings, sign, facts, item: make("li", {}, button) };
  });
  list.replaceChildren(...rows.map(({ item }) => item));

  return {
    /** How the stops stand in `course`, with `here` the last fix or null; returns the next one's id. */
    update(course, here) {
      const next = rows.find(({ id }) => course.state(id) === "open")?.id;
      for (const { id, rings, sign, facts, item } of rows) {
        const state = course.state(id);
        const name = state === "open" ? (id === next ? "is-next" : "") : `is-${state}`;
        if (state !== "open" && item.className !== name) sign.replaceChildren(icon("check"));
        item.className = name;
        facts.textContent = said(state, course.checked.get(id), rings, here);
      }
      return next;
    },
  };
}

function said(state, at, rings, here) {
  if (state === "done") return word("checked_in", { time: CLOCK.format(at) });
  if (state === "passed") return word("passed");
  return here ? word("on_the_way", { length: length(distanceTo([here.lon, here.lat], rings)) }) : "";
}
