// The phone page: choose a round, start, walk, check in, note, stop. Everything is on the phone first.

import { make } from "../dom.js";
import { length, number, say, word } from "../words.js";
import { Course, nearest } from "./course.js";
import { bindNote } from "./note.js";
import { bindQueue } from "./queue.js";
import { makeStops } from "./stops.js";
import * as store from "./store.js";
import { stayAwake, watch } from "./walk.js";

const $ = (id) => document.getElementById(id);
const DAY = new Intl.DateTimeFormat(document.documentElement.lang, { month: "short", day: "numeric", weekday: "short" });
/** Nearer than this, or than the position is sure, a building can be checked in at. */
const REACH_M = 50;
/** So many grids are named, of more only how many they are. */
const NAMED = 3;
const RECORDING = "wangge-patrol-walking";
const NOTHING = { account: null, community: null, rounds: [], grids: [], buildings: [], categories: [], order: null };

const minutes = (ms) => word("minutes", { count: number(Math.max(1, Math.round(ms / 60000))) });

/** Show what is known, go on where the last visit of the page stopped, and listen to the buttons. */
export async function run(view) {
  let today = (await store.kept("today")) ?? NOTHING;
  let patrol = null;
  let here = null;
  let course = new Course([]);
  let stops = null;
  let round = null;
  let letGo = () => {};

  $("day").textContent = DAY.format(new Date());
  // Without https there is no position and no storage that lasts: say so, and nothing else.
  if (!isSecureContext) {
    trouble("insecure");
    return;
  }
  const queue = bindQueue(() => today.account);

  async function askToday() {
    try {
      const answer = await fetch("/patrol/today", { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!answer.ok || answer.redirected) return;
      today = await answer.json();
      await store.keep("today", today);
    } catch {
      return; // no connection: what was kept is shown
    }
    // With a connection the whole page is better than the one that was kept.
    if (!patrol && document.body.classList.contains("is-bare")) location.reload();
    if (patrol && patrol.account !== today.account) leave();
    if (patrol) await lookAgain();
    else await resume();
  }

  /** The patrol that is still open, or the choice of a round. */
  async function resume() {
    const open = (await store.patrols()).filter(({ stoppedAt, account }) => !stoppedAt && account === today.account);
    if (open.length) await walk(open.at(-1));
    else idle();
  }

  /** Leave the patrol that is shown: it is over, or somebody else's. */
  function leave() {
    letGo();
    letGo = () => {};
    patrol = null;
    course = new Course([]);
    view.track([]);
  }

  /** What the map and the list are about: the round that is walked or chosen, or all of the own grids. */
  function place() {
    const id = patrol ? patrol.round : Number(document.querySelector("input[name=round]:checked")?.value);
    round = today.rounds.find((one) => one.id === id) ?? null;
    const grid = patrol?.grid ?? round?.grid_id ?? null;
    const grids = today.grids.filter((one) => grid === null || one.id === grid);
    const buildings = today.buildings.filter((one) => grid === null || one.grid_id === grid || round?.stops.includes(one.id));
    const known = new Map(today.buildings.map((one) => [one.id, one]));
    const more = grids.length > NAMED ? word("more_grids", { count: number(grids.length - NAMED) }) : "";
    const named = round ? [round.name, round.grid_name] : [...grids.slice(0, NAMED).map(({ name }) => name), more];
    $("where").textContent = named.filter(Boolean).join(" · ");
    view.show({ grids, buildings, route: round?.route });
    stops = makeStops($("stops"), (round?.stops ?? []).map((one) => known.get(one)).filter(Boolean), view.look);
    show();
  }

  function show() {
    const next = stops.update(course, patrol && here);
    for (const { id } of today.buildings) view.mark(id, patrol && id === next ? "next" : course.state(id));
    if (!patrol) return;
    const all = round?.stops.length ?? 0;
    const done = round?.stops.filter((id) => course.state(id) !== "open").length ?? 0;
    const facts = { length: length(course.walked), time: minutes(Date.now() - patrol.startedAt), done: number(done), all: number(all) };
    $("progress").dataset.fixes = course.fixes;
    $("progress").textContent = word(round ? "so_far" : "so_far_freely", facts);
    document.querySelector(".walk-bar i").style.inlineSize = `${all ? (100 * done) / all : 0}%`;
    const found = atHand();
    $("check-in").disabled = !found;
    $("check-in").querySelector("span").textContent = found
      ? word("check_in_at", { name: found.building.label, length: length(found.distance) })
      : here
        ? word("too_far", { length: length(REACH_M) })
        : word("check_in");
  }

  /** The nearest building, if it is at hand. */
  function atHand() {
    const found = here && nearest(here, today.buildings);
    return found && found.distance <= Math.max(REACH_M, here.accuracy) ? found : null;
  }

  // Idle

  function idle() {
    $("walking").hidden = $("accuracy").hidden = true;
    $("idle").hidden = false;
    // What was walked already stays, below what is still to be done.
    const rounds = [...today.rounds].sort((one, other) => Number(one.done) - Number(other.done));
    const facts = (one) => [
      one.done ? word("round_done") : "", word("round_facts", { count: number(one.stops.length), length: length(one.length_m) }),
    ].filter(Boolean).join(" · ");
    const open = rounds.filter(({ done }) => !done);
    const choices = rounds.map((one) => choice(one.id, one.name, facts(one), one === open[0]));
    choices.push(choice("", word("free_walk"), "", !open.length));
    $("rounds").querySelector(".round-choices").replaceChildren(...choices);
    $("rounds").hidden = today.account === null;
    $("start").disabled = today.community === null;
    // No track without the walker's wish, except while the community orders it.
    const order = today.order ?? null;
    $("keep-track").disabled = order !== null;
    $("keep-track").checked = order !== null;
    $("track-says").textContent = order ? word("track_ordered", order) : word("track_wanted");
    $("progress").textContent = today.rounds.length || today.account === null ? "" : word("no_rounds");
    document.querySelector(".walk-bar i").style.inlineSize = "0";
    place();
  }

  const choice = (value, title, facts, checked) =>
    make("label", {},
      make("input", { type: "radio", name: "round", value, checked }),
      make("span", {}, make("b", {}, title), facts ? make("small", {}, facts) : null));

  document.addEventListener("change", ({ target }) => target.name === "round" && !patrol && place());

  $("start").addEventListener("click", async () => {
    $("start").disabled = true;
    await store.persist();
    const made = await store.begin({
      account: today.account, community: today.community, round: round?.id ?? null,
      grid: round?.grid_id ?? (today.grids.length === 1 ? today.grids[0].id : null), startedAt: Date.now(),
      track: $("keep-track").checked,
    });
    await walk(made);
    queue.send();
  });

  // Walking

  async function walk(open) {
    patrol = open;
    $("idle").hidden = $("rounds").hidden = true;
    $("walking").hidden = false;
    $("track-state").textContent = word(patrol.track ? "track_on" : "track_off");
    await lookAgain();
    // One tab records: two of them would keep every step twice. The other one takes over when this one is closed.
    const { uuid } = patrol;
    const { held } = await navigator.locks.query();
    if (held.some(({ name }) => name === RECORDING)) trouble("other_tab");
    navigator.locks.request(RECORDING, async () => {
      if (patrol?.uuid !== uuid) return;
      trouble("");
      await lookAgain();
      const stopWatching = watch(course.last, found, (code) => trouble(code));
      const sleep = stayAwake();
      await new Promise((over) => (letGo = over));
      stopWatching();
      sleep();
    });
  }

  /** The patrol anew from what the phone keeps of it. */
  async function lookAgain() {
    course = new Course(today.buildings, await store.records(patrol.uuid));
    place();
    view.track(course.parts);
  }

  async function found(fix) {
    here = fix;
    trouble("");
    $("accuracy").hidden = false;
    $("accuracy").textContent = word("accuracy", { length: length(fix.accuracy) });
    view.own(fix);
    if (patrol.track) await keep({ kind: "point", ...fix });
    else course.add({ kind: "point", ...fix });
    show();
    view.track(course.parts);
    queue.recount();
  }

  /** Put a record into the phone's storage, then into what is shown. */
  async function keep(record) {
    const { uuid } = patrol;
    const kept = await store.add(uuid, record);
    if (patrol?.uuid !== uuid) return;
    course.add(kept);
    show();
  }

  function trouble(key) {
    $("trouble").hidden = !key;
    $("trouble").textContent = key ? word(key) : "";
  }

  $("check-in").addEventListener("click", async () => {
    const found = atHand();
    if (!found) return;
    // Without a track a check-in says which building, and not where the phone was.
    await keep({ kind: "check_in", ...(patrol.track ? here : {}), at: Date.now(), building: found.building.id });
    say(word("checked_in_at", { name: found.building.label }));
    queue.send();
  });

  bindNote({
    categories: () => today.categories,
    where: () => ({ here, building: atHand()?.building }),
    async save(note) {
      await keep({ kind: "note", at: Date.now(), ...note });
      queue.send();
    },
  });

  $("stop").addEventListener("click", () => {
    $("stop-facts").textContent = $("progress").textContent;
    $("stop-sheet").showModal();
  });
  $("stop-now").addEventListener("click", async () => {
    $("stop-sheet").close();
    const facts = $("progress").textContent;
    await store.change(patrol.uuid, { stoppedAt: Date.now() });
    if (round && patrol.round === round.id) round.done = true;
    leave();
    idle();
    $("progress").textContent = word("over", { facts });
    say($("progress").textContent);
    queue.send();
  });

  // The time goes on while nobody moves.
  setInterval(() => patrol && show(), 20000);
  await resume();
  await askToday();
  addEventListener("online", askToday);
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/patrol.js", { scope: "/patrol" }).catch(() => {});
}
