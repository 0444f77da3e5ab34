// Signing in again over the page, so that what was typed stays where it is.

import { make } from "../dom.js";
import { word } from "../words.js";
import { isStillMe } from "./sending.js";

let asking = null;

/** Ask for name and password; answers whether the one whose page this is has a session again. */
export function signInAgain() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  const name = make("input", { class: "form-control", id: "again-name", autocomplete: "username", required: true, maxlength: 64 });
  const password = make("input", {
    class: "form-control", id: "again-password", type: "password", autocomplete: "current-password", required: true, maxlength: 200,
  });
  const fault = make("p", { class: "field-error", role: "alert" });
  const field = (input, label) =>
    make("div", { class: "field" }, make("label", { class: "form-label", for: input.id }, label), input);
  const later = make("button", { type: "button", class: "btn" }, word("again_later"));
  const form = make("form", { method: "dialog" },
    make("h2", { id: "again-title" }, word("again_title")),
    make("p", {}, word("again_why")),
    field(name, word("again_name")), field(password, word("again_password")), fault,
    make("div", { class: "dialog-buttons" }, make("button", { class: "btn btn-primary" }, word("again_now")), later));
  const dialog = make("dialog", { class: "again", "aria-labelledby": "again-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    let isIn = false;
    later.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(isIn);
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      fault.textContent = await signIn(name.value.trim(), password.value);
      isIn = !fault.textContent;
      if (isIn) dialog.close();
      else password.select();
    });
  });
}

/** What is wrong, or an empty text. */
async function signIn(username, password) {
  try {
    const answer = await fetch("/api/signin", {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json" },
      body: JSON.stringify({ username, password }),
    });
    if (!answer.ok) return (await answer.json()).detail;
    return (await isStillMe()) ? "" : word("again_other");
  } catch {
    return word("no_answer");
  }
}
