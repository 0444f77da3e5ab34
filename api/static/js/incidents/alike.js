// While a case is reported: open cases of the same kind nearby, asked for when the kind or the place changes.

import { debounced } from "../dom.js";

const form = document.querySelector("form.record");
const place = document.getElementById("alike");

const ask = debounced(async () => {
  const { category_code: kind, lon, lat, building_id: building } = form.elements;
  const query = new URLSearchParams();
  if (lon?.value && lat?.value) {
    query.set("lon", lon.value);
    query.set("lat", lat.value);
  }
  if (building?.value) query.set("building", building.value);
  if (!kind?.value || !query.size) return place.replaceChildren();
  query.set("category", kind.value);
  const answer = await fetch(`/incidents/alike?${query}`, { headers: { "HX-Request": "true" } });
  if (answer.ok) place.innerHTML = await answer.text();
}, 300);

form.addEventListener("change", ask);
