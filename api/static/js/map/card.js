// The card on the left: layers, the figure that colours the grids, period, states, categories.

import { tablet } from "../dom.js";
import { number, say, word } from "../words.js";
import { STATES, filters, period } from "./state.js";
import { haveLimits } from "./tiles.js";

/** Put the state into the controls of the card, and what is chosen there into the state. */
export function bindCard({ state, config, changed }) {
  const card = document.querySelector(".map-card");
  const form = card.querySelector("form");
  const toggle = document.getElementById("card-toggle");

  function collapse(closed) {
    card.classList.toggle("is-collapsed", closed);
    toggle.setAttribute("aria-expanded", String(!closed));
  }
  toggle.addEventListener("click", () => collapse(!card.classList.contains("is-collapsed")));
  document.getElementById("layers-open")?.addEventListener("click", () => collapse(false));
  collapse(tablet.matches || innerWidth < 1280);

  const boxes = (name) => [...form.querySelectorAll(`input[name="${name}"]`)];
  function put() {
    for (const box of boxes("layer")) box.checked = state.layers.has(box.value);
    for (const box of boxes("state")) box.checked = state.states.has(box.value);
    for (const box of boxes("category")) box.checked = !state.categories.size || state.categories.has(box.value);
    for (const box of boxes("days")) box.checked = box.value === state.days;
    form.elements.figure.value = state.figure;
    form.elements.from.value = state.from;
    form.elements.to.value = state.to;
    card.querySelector(".custom-days").hidden = state.days !== "custom";
    const { from, to } = period(state);
    card.querySelector("[data-period]").textContent = from || to ? word("from_to", { from: day(from), to: day(to) }) : "";
    const all = state.categories.size === 0;
    card.querySelector("[data-categories]").textContent = all
      ? word("all")
      : word("chosen_of", { count: state.categories.size, total: boxes("category").length });
    const every = STATES.every((name) => state.states.has(name) || !form.querySelector(`[value="${name}"]`));
    card.querySelector("[data-all-states]").textContent = word(every ? "none" : "all");
    // The list of the same cases, and their export, with the same filter.
    const query = new URLSearchParams(Object.entries(filters(state)).filter(([, value]) => value));
    for (const link of document.querySelectorAll("[data-filtered]")) {
      link.href = `${link.dataset.filtered}${link.dataset.filtered.includes("?") ? "&" : "?"}${query}`;
    }
  }

  form.addEventListener("change", async (event) => {
    const { name, value, checked } = event.target;
    const toggleIn = (set) => (checked ? set.add(value) : set.delete(value));
    if (name === "layer") toggleIn(state.layers);
    else if (name === "state") toggleIn(state.states);
    else if (name === "category") {
      const ticked = boxes("category").filter((box) => box.checked).map((box) => box.value);
      state.categories = ticked.length === boxes("category").length ? new Set() : new Set(ticked);
      if (!ticked.length) state.categories = new Set(["none"]);
    } else if (name === "days") state.days = value;
    else if (name === "figure") {
      await haveLimits(config, value);
      state.figure = value;
    } else if (name === "from" || name === "to") state[name] = value;
    put();
    changed({ layer: ["basemap", "buildings", "incidents"], figure: ["grids"] }[name] ?? ["incidents"]);
    if (!["layer", "figure"].includes(name)) count();
  });
  card.querySelector("[data-all-states]").addEventListener("click", () => {
    const values = boxes("state").map((box) => box.value);
    const every = values.every((value) => state.states.has(value));
    state.states = new Set(every ? [] : values);
    put();
    changed(["incidents"]);
    count();
  });
  card.querySelector("[data-all-categories]").addEventListener("click", (event) => {
    event.preventDefault();
    state.categories = new Set();
    put();
    changed(["incidents"]);
    count();
  });

  let asking;
  /** How many cases there are of each state, for the period and the categories. */
  async function count() {
    asking?.abort();
    asking = new AbortController();
    const asked = { ...filters(state), state: "" };
    if (state.categories.has("none")) asked.category = "";
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    if (config.community) query.set("community", config.community);
    try {
      const answer = await fetch(`/api/incidents/counts?${query}`, { signal: asking.signal });
      if (!answer.ok) return;
      const { by_state: byState } = await answer.json();
      let shown = 0;
      for (const element of card.querySelectorAll("[data-count-state]")) {
        const value = state.categories.has("none") ? 0 : (byState[element.dataset.countState] ?? 0);
        element.textContent = number(value);
        if (state.states.has(element.dataset.countState)) shown += value;
      }
      card.querySelector("[data-count-layer=incidents]").textContent = number(shown);
      for (const chip of document.querySelectorAll("[data-count-open]")) {
        const open = ["new", "in_progress", "to_verify", "on_hold"].reduce((sum, one) => sum + (byState[one] ?? 0), 0);
        chip.textContent = number(open);
      }
      say(word("cases_shown", { count: number(shown) }));
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }

  document.getElementById("only-open")?.addEventListener("click", (event) => {
    const pressed = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(pressed));
    state.states = new Set(pressed ? ["new", "in_progress", "to_verify", "on_hold"] : STATES);
    put();
    changed(["incidents"]);
    count();
  });
  put();
  count();
}

const DAY = new Intl.DateTimeFormat(document.documentElement.lang, { month: "short", day: "numeric" });
const day = (text) => (text ? DAY.format(new Date(`${text}T00:00`)) : "…");
