// The report form: photos go ahead one by one, the map says the place, and what is missing is said before sending.

import { debounced, icon, make } from "../dom.js";
import { number, say, word } from "../words.js";

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
let sending = 0;

const room = () => most - box.querySelectorAll(".resident-photo").length;
const tidy = () => (adding.hidden = room() <= 0);

chooser.addEventListener("change", async () => {
  const files = [...chooser.files].slice(0, room());
  // They are sent on their own, so they need not go with the form again.
  chooser.value = "";
  fault("photo", "");
  await Promise.all(files.map(send));
});

async function send(file) {
  if (file.size > Number(box.dataset.mostMb) * 1e6) return fault("photo", word("photo_large"));
  const picture = make("img", { src: URL.createObjectURL(file), alt: "" });
  const off = make("button", { type: "button", class: "photo-off", "aria-label": word("photo_off") }, icon("x"));
  const shown = make("span", { class: "resident-photo is-sending" }, picture, off);
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
  adding.before(shown);
  tidy();
  say(word("photo_sending"));
  sending += 1;
  try {
    const body = new FormData();
    for (const name of ["code", "community"]) body.set(name, form.elements[name].value);
    body.set("photo", file);
    const answer = await fetch("/r/photos", { method: "POST", body, headers: { Accept: "application/json" } });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.detail);
    shown.append(make("input", { type: "hidden", name: "claim", value: told.claim }));
    shown.classList.remove("is-sending");
    if (told.place && !lon.value) offerPlace(told.place);
  } catch (error) {
    shown.remove();
    // Without an answer the network is gone; else the server said why.
    fault("photo", error instanceof TypeError ? word("photo_failed") : error.message);
  } finally {
    sending -= 1;
    tidy();
  }
}

box.addEventListener("click", (event) => {
  const off = event.target.closest(".photo-off");
  if (!off) return;
  off.closest(".resident-photo").remove();
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
let moving = false;
document.addEventListener("wangge:map", ({ detail }) => {
  map = detail.map;
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
  fault("place", "");
  told();
  alike();
}

const told = debounced(async () => {
  const answer = await fetch(`/r/where?${new URLSearchParams({ community, lon: lon.value, lat: lat.value })}`);
  if (!answer.ok) return;
  const { name, grid, outside } = await answer.json();
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

form.querySelector(".resident-locate").addEventListener("click", () => {
  navigator.geolocation?.getCurrentPosition(
    ({ coords }) => choose(coords.longitude, coords.latitude, coords.accuracy),
    () => fault("place", word("no_position")),
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
  const answer = await fetch(`/r/similar?${query}`);
  if (answer.ok) place.innerHTML = await answer.text();
}, 300);

form.addEventListener("change", (event) => {
  if (event.target.name !== "category_code") return;
  fault("category_code", "");
  alike();
});

// Sending

const button = form.querySelector(".resident-foot .btn");
const { textContent: label } = button;
form.addEventListener("submit", (event) => {
  const kind = form.elements.category_code.value;
  const place = lon.value || building.value || form.elements.address.value.trim();
  fault("category_code", kind ? "" : word("choose_kind"));
  fault("place", place ? "" : word("choose_place"));
  if (!kind || !place || sending) {
    event.preventDefault();
    if (sending) say(word("photo_sending"));
    const first = !kind ? form.elements.category_code[0] : place ? null : building;
    first?.focus();
    first?.closest("section, fieldset")?.scrollIntoView({ block: "start" });
    return;
  }
  // The form has been read by now; a second press would only wait for the first.
  setTimeout(() => {
    button.disabled = true;
    button.textContent = word("sending");
  });
});
// Back from the next page, the browser shows the form as it was left.
addEventListener("pageshow", () => {
  button.disabled = false;
  button.textContent = label;
});

tidy();
if (form.elements.category_code.value) alike();
