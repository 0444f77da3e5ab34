// The words that scripts say, from the page (_words.html, and a page's own): so every text is translated in one place.

const said = [...document.querySelectorAll("#words, script[data-words]")];
const WORDS = Object.assign({}, ...said.map((element) => JSON.parse(element.textContent)));

/** The text for `key`, with {name} replaced by `values`; for a count of one that of `key_one`, where there is such. */
export function word(key, values = {}) {
  const text = (String(values.count) === "1" && WORDS[`${key}_one`]) || (WORDS[key] ?? key);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

const LANGUAGE = document.documentElement.lang || "zh-CN";
const NUMBER = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 1 });

/** A number as people read it: thousands comma, real minus. */
export const number = (value) => NUMBER.format(value).replace("-", "−");

/** A length in metres or kilometres, with the unit. */
export const length = (metres) =>
  metres < 1000
    ? word("metres", { value: number(Math.round(metres)) })
    : word("kilometres", { value: number(Math.round(metres / 10) / 100) });

/** An area in square metres or hectares, with the unit. */
export const area = (squareMetres) =>
  squareMetres < 10000
    ? word("square_metres", { value: number(Math.round(squareMetres)) })
    : word("hectares", { value: number(Math.round(squareMetres / 100) / 100) });

/** Tell screen readers what changed. */
export function say(text) {
  const place = document.getElementById("said");
  if (place && place.textContent !== text) place.textContent = text;
}
