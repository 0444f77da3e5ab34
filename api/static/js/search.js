// The search box of the top bar: one list of buildings, grids, cases and (with permission) people.

import { debounced, icon, make } from "./dom.js";
import { say, word } from "./words.js";

const ICONS = {
  grids: "layout-grid",
  buildings: "building",
  incidents: "alert-triangle",
  households: "users",
  residents: "user",
  units: "hierarchy-2",
};

/** Of the session as it is now: it may have been opened anew over the page. */
const token = () => document.querySelector("meta[name=csrf-token]")?.content ?? "";
const input = document.getElementById("search");
const list = document.getElementById("search-results");
let found = [];
let active = -1;
let asking;

function close() {
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
  active = -1;
}

function choose(result) {
  close();
  input.blur();
  // The map page listens and shows it in place; every other page goes to the map.
  const event = new CustomEvent("wangge:found", { detail: result, cancelable: true });
  if (document.dispatchEvent(event)) location.assign(result.href ?? `/map?at=${result.kind}/${result.id}`);
}

function mark(index) {
  active = index;
  [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === index)));
  const option = list.children[index];
  if (option) {
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }
}

function show(results, query) {
  found = results;
  list.replaceChildren(
    ...results.map((result, index) => {
      const option = make(
        "li",
        { role: "option", id: `found-${index}`, class: "found", "aria-selected": "false" },
        icon(ICONS[result.kind] ?? "search"),
        make("span", { class: "found-title" }, result.title),
        make("span", { class: "found-where" }, result.subtitle ?? ""),
      );
      option.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        choose(result);
      });
      return option;
    }),
  );
  if (!results.length) list.append(make("li", { class: "found found-none" }, word("found_nothing", { query })));
  list.hidden = false;
  input.setAttribute("aria-expanded", "true");
  say(results.length ? word("found_some", { count: results.length }) : word("found_nothing", { query }));
  active = -1;
}

const ask = debounced(async () => {
  const query = input.value.trim();
  asking?.abort();
  if (!query) return close();
  asking = new AbortController();
  try {
    // What is typed may be somebody's name or number: it goes in the body, so that no address and no log has it.
    const answer = await fetch("/api/search", {
      method: "POST",
      signal: asking.signal,
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": token() },
      body: JSON.stringify({ q: query, community: input.dataset.community || null }),
    });
    if (!answer.ok) throw new Error(String(answer.status));
    show((await answer.json()).results, query);
  } catch (error) {
    if (error.name === "AbortError") return;
    list.replaceChildren(make("li", { class: "found found-none" }, word("no_answer")));
    list.hidden = false;
  }
}, 160);

if (input) {
  input.addEventListener("input", ask);
  input.addEventListener("focus", () => input.value && found.length && show(found, input.value));
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && found.length) mark((active + 1) % found.length);
    else if (event.key === "ArrowUp" && found.length) mark((active - 1 + found.length) % found.length);
    else if (event.key === "Enter" && found.length) choose(found[Math.max(active, 0)]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
}
