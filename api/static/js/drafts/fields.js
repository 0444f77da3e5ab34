// What stands in a form: read as names and texts, put back, and told apart from what the server wrote into it.

/** What goes with a form and was not typed. */
const AROUND = new Set(["csrf_token", "once", "version", "next", "website", "step", "action"]);
const UNKEPT = new Set(["file", "password", "submit", "button", "image", "reset", "fieldset", "output"]);

const kept = (field) => field.name && !field.disabled && !AROUND.has(field.name) && !UNKEPT.has(field.type);
const ticked = (field) => field.type === "radio" || field.type === "checkbox";

/** { name: [text, …] } of all that can be typed, chosen or set by a script. */
export function read(form) {
  const values = {};
  for (const field of [...form.elements].filter(kept)) {
    values[field.name] ??= [];
    if (!ticked(field)) values[field.name].push(field.value);
    else if (field.checked) values[field.name].push(field.value);
  }
  return values;
}

export const same = (one = [], other = []) => one.length === other.length && one.every((text, index) => text === other[index]);

/** What differs from `before`. */
export function changed(before, now) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return Object.fromEntries(names.filter((name) => !same(before[name], now[name])).map((name) => [name, now[name] ?? []]));
}

function fill(field, texts, index) {
  if (ticked(field)) {
    if (field.checked === texts.includes(field.value)) return false;
    field.checked = !field.checked;
  } else {
    const text = texts[index];
    if (text === undefined || field.value === text) return false;
    field.value = text;
    // A choice that the list does not offer yet: it comes with the box before it.
    if (field.value !== text) return null;
  }
  return true;
}

/** Put texts into their fields; returns what could not be put anywhere, and whether anything is other than before. */
export function restore(form, values) {
  const left = {};
  let touched = false;
  for (const [name, texts] of Object.entries(values)) {
    const fields = [...form.elements].filter((field) => field.name === name && kept(field));
    if (fields.length < texts.length && !fields.some(ticked)) left[name] = texts;
    fields.forEach((field, index) => {
      const filled = fill(field, texts, index);
      if (filled === null) left[name] = texts;
      if (!filled) return;
      touched = true;
      for (let box = field.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
      for (const event of ["input", "change"]) field.dispatchEvent(new Event(event, { bubbles: true }));
    });
  }
  return { left, touched };
}

/** The files that were chosen: [[field, File], …]. */
export const files = (form) =>
  [...form.elements].filter(({ type, name }) => type === "file" && name)
    .flatMap((field) => [...field.files].map((file) => [field.name, file]));

/** Put files back into their fields. */
export function restoreFiles(form, chosen) {
  for (const field of [...form.elements].filter(({ type, name }) => type === "file" && name)) {
    const mine = chosen.filter(([name]) => name === field.name);
    if (!mine.length || field.files.length) continue;
    const transfer = new DataTransfer();
    for (const [, file] of mine) transfer.items.add(file);
    field.files = transfer.files;
  }
}
