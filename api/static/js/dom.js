// Making elements and waiting: the few lines that the other modules share.

const STATIC = document.documentElement.dataset.static ?? "/static";

/** An element with attributes and children; text is never read as HTML. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** An icon of the sprite. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${STATIC}/vendor/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** `run`, once, after `wait` ms without another call. */
export function debounced(run, wait) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), wait);
  };
}

/** Whether somebody is typing, so that letters are not shortcuts. */
export const typing = (event) =>
  event.target instanceof Element &&
  event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;

export const phone = matchMedia("(max-width: 35.99875em)");
export const tablet = matchMedia("(max-width: 61.99875em)");
export const still = matchMedia("(prefers-reduced-motion: reduce)");
