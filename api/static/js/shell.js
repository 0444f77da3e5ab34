// What every page does: keys, messages, forms that keep what was typed, and htmx's manners.

import { make, typing } from "./dom.js";
import { say, word } from "./words.js";
import "./search.js";
import "./forms.js";
import "./drafts/drafts.js";

const GO = { m: "/map", s: "/incidents", z: "/visits", g: "/grids", l: "/households" };
let going = 0;

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    document.getElementById("search")?.focus();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
  const key = event.key.toLowerCase();
  if (key === "g") going = performance.now();
  else if (going && performance.now() - going < 1500 && GO[key]) {
    // Only where the rail leads: a page that is not built yet, or not for this person, has no key.
    document.querySelector(`.rail a[href="${GO[key]}"], .tabbar a[href="${GO[key]}"]`)?.click();
    going = 0;
  } else if (key === "f") document.dispatchEvent(new CustomEvent("wangge:filters"));
  else return;
  event.preventDefault();
});

document.addEventListener("wangge:filters", () => {
  document.querySelector(".filters input, .filters select")?.focus();
});

// A session that ended while a page was open: sign in again and come back to the same place.
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 401) location.assign(`/signin?next=${encodeURIComponent(location.pathname + location.search)}`);
  else notify(event.detail.xhr.getResponseHeader("X-Message") ?? word("no_answer"));
});
document.addEventListener("htmx:sendError", () => notify(word("offline")));
// Fragments with an error status (a form with faults, a record that is gone) are shown where they belong.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status >= 400 && xhr.status !== 401 && xhr.getResponseHeader("X-Fragment")) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

// The language switch comes back to the view as it is now, not as it was when the page was made.
document.addEventListener("submit", (event) => {
  const next = event.target.matches(".topbar-language") && event.target.elements.next;
  if (next && location.search) next.value = location.pathname + location.search;
});

/** A line at the foot of the page; it goes by itself after ten seconds, or when closed. */
export function notify(text) {
  const place = document.getElementById("notices");
  if (!place) return;
  place.textContent = text;
  place.hidden = false;
  say(text);
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => (place.hidden = true), 10000);
}

// Menus are <details>: a click elsewhere and Esc close them, and focus returns to their button.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener(
  "keydown",
  (event) => {
    const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (!menu) return;
    event.stopPropagation();
    menu.open = false;
    menu.querySelector("summary").focus();
  },
  true,
);

// Tabs that do not fit scroll sideways, and only they: the current one is seen from the start.
for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const [row, box] = [tab.parentElement, tab.getBoundingClientRect()];
  row.scrollLeft += box.left + box.width / 2 - (row.getBoundingClientRect().left + row.clientWidth / 2);
}

// The foot of a sheet says when it was printed, not when the page was opened.
addEventListener("beforeprint", () => {
  const now = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
  for (const foot of document.querySelectorAll(".page-foot:not(:has([data-printed]))")) {
    foot.append(make("span", { "data-printed": true }));
  }
  for (const place of document.querySelectorAll("[data-printed]")) place.textContent = now.format(new Date());
});

addEventListener("offline", () => document.documentElement.classList.add("is-offline"));
addEventListener("online", () => document.documentElement.classList.remove("is-offline"));
if (!navigator.onLine) document.documentElement.classList.add("is-offline");
