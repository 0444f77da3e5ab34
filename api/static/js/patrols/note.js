// What somebody sees on the way: a category, a line, a photo. The photo is made small on the phone, which also leaves out
// what the camera wrote into it.

import { icon, make } from "../dom.js";
import { say, word } from "../words.js";

const WIDEST_PX = 1600;
const QUALITY = 0.82;

/** The photo as JPEG, at most 1600 pixels wide or high. */
async function small(file) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, WIDEST_PX / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

/** Open the sheet by its button; `save` gets { lon, lat, accuracy, category, text, building, photo }. */
export function bindNote({ categories, where, save }) {
  const sheet = document.getElementById("note-sheet");
  const part = (name) => document.getElementById(`note-${name}`);
  let photo = null;
  let place = null;

  document.getElementById("note").addEventListener("click", () => {
    sheet.querySelector("form").reset();
    photo = null;
    place = where();
    part("fault").textContent = "";
    part("preview").hidden = true;
    part("photo-name").textContent = word("photo");
    part("where").textContent = place.building?.label ?? "";
    part("categories").replaceChildren(...categories().map(({ code, name, icon: sign }) =>
      make("label", {}, make("input", { type: "radio", name: "category", value: code }), make("span", {}, icon(sign), name))));
    sheet.showModal();
  });

  part("photo").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    if (!file) return;
    try {
      photo = await small(file);
    } catch {
      part("fault").textContent = word("no_photo");
      return;
    }
    part("fault").textContent = "";
    URL.revokeObjectURL(part("preview").src);
    part("preview").src = URL.createObjectURL(photo);
    part("preview").hidden = false;
    part("photo-name").textContent = word("photo_taken");
  });

  part("save").addEventListener("click", async () => {
    const chosen = sheet.querySelector("input[name=category]:checked");
    if (!chosen || !place.here) {
      part("fault").textContent = word(chosen ? "no_fix" : "choose_category");
      sheet.querySelector("input[name=category]")?.focus();
      return;
    }
    const name = chosen.parentElement.textContent;
    const { lon, lat, accuracy } = place.here;
    const text = part("text").value.trim();
    await save({ lon, lat, accuracy, category: chosen.value, text, building: place.building?.id ?? null, photo });
    sheet.close();
    say(word("noted", { name }));
  });
}
