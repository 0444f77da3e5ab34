// The route of a round: clicks add corners at the end, dragging moves one, a click on a corner takes it away.
/* global L */

import { length, say, word } from "../words.js";
import { bindPaper } from "../map/paper.js";
import { plainGround } from "../map/placing.js";
import { drawTrack } from "../patrols/track.js";

const METRES_A_DEGREE = 111_320;

/** Called by the script that folium writes. */
export async function start(map, config) {
  const container = map.getContainer();
  const { tiles, state } = await plainGround(map, config);
  state.brief = true;
  tiles.redraw();
  bindPaper(map);
  const field = document.querySelector("input[name=route]");
  const told = document.getElementById("route-length");
  let line = field?.value ? JSON.parse(field.value).coordinates : (config.line?.coordinates ?? []);
  const past = [];
  const drawn = drawTrack(map, config.symbols);
  const corners = L.layerGroup().addTo(map);
  const corner = (first) => L.divIcon({ className: `route-corner${first ? " is-first" : ""}`, iconSize: [24, 24], html: "<i></i>" });

  function metres() {
    let sum = 0;
    for (let i = 1; i < line.length; i += 1) {
      sum += map.distance([line[i - 1][1], line[i - 1][0]], [line[i][1], line[i][0]]);
    }
    return sum;
  }

  function show() {
    drawn.set(line.length ? [line] : []);
    if (field) field.value = line.length > 1 ? JSON.stringify({ type: "LineString", coordinates: line }) : "";
    // How long it is as it was saved stands in the head of the page.
    if (told) told.textContent = line.length > 1 && past.length ? length(metres()) : "";
    corners.clearLayers();
    if (!config.editable) return;
    line.forEach(([lon, lat], i) => {
      const mark = L.marker([lat, lon], { icon: corner(i === 0), draggable: true, title: word("corner") });
      mark.on("dragend", () => {
        const { lng, lat: north } = mark.getLatLng();
        change(line.map((place, k) => (k === i ? [lng, north] : place)));
      });
      mark.on("click", () => change(line.filter((_, k) => k !== i)));
      corners.addLayer(mark);
      mark.getElement().addEventListener("keydown", (event) => byKey(event, i));
    });
    const undo = document.getElementById("route-undo");
    if (undo) undo.disabled = !past.length;
  }

  /** Arrows move a corner by 1 m, with Shift by 5 m; Insert adds one halfway to the next, Delete takes it away. */
  function byKey(event, i) {
    const step = (event.shiftKey ? 5 : 1) / METRES_A_DEGREE;
    const [lon, lat] = line[i];
    const aside = step / Math.cos((lat * Math.PI) / 180);
    const moved = {
      ArrowUp: [lon, lat + step], ArrowDown: [lon, lat - step], ArrowLeft: [lon - aside, lat], ArrowRight: [lon + aside, lat],
    }[event.key];
    let at = i;
    if (moved) change(line.map((place, k) => (k === i ? moved : place)));
    else if (event.key === "Insert") {
      const [east, north] = line[i + 1] ?? [lon + 10 * aside, lat];
      at = i + 1;
      change([...line.slice(0, at), [(lon + east) / 2, (lat + north) / 2], ...line.slice(at)]);
    } else if (["Delete", "Backspace"].includes(event.key)) {
      at = Math.max(0, i - 1);
      change(line.filter((_, k) => k !== i));
    } else return;
    event.preventDefault();
    event.stopPropagation();
    corners.getLayers()[at]?.getElement().focus();
  }

  function change(next) {
    past.push(line);
    line = next.map(([lon, lat]) => [Number(lon.toFixed(6)), Number(lat.toFixed(6))]);
    show();
  }

  if (config.editable) {
    map.on("click", ({ latlng }) => change([...line, [latlng.lng, latlng.lat]]));
    const back = () => {
      if (!past.length) return;
      line = past.pop();
      show();
    };
    document.getElementById("route-undo")?.addEventListener("click", back);
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.target.closest("input, textarea")) {
        event.preventDefault();
        back();
      }
    });
    document.getElementById("route-clear")?.addEventListener("click", () => line.length && change([]));
    const suggest = document.getElementById("route-suggest");
    suggest?.addEventListener("click", async () => {
      suggest.disabled = true;
      try {
        const grid = document.querySelector("select[name=grid_id]")?.value ?? "";
        const answer = await fetch(`${suggest.dataset.address}?grid=${encodeURIComponent(grid)}`, { headers: { Accept: "application/json" } });
        const found = await answer.json().catch(() => null);
        const says = answer.ok ? found.says : (found?.detail ?? word("no_answer"));
        if (answer.ok && found.route) {
          change(found.route.coordinates);
          map.fitBounds(drawn.bounds(), { padding: [24, 24], animate: false });
        }
        say(says);
        if (told) told.textContent = says;
      } finally {
        suggest.disabled = false;
      }
    });
  }
  show();
  if (line.length > 1) map.fitBounds(drawn.bounds(), { padding: [32, 32], animate: false });
  container.dataset.ready = "true";
}
