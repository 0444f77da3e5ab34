// A case is reported: its kind is searched, its photos are shown before they are sent, and what may be the same is told.

import { icon, make } from "../dom.js";
import { word } from "../words.js";
import "./alike.js";

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

// The photos: taken and chosen ones, each with a button that leaves it out again.

const chosen = form.querySelector("[data-chosen]");
const choosers = [...form.querySelectorAll("[data-photos] input[type=file]")];

function show() {
  for (const picture of chosen.querySelectorAll("img")) URL.revokeObjectURL(picture.src);
  chosen.replaceChildren(
    ...choosers.flatMap((chooser) =>
      [...chooser.files].map((file) => {
        const off = make("button", { type: "button", class: "photo-off", "aria-label": word("photo_off") }, icon("x"));
        off.addEventListener("click", () => {
          const left = new DataTransfer();
          for (const other of chooser.files) if (other !== file) left.items.add(other);
          chooser.files = left.files;
          chooser.dispatchEvent(new Event("change", { bubbles: true }));
        });
        return make("li", {}, make("img", { src: URL.createObjectURL(file), alt: file.name }), off);
      }),
    ),
  );
}

for (const chooser of choosers) chooser.addEventListener("change", show);
show();
