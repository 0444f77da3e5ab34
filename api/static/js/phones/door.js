// Visits at the door, with or without a network: the households that this phone took along, and a form for each.

import { debounced, make } from "../dom.js";
import { number, say, word } from "../words.js";
import { ask, keepSending, Lost, Off, SignedOut } from "./sending.js";
import * as store from "./store.js";

const at = (id) => document.getElementById(id);
const form = at("door-form");
const DAY = new Intl.DateTimeFormat(document.documentElement.lang, { month: "numeric", day: "numeric" });
const TIME = new Intl.DateTimeFormat(document.documentElement.lang, { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit" });

let account; // whose households are shown
let token; // to take along with, while signed in
let parcel = null;
let open = null; // the household in the form
let stale = true; // what is shown was taken along before this page was opened, or before something was sent
let connection = navigator.onLine ? "on" : "off";

// What is there

const today = () => new Date().toLocaleDateString("sv");
const placeOf = (one) => [one.building, one.door].filter(Boolean).join(" ");
const searchable = (one) =>
  [one.building, one.door, one.number, one.head_name, ...one.members.map(({ name }) => name)].join(" ").toLowerCase();

function trouble(text) {
  at("door-trouble").hidden = !text;
  at("door-trouble").textContent = text;
}

async function show() {
  const rows = account === undefined ? [] : await store.queued(account);
  const waiting = rows.filter((row) => !row.refused);
  await showState(waiting.length);
  showRefused(rows.filter((row) => row.refused));
  at("door-save").hidden = !rows.length;
  at("door-list-part").hidden = !parcel || open !== null;
  at("door-foot").hidden = !parcel && !rows.length;
  form.hidden = open === null;
  if (!parcel) return;
  const facts = { count: number(parcel.households.length), time: TIME.format(new Date(parcel.taken_at)) };
  at("door-about").textContent = word("about", { grids: parcel.grids.map(({ name }) => name).join("、"), ...facts });
  if (open === null) showDoors(new Set(rows.map(({ record }) => record.household_id)));
}

async function showState(count) {
  const others = account === undefined ? 0 : await store.ofOthers(account);
  const key = connection === "signed out" ? "signed_out" : connection === "off" ? "door_off" : "door_on";
  const line = at("door-state");
  line.hidden = !count && connection === "on" && !others;
  line.dataset.waiting = count;
  line.querySelector("span").textContent = !count && others ? word("others", { count: number(others) }) : word(key, { count: number(count) });
  line.querySelector("a").hidden = connection !== "signed out";
}

function showRefused(rows) {
  const list = at("door-refused");
  list.hidden = !rows.length;
  list.replaceChildren(...rows.map(({ number: row, refused, record }) => {
    const household = parcel?.households.find(({ id }) => id === record.household_id);
    const drop = make("button", { type: "button", class: "btn btn-small" }, word("drop"));
    drop.addEventListener("click", async () => {
      await store.drop(row);
      await show();
    });
    const mend = household && make("button", { type: "button", class: "btn btn-small" }, word("mend"));
    mend?.addEventListener("click", () => enter(household, record, row));
    const place = household ? placeOf(household) : word("household_gone");
    return make("li", {}, make("span", {}, word("refused", { place, reason: refused })), mend, drop);
  }));
}

function showDoors(recorded) {
  const wanted = at("door-search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const due = at("door-due").checked;
  const rows = parcel.households.filter((one) =>
    wanted.every((part) => searchable(one).includes(part)) && (!due || (one.due_on && one.due_on <= today())));
  at("door-list").replaceChildren(...(rows.length ? [...grouped(rows)].map(([name, homes]) => make("section", {},
    make("h2", {}, name), make("ul", { class: "door-homes" }, ...homes.map((one) => home(one, recorded.has(one.id)))))) : [make("p", {}, word("nothing"))]));
}

/** Households by what their building is called. */
function grouped(rows) {
  const groups = new Map();
  for (const row of rows) {
    const name = row.building ?? word("no_building");
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return groups;
}

function home(one, waits) {
  const late = one.due_on && one.due_on < today();
  const recorded = one.done || waits || (one.met_at && new Date(one.met_at).toLocaleDateString("sv") === today());
  const labels = [
    recorded ? make("span", { class: "label label-plain" }, word("recorded")) : null,
    one.due_on && !recorded
      ? make("span", { class: late ? "overdue" : "" }, word(late ? "overdue" : "due", { day: DAY.format(new Date(one.due_on)) })) : null,
    one.tries ? make("span", {}, word("tries", { count: number(one.tries) })) : null,
    ...one.groups.map((name) => make("span", { class: "label label-care" }, name)),
  ];
  const button = make("button", { type: "button", "data-household": one.id }, make("b", {}, one.door), " ", one.head_name ?? "", " ", ...labels);
  button.addEventListener("click", () => enter(one));
  return make("li", {}, button);
}

// The form

const option = (value, label) => make("option", { value }, label);

/** Open the form of a household; with a record that was refused to mend it. */
function enter(one, record = null, refusedRow = null) {
  open = { household: one, refusedRow };
  form.reset();
  at("door-name").textContent = placeOf(one);
  const met = one.met_at ? word("last_met", { day: DAY.format(new Date(one.met_at)) }) : "";
  at("door-household").textContent = [one.head_name, ...one.groups, met].filter(Boolean).join(" · ");
  at("door-who").replaceChildren(option("", ""), ...one.members.map(({ id, name }) => option(id, name)));
  at("door-kind").replaceChildren(option("", ""), ...parcel.kinds.map(({ code, name }) => option(code, name)));
  at("door-asks").hidden = !parcel.kinds.length;
  at("door-facts").hidden = !parcel.may_edit;
  at("door-fields").replaceChildren(...fields(one));
  form.elements.manner.value = record?.manner ?? one.manner ?? "visit";
  if (record) {
    for (const name of ["said", "answer", "resident_id"]) form.elements[name].value = record[name] ?? "";
    form.elements.card.checked = record.card;
    form.elements.category_code.value = record.request?.category_code ?? "";
    form.elements.description.value = record.request?.description ?? "";
    for (const fact of record.facts) {
      const input = at("door-fields").querySelector(`[data-of="${fact.of} ${fact.of_id} ${fact.field}"]`);
      if (input) input.value = fact.value ?? "";
    }
  }
  form.querySelectorAll("details").forEach((part) => (part.open = Boolean(record?.request || record?.facts.length)));
  trouble("");
  show().then(() => at("door-name").focus());
  scrollTo(0, 0);
}

/** The facts that may be set right: an empty field leaves what is there. */
function fields(one) {
  const field = (of, row, name, label) => {
    const id = `door-${of}-${row.id}-${name}`;
    const said = { id, class: "form-control", "data-of": `${of} ${row.id} ${name}`, "data-seen": row.seen[name] };
    const input = name === "hukou"
      ? make("select", { ...said, class: "form-select" }, option("", ""), ...parcel.hukou.map(({ code, name: text }) => option(code, text)))
      : make("input", { ...said, maxlength: 200, autocomplete: "off", inputmode: name === "phone" ? "tel" : null });
    const now = name === "hukou" ? parcel.hukou.find(({ code }) => code === row.hukou)?.name : row[name];
    const hint = make("span", { class: "optional" }, word("now", { value: now || word("empty") }));
    return make("div", { class: "field" }, make("label", { class: "form-label", for: id }, label, hint), input);
  };
  const own = ["phone", "hukou"].map((name) => field("household", one, name, word(name)));
  const theirs = one.members.flatMap((member) => ["phone", "workplace", "occupation"].map((name) =>
    field("resident", member, name, word("of", { field: word(name), name: member.name }))));
  return [...own, ...theirs];
}

function leave(focused) {
  open = null;
  return show().then(() => at("door-list").querySelector(`[data-household="${focused}"]`)?.focus());
}

function recordOf(outcome) {
  const { elements } = form;
  const met = outcome === "met";
  const text = (name) => (met && elements[name].value.trim()) || null;
  const facts = [...at("door-fields").querySelectorAll("[data-of]")].filter(({ value }) => met && value.trim()).map((input) => {
    const [of, id, field] = input.dataset.of.split(" ");
    return { of, of_id: Number(id), field, value: input.value.trim(), seen: input.dataset.seen };
  });
  return {
    uuid: crypto.randomUUID(),
    household_id: open.household.id,
    outcome,
    manner: elements.manner.value,
    at: new Date().toISOString(),
    resident_id: met && elements.resident_id.value ? Number(elements.resident_id.value) : null,
    said: text("said"),
    card: met && elements.card.checked,
    request: text("category_code") && { category_code: text("category_code"), description: text("description") },
    answer: text("category_code") && text("answer"),
    facts,
  };
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!open || !event.submitter?.value) return;
  const { household, refusedRow } = open;
  const record = recordOf(event.submitter.value);
  open = null;
  await store.add(account, record);
  if (refusedRow) await store.drop(refusedRow);
  household.done = true;
  say(word("recorded_at", { place: placeOf(household) }));
  await leave(household.id);
  send();
});
at("door-back").addEventListener("click", () => leave(open?.household.id));
at("door-search").addEventListener("input", debounced(show, 100));
at("door-due").addEventListener("change", show);
at("door-save").addEventListener("click", async () => {
  const link = make("a", { href: URL.createObjectURL(await store.asFile(account)), download: `${today()}.wangge` });
  link.click();
  URL.revokeObjectURL(link.href);
});

// Taking along

async function take(grid) {
  stale = false;
  trouble("");
  try {
    const taken = await ask("/api/phones/take", { token, body: { uuid: await store.phoneOf(account), grid } });
    await store.keep({ ...taken, chosen: grid });
    ({ parcel } = await store.latest(account));
    at("door-grid").hidden = true;
    await show();
  } catch (error) {
    if (error instanceof Lost) return lost();
    if (error instanceof SignedOut) connection = "signed out";
    else if (error instanceof Off) connection = "off";
    else if (error.status) {
      // Whoever may not take them along any more does not keep them either; what was recorded stays until it is sent.
      await store.forget(account);
      parcel = null;
      await askForGrid(error.message);
    } else throw error;
    await show();
  }
}

/** Whoever has no grid of their own says which one this phone takes along. */
async function askForGrid(why) {
  trouble(why);
  const grids = await ask("/api/grids?limit=1000").catch(() => null);
  if (!grids?.items?.length) return;
  at("door-grid-code").replaceChildren(...grids.items.map((grid) => option(grid.code, grid.name)));
  at("door-grid").hidden = false;
}

at("door-grid").addEventListener("submit", (event) => {
  event.preventDefault();
  take(at("door-grid-code").value);
});
at("door-anew").addEventListener("click", () => take(at("door-grid-code").value || parcel?.chosen));

async function lost() {
  const known = await store.latest(account);
  [parcel, open] = [null, null];
  if (known && !known.lost) {
    await store.lose(account);
    const me = await ask("/api/me").catch(() => null);
    if (me) await ask(`/api/phones/${known.phone}/wiped`, { token: me.csrf_token }).catch(() => {});
  }
  await show();
  trouble(word("lost"));
}

async function told(news) {
  connection = news.connection;
  if (news.connection === "lost") return lost();
  if (news.account !== undefined) {
    token = news.token;
    account = news.account;
    const known = await store.latest(account);
    if (known?.lost) return lost();
    parcel = known?.parcel ?? null;
    // With a network it takes along what holds now, and so forgets what its walker may no longer see.
    const waiting = (await store.queued(account).catch(() => [])).some((row) => !row.refused);
    if (open === null && !waiting && (stale || !parcel)) await take(parcel?.chosen);
  }
  await show();
  if (news.differing) trouble(word("differs", { count: number(news.differing) }));
  return null;
}

let send = () => {};

async function start() {
  if (!store.works) return trouble(word("insecure"));
  const known = await store.latest();
  if (known) [account, parcel] = [known.account, known.parcel ?? null];
  await show();
  if (!navigator.onLine && !parcel) trouble(known?.late ? word("forgotten", { count: number(known.lasts) }) : word("first"));
  document.addEventListener("door:sent", () => {
    stale = true;
    show();
  });
  send = keepSending(told);
  await send();
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/door.js", { scope: "/door" }).catch(() => {});
  return null;
}

start();
