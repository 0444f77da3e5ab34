// The planner's table: the lines of a plan are dragged (leaflet-geoman), and the figures, checks and moves follow.
/* global L */

import { typing } from "../dom.js";
import { number, say, word } from "../words.js";
import { plainGround } from "../map/placing.js";

const EDIT = "#5B2A86";
const STEPS = ["#2F6CAD", "#86B2D9", "#D3E3F0", "#F1EEE8", "#FADFC2", "#EDA360", "#B9540F"];
/** So long after the last stroke a corner that the keys moved is sent. */
const SETTLES_MS = 400;
const LIMITS = [-0.06, -0.04, -0.02, 0.02, 0.04, 0.06];

/** Called by the script that folium writes. */
export async function start(map, config) {
  const { tiles, state } = await plainGround(map, config, ["buildings", "ground"]);
  state.brief = true;
  tiles.redraw();
  const page = document.getElementById("plan-table");
  const token = document.querySelector("meta[name=csrf-token]").content;
  const part = (id) => document.getElementById(id);
  const areas = L.geoJSON(null, { style: coloured, interactive: false }).addTo(map);
  const hatch = L.geoJSON(null, { style: { color: EDIT, weight: 1, fillOpacity: 1, fillColor: "url(#plan-hatch)" }, interactive: false }).addTo(map);
  const today = L.geoJSON(null, { style: { color: "#18212B", weight: 1.8, dashArray: "6 5", fill: false }, interactive: false }).addTo(map);
  // What is known by a point alone is a dot, not Leaflet's own pin.
  const dot = (_feature, at) => L.circleMarker(at, { radius: 5 });
  const homes = L.geoJSON(null, { style: homeStyle, pointToLayer: dot, onEachFeature: bindHome });
  const edges = L.layerGroup().addTo(map);
  const names = L.layerGroup().addTo(map);
  const mark = L.geoJSON(null, { style: { color: "#B3261E", weight: 3, fillOpacity: 0.1 }, pointToLayer: dot, interactive: false }).addTo(map);
  const chosen = new Set();
  let table = null;
  let mean = 0;
  let mode = "edge";
  let active = null;
  /** Which corner the keys move, and of which edge, so that it is found again once an answer has come. */
  let corner = 0;
  let resume = null;
  let waiting = 0;
  const pointer = L.circleMarker([0, 0], { radius: 9, color: EDIT, weight: 3, fillColor: EDIT, fillOpacity: 1, interactive: false });

  const key = () => Number(part("plan-key").value) || null;
  const picked = () => [...document.querySelectorAll("[name=pick]:checked")].map((box) => Number(box.value));

  function coloured({ properties }) {
    const off = mean ? properties.households / mean - 1 : 0;
    const at = LIMITS.findIndex((limit) => off < limit);
    return { color: "#3B4650", weight: 1.3, fillOpacity: 0.5, fillColor: STEPS[at < 0 ? STEPS.length - 1 : at] };
  }

  function homeStyle({ id }) {
    const on = chosen.has(id);
    return { color: on ? EDIT : "#5F6B7A", weight: on ? 3 : 1, fillColor: on ? EDIT : "#FFFFFF", fillOpacity: 0.5 };
  }

  function bindHome(feature, layer) {
    layer.on("click", (event) => {
      L.DomEvent.stop(event);
      if (chosen.has(feature.id)) chosen.delete(feature.id);
      else chosen.add(feature.id);
      homes.resetStyle(layer);
      say(word("chosen", { count: chosen.size }));
      part("plan-chosen").textContent = word("chosen", { count: chosen.size });
    });
  }

  async function ask(address, body) {
    page.setAttribute("aria-busy", "true");
    const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": token };
    const options = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
    const answer = await fetch(`/api/plans/${config.plan}/${address}`, options).catch(() => null);
    const found = answer ? await answer.json().catch(() => null) : null;
    page.removeAttribute("aria-busy");
    return { ok: answer?.ok ?? false, status: answer?.status ?? 0, found };
  }

  /** Send an edit; what is refused is said, and the lines go back to where they were. */
  async function edit(asked, rebase = false) {
    const body = { ...asked, version: table.plan.version, rebase };
    const { ok, status, found } = await ask("edits", body);
    if (ok) {
      tell("");
      return show(found);
    }
    tell(found?.detail ?? word("no_answer"), status === 409 && found?.facts?.version ? asked : null);
    if (found?.facts?.at) map.panTo([found.facts.at[1], found.facts.at[0]]);
    return show(table);
  }

  /** Let the machine work in the background, show how far it is, and take what comes of it. */
  async function propose() {
    const weights = Object.fromEntries([...document.querySelectorAll("[data-wish]")].map((wish) => [wish.dataset.wish, Number(wish.value) / 10]));
    const asked = { kind: "propose", count: Number(part("plan-count").value) || null, weights, version: table.plan.version };
    const { ok, found } = await ask("proposals", asked);
    if (!ok) return tell(found?.detail ?? word("no_answer"));
    const place = part("plan-working");
    place.hidden = false;
    part("plan-stop").onclick = () => fetch(`/api/jobs/${found.id}/cancel`, { method: "POST", headers: { "X-CSRF-Token": token } });
    for (let job = found; ; job = await (await fetch(`/api/jobs/${found.id}`)).json()) {
      part("plan-progress").value = job.total ? job.done / job.total : 0;
      if (job.state === "queued" || job.state === "running") {
        await new Promise((after) => { setTimeout(after, 500); });
        continue;
      }
      place.hidden = true;
      if (job.state === "done") return load();
      return tell(job.state === "failed" ? job.detail : word("stopped"));
    }
  }

  function tell(text, again = null) {
    const place = part("plan-told");
    place.hidden = !text;
    part("plan-told-text").textContent = text;
    part("plan-rebase").hidden = part("plan-reload").hidden = !again;
    part("plan-rebase").onclick = () => edit(again, true);
    part("plan-reload").onclick = load;
    if (text) say(text);
  }

  function show(found) {
    table = found;
    const grids = table.grids.features;
    mean = grids.reduce((sum, { properties }) => sum + properties.households, 0) / Math.max(grids.length, 1);
    for (const [layer, rows] of [[areas, table.grids], [hatch, table.moved], [today, table.today]]) {
      layer.clearLayers();
      layer.addData(rows);
    }
    showNames(grids);
    showEdges();
    showFigures(grids);
    list("plan-findings", table.findings, (one) => row(one.says, one.weight, () => zoom(one.geometry)), "no_findings");
    list("plan-moves", table.moves, (one) => row(word("move", {
      source: one.source ?? word("outside"), target: one.target ?? word("outside"), buildings: one.buildings.join(word("between")) || "—",
      households: number(one.households), people: number(one.people), cases: number(one.open_cases),
      before: one.leader_before ?? "—", after: one.leader_after ?? "—",
    })), "no_moves");
    const [last] = table.edits;
    list("plan-beyond", last?.beyond ?? [], (one) => row(word(`why_${one.why}`, {
      source: name(one.source), target: name(one.target), area: number(one.area_m2),
    }), "warning", () => zoom(one.geom)), "no_beyond");
    part("plan-proof").textContent = last?.proof ? proof(last.proof) : "";
    part("plan-total").textContent = word("total", {
      buildings: number(table.totals.buildings), households: number(table.totals.households), people: number(table.totals.people),
    });
    const errors = table.findings.filter((one) => one.weight === "error").length;
    part("plan-errors").textContent = errors ? word("errors", { count: errors }) : word("no_errors");
    part("plan-step").textContent = word("step", { count: table.edits.length });
    part("plan-undo").disabled = !table.editable || !table.can_undo;
    part("plan-redo").disabled = !table.editable || !table.can_redo;
    page.dataset.version = table.plan.version;
  }

  const proof = ({ proven, gap, cost, bound }) =>
    proven === false ? (gap == null ? word("unbound", { cost }) : word("near", { gap: number(Math.round(gap * 1000) / 10), cost, bound }))
      : word("proof", { cost, bound });
  const name = (at) => table.grids.features.find(({ properties }) => properties.key === at)?.properties.name ?? word("outside");

  function showNames(grids) {
    names.clearLayers();
    for (const { geometry, properties } of grids) {
      const middle = L.geoJSON(geometry).getBounds().getCenter();
      const text = document.createElement("span");
      const off = mean ? Math.round((properties.households / mean - 1) * 1000) / 10 : 0;
      const title = document.createElement("b");
      title.textContent = properties.locked ? `🔒 ${properties.name}` : properties.name;
      text.append(title, document.createElement("br"), word("households", { value: number(properties.households) }), ` ${off > 0 ? "+" : off < 0 ? "−" : ""}${Math.abs(off)}%`);
      names.addLayer(L.marker(middle, { interactive: false, keyboard: false, icon: L.divIcon({ className: "plan-name", html: text, iconSize: [140, 36] }) }));
    }
  }

  function showEdges() {
    edges.clearLayers();
    pointer.remove();
    active = null;
    for (const feature of table.edges.features) {
      const outer = feature.properties.left < 0;
      const line = L.polyline(feature.geometry.coordinates.map(([lon, lat]) => [lat, lon]), {
        color: outer ? "#084F50" : "#0B6B6B", weight: outer ? 3 : 4, interactive: table.editable && !outer, bubblingMouseEvents: false,
      });
      line.feature = feature;
      line.on("click", () => mode === "edge" && choose(line));
      edges.addLayer(line);
    }
    if (!resume) return;
    const { left, right, at } = resume;
    resume = null;
    const same = inner().filter(({ feature: { properties: one } }) => one.left === left && one.right === right);
    const far = (line) => Math.min(...line.getLatLngs().map((spot) => spot.distanceTo(at)));
    const [near] = same.sort((one, other) => far(one) - far(other));
    if (near) {
      choose(near);
      point(near.getLatLngs().reduce((best, spot, number, all) => (spot.distanceTo(at) < all[best].distanceTo(at) ? number : best), 0));
    }
  }

  const inner = () => edges.getLayers().filter(({ feature }) => feature.properties.left >= 0);

  /** Show which corner the keys move; the ends of an edge stay where they are. */
  function point(number) {
    const spots = active.getLatLngs();
    if (spots.length < 3) return pointer.remove();
    corner = Math.min(Math.max(number, 1), spots.length - 2);
    pointer.setLatLng(spots[corner]).addTo(map);
    if (!map.getBounds().contains(spots[corner])) map.panTo(spots[corner], { animate: false });
    return pointer;
  }

  /** Move the corner by metres; what several strokes come to is sent together. */
  function nudge(east, north) {
    const spots = active.getLatLngs();
    if (spots.length < 3) return;
    const { lat, lng } = spots[corner];
    spots[corner] = L.latLng(lat + north / 111_320, lng + east / (111_320 * Math.cos((lat * Math.PI) / 180)));
    active.setLatLngs(spots);
    pointer.setLatLng(spots[corner]);
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const { left, right } = active.feature.properties;
      resume = { left, right, at: active.getLatLngs()[corner] };
      reshape(active);
    }, SETTLES_MS);
  }

  const reshape = (line) => edit({
    kind: "reshape", edge: line.feature.geometry.coordinates, line: line.getLatLngs().map(({ lng, lat }) => [lng, lat]),
  });

  function byKey(event) {
    if (!table?.editable || mode !== "edge" || typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 5 : 1;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.key.toLowerCase() === "e") {
      const lines = inner();
      const next = lines[(lines.indexOf(active) + 1) % lines.length];
      if (next) {
        choose(next);
        point(Math.floor(next.getLatLngs().length / 2));
      }
    } else if (!active) return;
    else if (event.key === ",") point(corner - 1);
    else if (event.key === ".") point(corner + 1);
    else if (event.key === "Escape") showEdges();
    else if (moves[event.key] && pointer._map) nudge(...moves[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  document.addEventListener("keydown", byKey, true);

  /** An edge is chosen: its corners can be dragged, added in the middle, and taken away by a right click. */
  function choose(line) {
    if (active === line) return;
    active?.pm.disable();
    active?.setStyle({ color: "#0B6B6B", weight: 4 });
    active = line;
    line.setStyle({ color: EDIT, weight: 3.5 });
    line.pm.enable({ allowSelfIntersection: true, snappable: false, preventMarkerRemoval: false });
    const { left, right } = line.feature.properties;
    part("plan-edge").textContent = word("edge_of", { left: name(left), right: name(right) });
    const send = () => reshape(line);
    line.on("pm:markerdragend", send);
    line.on("pm:vertexremoved", send);
  }

  function showFigures(grids) {
    const body = part("plan-figures");
    const kept = new Set(picked());
    const { household_min: least, household_max: most } = table.bounds;
    body.replaceChildren(...grids.map(({ properties: one }) => {
      const line = part("plan-row").content.cloneNode(true).firstElementChild;
      const box = line.querySelector("[name=pick]");
      box.value = one.key;
      box.checked = kept.has(one.key);
      box.setAttribute("aria-label", one.name);
      line.querySelector("[data-name]").textContent = one.name;
      const cells = line.querySelectorAll("td.number");
      cells[0].textContent = number(one.households);
      cells[0].classList.toggle("is-act", one.households < least || one.households > most);
      cells[1].textContent = one.today_households === null ? "—" : change(one.households - one.today_households);
      cells[2].textContent = number(one.people);
      const meter = line.querySelector("meter");
      Object.assign(meter, { min: 0, max: Math.max(most * 1.3, one.households), low: least, high: most, optimum: (least + most) / 2, value: one.households });
      return line;
    }));
    const select = part("plan-key");
    const before = select.value;
    select.replaceChildren(...grids.map(({ properties }) => new Option(properties.name, properties.key)));
    if ([...select.options].some(({ value }) => value === before)) select.value = before;
  }

  const change = (by) => (by > 0 ? `+${number(by)}` : number(by));

  function list(id, rows, made, empty) {
    const nothing = document.createElement("li");
    nothing.textContent = word(empty);
    part(id).replaceChildren(...(rows.length ? rows.map(made) : [nothing]));
  }

  function row(text, weight = "", open = null) {
    const line = document.createElement("li");
    if (weight) line.className = `plan-${weight}`;
    if (!open) line.textContent = text;
    else {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "as-link";
      button.textContent = text;
      button.addEventListener("click", open);
      line.append(button);
    }
    return line;
  }

  function zoom(geometry) {
    mark.clearLayers();
    mark.addData(geometry);
    map.fitBounds(mark.getBounds(), { maxZoom: 19, padding: [60, 60], animate: false });
  }

  async function load() {
    const { ok, found } = await ask("table");
    if (ok) {
      tell("");
      show(found);
    } else tell(found?.detail ?? word("no_answer"));
  }

  async function turn(way) {
    const { ok, found } = await ask(way, { version: table.plan.version });
    if (ok) show(found);
    else tell(found?.detail ?? word("no_answer"), null);
  }

  function enter(next) {
    mode = next;
    map.pm.disableDraw();
    active?.pm.disable();
    if (mode === "buildings") homes.addTo(map);
    else homes.remove();
    if (mode === "split") map.pm.enableDraw("Line", { snappable: false, finishOn: "dblclick" });
    if (mode === "draw") map.pm.enableDraw("Polygon", { snappable: false });
    part("plan-hint").textContent = word(`hint_${mode}`);
  }

  map.on("pm:create", ({ layer }) => {
    const drawn = layer.toGeoJSON().geometry;
    layer.remove();
    if (mode === "split") edit({ kind: "split", key: key(), line: drawn.coordinates });
    else edit({ kind: "draw", key: key(), polygon: drawn, tolerance_m: 2 });
    const edge = page.querySelector("[name=mode][value=edge]");
    edge.checked = true;
    enter("edge");
  });
  for (const choice of page.querySelectorAll("[name=mode]")) choice.addEventListener("change", () => enter(choice.value));
  part("plan-undo").addEventListener("click", () => turn("undo"));
  part("plan-redo").addEventListener("click", () => turn("redo"));
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.closest("input, textarea")) return;
    event.preventDefault();
    const way = event.shiftKey ? "redo" : "undo";
    if (!part(`plan-${way}`).disabled) turn(way);
  });
  const simple = {
    hand_over: () => edit({ kind: "hand_over", key: key(), buildings: [...chosen] }).then(() => { chosen.clear(); homes.setStyle(homeStyle); }),
    contiguous: () => edit({ kind: "contiguous", key: key() }),
    close: () => edit({ kind: "close", key: key() }),
    lock: () => edit({ kind: table.grids.features.find(({ properties }) => properties.key === key())?.properties.locked ? "unlock" : "lock", key: key() }),
    merge: () => edit({ kind: "merge", keys: picked(), into: picked()[0] ?? null }),
    balance: () => edit({ kind: "balance", keys: picked() }),
    simplify: () => edit({ kind: "simplify", tolerance_m: 3 }),
    follow: () => active ? edit({ kind: "follow", edge: active.feature.geometry.coordinates }) : tell(word("choose_edge")),
    straighten: () => active ? edit({ kind: "straighten", edge: active.feature.geometry.coordinates }) : tell(word("choose_edge")),
    propose,
  };
  for (const button of page.querySelectorAll("[data-edit]")) button.addEventListener("click", () => simple[button.dataset.edit]());
  await load();
  enter("edge");
  if (table?.editable) {
    const answer = await fetch(`/api/buildings?community=${encodeURIComponent(config.place)}&f=geojson&limit=1000`);
    if (answer.ok) homes.addData((await answer.json()).features.filter(({ geometry }) => geometry));
  }
  map.getContainer().dataset.ready = "true";
}
