// How long one has and where one begins is remembered on this device alone; a text narrows the doors that are listed.

const KEPT = "wangge_walk";
const form = document.querySelector(".walk-asked");

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {};
  }
}

if (form) {
  const known = Object.entries(kept()).filter(([name, value]) => form.elements[name] && value);
  const here = new URLSearchParams(location.search);
  if (known.length && ![...here.keys()].some((name) => form.elements[name])) {
    const other = known.filter(([name, value]) => String(form.elements[name].value) !== value);
    const fits = other.every(([name, value]) => form.elements[name].tagName !== "SELECT" || form.querySelector(`option[value="${CSS.escape(value)}"]`));
    if (other.length && fits) location.replace(`${location.pathname}?${new URLSearchParams(known)}`);
  }
  form.addEventListener("submit", ({ submitter }) => {
    const typed = new FormData(form, submitter);
    localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries([...typed].filter(([, value]) => value))));
  });
  for (const choice of form.querySelectorAll("[data-minutes]")) {
    choice.addEventListener("click", () => {
      form.elements.minutes.value = choice.dataset.minutes;
      form.requestSubmit();
    });
  }
}

const search = document.getElementById("walk-search");
search?.addEventListener("input", () => {
  const text = search.value.trim().toLowerCase();
  for (const part of document.querySelectorAll("[data-building]")) {
    let any = false;
    for (const door of part.querySelectorAll("li")) {
      const fits = `${part.dataset.building} ${door.textContent}`.toLowerCase().includes(text);
      door.hidden = !fits;
      any ||= fits;
    }
    part.hidden = !any;
  }
  const left = document.querySelector(".walk-left");
  if (left && text) left.open = true;
  const none = ![...document.querySelectorAll("[data-building]")].some((part) => !part.hidden);
  document.getElementById("walk-none").hidden = !none;
});
