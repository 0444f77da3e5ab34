// A case's page: a response that is often given goes into the note, where it can be changed before it is sent.

import "./photos.js";

document.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-text]");
  if (!chip) return;
  const note = document.getElementById(chip.closest("[data-into]").dataset.into);
  note.value = note.value.trim() ? `${note.value.trim()} ${chip.dataset.text}` : chip.dataset.text;
  note.focus();
});

// What was asked for by the address stands open; a refusal is seen where it was said.
document.querySelector(".other-actions details[open]")?.scrollIntoView({ block: "nearest" });

for (const form of document.querySelectorAll("form.act")) {
  form.addEventListener("submit", () => {
    setTimeout(() => {
      for (const button of form.querySelectorAll("button")) button.disabled = true;
    });
  });
}
