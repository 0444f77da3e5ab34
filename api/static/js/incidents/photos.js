// The photos of a form: taken and chosen ones are shown before they are sent, each with a button that leaves it out.

import { icon, make } from "../dom.js";
import { word } from "../words.js";

function showChosen(box) {
  const chosen = box.querySelector("[data-chosen]");
  const choosers = [...box.querySelectorAll("input[type=file]")];

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
}

for (const box of document.querySelectorAll("[data-photos]")) showChosen(box);
