// Forms: check on leaving a field, focus the first fault, bars without inline styles, rows that open, bulk actions.

import { say, word } from "./words.js";

/** Widths that the server knows (shares of a bar): inline styles are forbidden by the security policy. */
export function dress(root = document) {
  for (const bar of root.querySelectorAll("[data-share]")) {
    bar.style.inlineSize = `${Math.min(100, Number(bar.dataset.share) * 100)}%`;
  }
}

function check(field) {
  if (!field.willValidate) return;
  const message = field.closest(".field")?.querySelector(".field-error");
  if (!message) return;
  const empty = field.validity.valueMissing;
  const text = field.validity.valid ? "" : empty ? word("fill_this") : (field.dataset.fault ?? field.validationMessage);
  message.textContent = text;
  field.classList.toggle("is-invalid", Boolean(text));
  field.setAttribute("aria-invalid", String(Boolean(text)));
}

const CHECKED = "form.checked .form-control, form.checked .form-select";
document.addEventListener("focusout", (event) => {
  // Not on the way to a button: a message that comes or goes would move it away from under the pointer, and the click
  // would be lost. What is sent is checked anyway.
  if (event.relatedTarget?.closest("button, a")) return;
  if (event.target.matches?.(CHECKED) && event.target.value) check(event.target);
});
document.addEventListener("input", (event) => {
  if (event.target.matches?.(CHECKED) && event.target.classList.contains("is-invalid")) check(event.target);
});

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (!form.matches("form.checked") || event.submitter?.formNoValidate) return;
    const fields = [...form.elements];
    fields.forEach(check);
    const faulty = fields.find((field) => field.willValidate && !field.validity.valid);
    if (faulty) {
      event.preventDefault();
      event.stopPropagation();
      faulty.focus();
    }
  },
  true,
);

document.addEventListener("change", (event) => {
  // A filter takes effect when chosen; text waits for Enter or the button.
  if (event.target.matches("form.filters select, form.filters input[type=date]")) event.target.form.requestSubmit();
  const table = event.target.closest("table.pickable");
  if (table) {
    const boxes = [...table.querySelectorAll("tbody input[name=pick]")];
    if (event.target.name === "pick-all") for (const box of boxes) box.checked = event.target.checked;
    const count = boxes.filter((box) => box.checked).length;
    const bar = document.getElementById("bulk");
    if (bar) {
      bar.hidden = count === 0;
      bar.querySelector("[data-count]").textContent = word("picked", { count });
    }
  }
});

document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard?.writeText(document.querySelector(copy.dataset.copy).textContent.trim());
    copy.querySelector("span").textContent = word("copied");
    return;
  }
  // The whole row leads where its first link leads; links and boxes in it keep their own sense.
  const row = event.target.closest("tr[data-href]");
  if (row && !event.target.closest("a, button, input, label, summary") && !getSelection().toString()) {
    location.assign(row.dataset.href);
  }
});

// Personal values: ask for the purpose once, show the value for a minute, then the mask again.
let purpose = "";
document.addEventListener("click", (event) => {
  const dialog = document.getElementById("purpose");
  const ask = event.target.closest("[data-unmask]");
  if (ask) {
    const form = dialog.querySelector("form");
    form.reset();
    form.elements.field.value = ask.dataset.unmask;
    form.setAttribute("hx-target", `#field-${ask.dataset.unmask}-value`);
    if (purpose) {
      form.elements.purpose.value = purpose;
      form.requestSubmit();
    } else dialog.showModal();
  } else if (event.target.closest("[data-purpose]")) {
    dialog.querySelector("[name=purpose]").value = event.target.closest("[data-purpose]").textContent.trim();
    dialog.querySelector("form").requestSubmit();
  } else if (event.target.closest("[data-cancel]")) event.target.closest("dialog").close();
});
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.requestConfig.elt.closest?.("#purpose")) detail.target.dataset.mask ??= detail.target.textContent;
});
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const shown = detail.target.querySelector?.("[data-unmasked]");
  if (!shown) return;
  const dialog = document.getElementById("purpose");
  purpose = dialog.querySelector("[name=purpose]").value;
  dialog.close();
  say(word("unmasked"));
  setTimeout(() => (detail.target.textContent = detail.target.dataset.mask), Number(shown.dataset.unmasked) * 1000);
});

// A file may be dropped on its box.
for (const box of document.querySelectorAll("[data-drop]")) {
  const input = box.querySelector("input");
  const name = () => {
    if (input.files[0]) box.querySelector("[data-file-name]").textContent = input.files[0].name;
  };
  input.addEventListener("change", name);
  for (const kind of ["dragover", "dragleave", "drop"]) {
    box.addEventListener(kind, (event) => {
      event.preventDefault();
      box.classList.toggle("is-over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) {
        input.files = event.dataTransfer.files;
        name();
      }
    });
  }
}

// Boxes that narrow the next one (building → unit → room) ask for its choices through htmx; see _form.html.
document.addEventListener("htmx:afterSettle", (event) => dress(event.target));
dress();
