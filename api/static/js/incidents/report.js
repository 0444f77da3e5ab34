// A case is reported: its kind is searched, and what may be the same is told.

import "./alike.js";
import "./photos.js";

const form = document.querySelector("form.record");

// The kind: what is typed leaves the tiles that have it in their name or that of their group.

const search = form.querySelector("[data-tile-search]");
const tiles = search ? [...search.closest("fieldset").querySelectorAll(".tiles label")] : [];
const nothing = form.querySelector("[data-tile-none]");

search?.addEventListener("input", () => {
  const term = search.value.trim().toLowerCase();
  for (const tile of tiles) {
    const group = tile.closest("details")?.querySelector("summary").textContent ?? "";
    tile.hidden = !`${tile.textContent} ${group}`.toLowerCase().includes(term);
  }
  for (const group of form.querySelectorAll(".tile-group")) {
    const open = Boolean(group.querySelector("label:not([hidden])"));
    group.hidden = !open;
    group.open = open && (Boolean(term) || Boolean(group.querySelector(":checked")));
  }
  nothing.hidden = tiles.some((tile) => !tile.hidden);
});
search?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  tiles.find((tile) => !tile.hidden)?.querySelector("input").click();
});
