// The report form: photos go ahead one by one, the map says the place, and what is missing is said before sending.

import { debounced, icon, make } from "../dom.js";
import "../drafts/drafts.js";
import { number, say, word } from "../words.js";

const PHOTO_MS = 30000;
const form = document.getElementById("report");
const { lon, lat, accuracy_m: accuracy, building_id: building } = form.elements;
const community = form.elements.community.value;
const spotName = document.getElementById("spot-name");
const spotGrid = document.getElementById("spot-grid");

/** What is wrong with a field, in its place. */
function fault(name, text) {
  const place = document.getElementById(`fault-${name}`);
  if (place) place.textContent = text;
}

// Photos

const box = form.querySelector(".resident-photos");
const most = Number(box.dataset.most);
const adding = box.querySelector(".photo-add");
const chooser = adding.querySelector("input");
const offer = form.querySelector(".photo-place");
/** What is shown of a photo that the server does not have yet → the photo; it stays in the field and goes with the form. */
const waiting = new Map();

const room = () => most - box.querySelectorAll(".resident-photo").length;
const tidy = () => (adding.hidden = room() <= 0);

function hold() {
  const transfer = new DataTransfer();
  for (const file of waiting.values()) transfer.items.add(file);
  chooser.files = transfer.files;
  form.dispatchEvent(new CustomEvent("wangge:typed"));
}

chooser.addEventListener("change", async () => {
  const files = [...chooser.files].slice(0, room());
  fault("photo", "");
  await Promise.all(files.map(send));
});

/** A photo goes ahead on its own; without a network it waits in the field, and goes with the form. */
async function send(file) {
  if (file.size > Number(box.dataset.mostMb) * 1e6) {
    hold();
    return fault("photo", word("photo_large"));
  }
  const picture = make("img", { src: URL.createObjectURL(file), alt: "" });
  const off = make("button", { type: "button", class: "photo-off", "aria-label": word("photo_off") }, icon("x"));
  const shown = make("span", { class: "resident-photo is-sending" }, picture, off);
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
  adding.before(shown);
  waiting.set(shown, file);
  hold();
  tidy();
  say(word("photo_sending"));
  try {
    const body = new FormData();
    for (const name of ["code", "community"]) body.set(name, form.elements[name].value);
    body.set("photo", file);
    const signal = AbortSignal.timeout?.(PHOTO_MS);
    const answer = await fetch("/r/photos", { method: "POST", body, signal, headers: { Accept: "application/json" } });
    const told = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(told.detail), { status: answer.status });
    if (!waiting.delete(shown)) return;
    shown.append(make("input", { type: "hidden", name: "claim", value: told.claim }));
    hold();
    if (told.place && !lon.value) offerPlace(told.place);
  } catch (error) {
    // Without an answer the network is gone; else the server said why.
    if (error.status) {
      waiting.delete(shown);
      shown.remove();
      hold();
      fault("photo", error.message);
    } else {
      shown.classList.add("is-waiting");
      fault("photo", word("photo_waits"));
    }
  } finally {
    shown.classList.remove("is-sending");
    tidy();
  }
}

box.addEventListener("click", (event) => {
  const off = event.target.closest(".photo-off");
  if (!off) return;
  const shown = off.closest(".resident-photo");
  waiting.delete(shown);
  shown.remove();
  hold();
  tidy();
  chooser.focus();
});

function offerPlace(place) {
  offer.hidden = false;
  offer.querySelector("button").onclick = () => {
    offer.hidden = true;
    choose(place.lon, place.lat, null);
  };
}

// The place

let map = null;
let config = null;
let moving = false;
document.addEventListener("wangge:map", ({ detail }) => {
  ({ map, config } = detail);
  const typed = Number.parseFloat(lon.value);
  if (Number.isFinite(typed)) map.setView([Number(lat.value), typed], 18, { animate: false });
  map.on("dragstart keydown", () => (moving = true));
  map.on("click", ({ latlng }) => choose(latlng.lng, latlng.lat, null));
  map.on("moveend", () => {
    if (!moving) return;
    moving = false;
    const { lng, lat: north } = map.getCenter();
    note(lng, north, null);
  });
  // Zooming keeps the place: it turns about the pin.
  map.options.touchZoom = "center";
  map.options.doubleClickZoom = "center";
});

function choose(east, north, metres) {
  map?.setView([north, east], Math.max(map.getZoom(), 18), { animate: false });
  note(east, north, metres);
}

function note(east, north, metres) {
  lon.value = east.toFixed(6);
  lat.value = north.toFixed(6);
  accuracy.value = metres == null ? "" : metres.toFixed(1);
  building.value = "";
  located("");
  fault("place", "");
  form.dispatchEvent(new CustomEvent("wangge:typed"));
  told();
  alike();
}

async function whereabouts(east, north) {
  const answer = await fetch(`/r/where?${new URLSearchParams({ community, lon: east, lat: north })}`);
  return answer.ok ? answer.json() : null;
}

const told = debounced(async () => {
  const found = await whereabouts(lon.value, lat.value).catch(() => null);
  if (!found) return;
  const { name, grid, outside } = found;
  spotName.textContent = name;
  const exact = accuracy.value ? word("accuracy", { value: number(Number(accuracy.value)) }) : "";
  spotGrid.textContent = [grid, exact].filter(Boolean).join(" · ");
  spotName.closest(".resident-spot").classList.toggle("is-outside", outside);
}, 200);

building.addEventListener("change", () => {
  const chosen = building.selectedOptions[0];
  lon.value = lat.value = accuracy.value = "";
  fault("place", "");
  if (chosen.dataset.at && map) {
    const [east, north] = chosen.dataset.at.split(",").map(Number);
    map.setView([north, east], 18, { animate: false });
  }
  spotName.textContent = chosen.textContent || word("choose_place");
  spotGrid.textContent = "";
  alike();
});

const locate = form.querySelector(".resident-locate");
const position = form.querySelector(".locate-said");
const home = () => map?.fitBounds(config.bounds, { animate: false });

/** What the device said of its position, beside the button. */
function located(text) {
  position.textContent = text;
  position.hidden = !text;
}

locate.addEventListener("click", () => {
  if (!navigator.geolocation) return located(word("no_position"));
  located(word("locating"));
  return navigator.geolocation.getCurrentPosition(
    async ({ coords }) => {
      const { longitude: east, latitude: north, accuracy: metres } = coords;
      const found = await whereabouts(east, north).catch(() => null);
      if (found?.outside) {
        // Somebody at work reports what is at home: back to the community, and the place is picked.
        home();
        return located(word("position_outside"));
      }
      located("");
      return choose(east, north, metres);
    },
    () => located(word("no_position")),
    { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 },
  );
});

// What was reported already

const alike = debounced(async () => {
  const category = form.elements.category_code.value;
  const query = new URLSearchParams({ community, category });
  if (lon.value) {
    query.set("lon", lon.value);
    query.set("lat", lat.value);
  } else if (building.value) query.set("building", building.value);
  const place = document.getElementById("similar");
  if (!category || query.size === 2) return place.replaceChildren();
  const answer = await fetch(`/r/similar?${query}`).catch(() => null);
  if (answer?.ok) place.innerHTML = await answer.text();
}, 300);

/** What this browser is counted by: a number without any meaning. */
function device() {
  try {
    localStorage.wangge_device ??= crypto.getRandomValues(new Uint32Array(4)).join("-");
    return localStorage.wangge_device;
  } catch {
    return "";
  }
}

document.getElementById("similar").addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-second]");
  if (!button) return;
  button.disabled = true;
  const body = new URLSearchParams({ community, case: button.dataset.second, device: device() });
  const answer = await fetch("/r/second", { method: "POST", body, headers: { Accept: "application/json" } }).catch(() => null);
  const { said, detail } = (await answer?.json().catch(() => null)) ?? { detail: word("no_answer") };
  const line = make("span", { role: "status" }, said ?? detail);
  if (answer?.ok) button.replaceWith(line);
  else {
    button.disabled = false;
    button.after(line);
  }
});

form.addEventListener("change", (event) => {
  if (event.target.name !== "category_code") return;
  fault("category_code", "");
  alike();
});

// Sending

form.addEventListener("submit", (event) => {
  const chosen = form.querySelector("[name=category_code]:checked");
  const somewhere = !chosen || !("nowhere" in chosen.dataset);
  const isMissing = somewhere && !(lon.value || building.value || form.elements.address.value.trim());
  fault("category_code", chosen ? "" : word("choose_kind"));
  fault("place", isMissing ? word("choose_place") : "");
  if (chosen && !isMissing) return;
  event.preventDefault();
  const first = chosen ? building : form.elements.category_code[0];
  first.focus();
  first.closest("section, fieldset").scrollIntoView({ block: "start" });
});

// What was typed before, and is here again: the place on the map, and the photos.
form.addEventListener("wangge:restored", ({ detail: { values, left } }) => {
  if (values.lon?.[0]) {
    [lon.value, lat.value, accuracy.value] = [values.lon[0], values.lat?.[0] ?? "", values.accuracy_m?.[0] ?? ""];
    map?.setView([Number(lat.value), Number(lon.value)], 18, { animate: false });
    told();
  }
  for (const claim of left.claim ?? []) {
    const off = make("button", { type: "button", class: "photo-off", "aria-label": word("photo_off") }, icon("x"));
    adding.before(make("span", { class: "resident-photo is-kept" }, icon("check"), make("input", { type: "hidden", name: "claim", value: claim }), off));
  }
  for (const file of [...chooser.files]) send(file);
  tidy();
  alike();
});

tidy();
if (form.elements.category_code.value) alike();
