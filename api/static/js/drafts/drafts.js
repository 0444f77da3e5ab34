// Nobody loses what they typed. Every form with `data-draft` is kept on the device while it is filled in, and after it was
// submitted until the server has acknowledged it: without a network it waits and is sent later, once, for the server knows each
// form by its token. With `data-native` the browser itself asks for the answer, which is a file or comes but once. The value of `data-draft` is the name of the draft, where the address that the form goes to is none of its own.

import { debounced, make } from "../dom.js";
import { word } from "../words.js";
import { show } from "./bar.js";
import * as fields from "./fields.js";
import { post } from "./sending.js";
import { signInAgain } from "./signin.js";
import * as store from "./store.js";

const AGAIN_MS = 15000;
const LEFT = "wangge_left";
const MINUTE = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
const forms = new Map();
/** Tokens that a form of this page is sending itself. */
const busy = new Set();
const visit = tabs();

/** What tells this tab from the next one on the device. */
function tabs() {
  try {
    sessionStorage.wangge_visit ??= token();
    return sessionStorage.wangge_visit;
  } catch {
    return token();
  }
}

function token() {
  return [...crypto.getRandomValues(new Uint8Array(18))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether an address is this page, but for its mark. */
function isHere(address) {
  const to = new URL(address, location.href);
  return to.pathname + to.search === location.pathname + location.search;
}

/** On to what was done; an address that differs from this one by its mark alone would only scroll. */
function goOn(address) {
  const to = new URL(address, location.href);
  if (!isHere(address)) return location.assign(address);
  history.replaceState(history.state, "", to);
  return location.reload();
}

class Draft {
  constructor(form) {
    this.form = form;
    this.name = form.dataset.draft || form.getAttribute("action");
    this.before = fields.read(form);
    this.kept = {};
    this.sealed = [];
    this.isGone = false;
    this.keeping = Promise.resolve();
    this.once = form.elements.once ?? form.appendChild(make("input", { type: "hidden", name: "once" }));
    if (!this.once.value) this.once.value = token();
    this.line = make("p", { class: "draft-line", role: "status", hidden: true });
    form.prepend(this.line);
    this.save = debounced(() => this.keep().catch(() => {}), 250);
    for (const kind of ["input", "change", "wangge:typed"]) form.addEventListener(kind, (event) => this.typed(event));
    this.ready = this.begin();
  }

  get isEdit() {
    return Boolean(this.form.elements.version?.value);
  }

  async begin() {
    const draft = await store.draft(this.name);
    if (draft) {
      this.restore(draft);
      return;
    }
    // Back from the page that it led to: it is the same form, so what is sent again is known. A record that is edited is another
    // form each time, which its version says.
    const before = history.state?.once?.[this.name];
    if (before && !this.isEdit) this.once.value = before;
  }

  restore({ once, at, values, visit: of, files, sealedFiles }) {
    // What was sent before, with something else in it, came back as another form.
    if (!("anew" in this.form.dataset)) this.once.value = once;
    [this.kept, this.sealed] = [values, sealedFiles];
    // What tells who somebody is stays in the tab where it was typed: the next one at this device is perhaps somebody else.
    const open = Object.entries(values).filter(([name]) => of === visit || !this.form.querySelector(`[name="${name}"][data-own]`));
    const { left, touched } = fields.restore(this.form, Object.fromEntries(open));
    fields.restoreFiles(this.form, files);
    this.left = left;
    this.form.dispatchEvent(new CustomEvent("wangge:restored", { bubbles: true, detail: { values, left } }));
    if (!touched && !files.length) return;
    const drop = make("button", { type: "button", class: "as-link" }, word("draft_drop"));
    drop.addEventListener("click", async () => {
      this.isGone = true;
      await store.dropDraft(this.name);
      location.reload();
    });
    this.tell(word("draft_restored", { time: MINUTE.format(at) }), drop);
  }

  /** A box whose choices came now may have the one that was chosen. */
  settle() {
    if (this.left && Object.keys(this.left).length) ({ left: this.left } = fields.restore(this.form, this.left));
  }

  tell(text, ...more) {
    this.line.replaceChildren(text, ...(text ? [" "] : []), ...more);
    this.line.hidden = !text;
  }

  typed({ target, type }) {
    if (target.type === "file" || type === "wangge:typed") this.chosen = true;
    this.save();
  }

  /** One at a time, so that none comes after what dropped it. */
  keep() {
    this.keeping = this.keeping.catch(() => {}).then(() => this.keepNow());
    return this.keeping;
  }

  async keepNow() {
    if (this.isGone) return;
    const now = fields.read(this.form);
    const names = Object.keys({ ...this.kept, ...fields.changed(this.before, now) });
    this.kept = Object.fromEntries(names.map((name) => [name, now[name] ?? this.left?.[name] ?? []]));
    if (this.chosen) this.sealed = await store.sealFiles(fields.files(this.form));
    this.chosen = false;
    if (!names.length && !this.sealed.length) return;
    await store.keepDraft(this.name, { once: this.once.value, visit, values: this.kept }, this.sealed);
  }

  /** What goes out, as the browser would send it. */
  entry(submitter) {
    const data = [...new FormData(this.form)].filter(([name]) => name !== "csrf_token" && name !== "once");
    if (submitter?.name) data.push([submitter.name, submitter.value]);
    return {
      once: this.once.value, name: this.name, page: location.pathname + location.search,
      action: submitter?.getAttribute("formaction") ?? this.form.getAttribute("action"),
      multipart: this.form.enctype === "multipart/form-data",
      fields: data.filter(([, value]) => typeof value === "string"),
      files: data.filter(([, value]) => typeof value !== "string" && value.name),
    };
  }

  async submit(submitter) {
    await this.ready.catch(() => {});
    await this.keep().catch(() => {});
    const entry = this.entry(submitter);
    this.submitter = submitter;
    busy.add(entry.once);
    this.hold(true);
    try {
      const content = { ...entry, files: undefined, visit, values: this.kept };
      // A browser that keeps nothing (full, or private) still sends.
      await Promise.resolve(store.keepWaiting(this.name, content, await store.sealFiles(entry.files))).catch(() => {});
      await this.answered(entry, await post(entry));
    } finally {
      busy.delete(entry.once);
    }
  }

  /** What the answer means for the form that is still on the page. */
  async answered(entry, told) {
    if (told.kind === "done") return this.done(entry, told.address);
    if (told.kind === "signed out") {
      this.tell(word("draft_signed_out"));
      await show(told, again);
      if (await signInAgain()) return this.answered(entry, await post(entry));
      return this.wait(told);
    }
    if (told.kind !== "refused" && told.kind !== "somebody else") return this.wait(told);
    await store.dropWaiting(entry.once);
    this.hold(false);
    if (told.page) return this.natively();
    if (told.before === undefined) return this.tell(told.reason);
    // It was sent before with something else in it: pressed once more, it is another one.
    this.once.value = token();
    await this.keep();
    this.tell(told.reason, make("a", { href: told.before || location.pathname }, word("draft_before")));
    this.line.scrollIntoView({ block: "center" });
  }

  async done(entry, address) {
    this.isGone = true;
    await this.keeping.catch(() => {});
    await store.acknowledge(this.name, entry.once);
    // On the same page the form stands there anew, for the next one.
    const once = { ...history.state?.once, [this.name]: isHere(address) ? undefined : entry.once };
    history.replaceState({ ...history.state, once }, "");
    goOn(address);
  }

  /** The browser sends it; the next page that comes says that it arrived. */
  leave() {
    try {
      sessionStorage[LEFT] = this.name;
    } catch {
      // Nothing is kept here.
    }
    this.keep().catch(() => {});
  }

  /** The server has a page with what is wrong beside each field: let the browser ask for it. */
  natively() {
    if (this.submitter?.name) {
      const { name, value } = this.submitter;
      this.form.append(make("input", { type: "hidden", name, value }));
    }
    const action = this.submitter?.getAttribute("formaction");
    if (action) this.form.setAttribute("action", action);
    HTMLFormElement.prototype.submit.call(this.form);
  }

  /** It waits: the form shows what will be sent, and can be taken back. */
  async wait(told) {
    const back = make("button", { type: "button", class: "as-link" }, word("draft_back"));
    back.addEventListener("click", async () => {
      await store.dropWaiting(this.once.value);
      this.hold(false);
      this.tell("");
      await show(told, again);
    });
    this.tell(told.kind === "off" ? word("draft_off") : [word("draft_later"), told.reason].filter(Boolean).join(" "), back);
    this.form.classList.add("is-waiting");
    document.dispatchEvent(new CustomEvent("wangge:waiting", { detail: this.form }));
    await show(told, again);
    this.line.scrollIntoView({ block: "nearest" });
    later();
  }

  hold(isHeld) {
    for (const part of this.form.children) if (part !== this.line) part.inert = isHeld;
    this.form.setAttribute("aria-busy", String(isHeld));
    if (!isHeld) this.form.classList.remove("is-waiting");
  }
}

function bind(root) {
  for (const form of root.querySelectorAll?.("form[data-draft]") ?? []) if (!forms.has(form)) forms.set(form, new Draft(form));
}

document.addEventListener("submit", (event) => {
  const draft = forms.get(event.target);
  if (!draft || event.defaultPrevented) return;
  if ("native" in draft.form.dataset) return void draft.leave();
  event.preventDefault();
  draft.submit(event.submitter);
});

/** Whoever signs out leaves no households behind (phones/store.js); what was recorded of them stays sealed until it is sent. */
async function forgetHouseholds() {
  if (!(await indexedDB.databases()).some(({ name }) => name === "wangge-door")) return;
  await new Promise((resolve) => {
    const opening = indexedDB.open("wangge-door");
    opening.onerror = resolve;
    opening.onsuccess = () => {
      const clearing = opening.result.transaction(["keys", "parcels"], "readwrite");
      clearing.objectStore("parcels").clear();
      clearing.objectStore("keys").openCursor().onsuccess = ({ target: { result: cursor } }) => {
        if (cursor?.value.lost) cursor.delete();
        cursor?.continue();
      };
      clearing.oncomplete = clearing.onerror = resolve;
    };
  });
}

// Another language is another page: what was typed is there before it is asked for.
document.addEventListener("submit", async (event) => {
  const action = event.target.getAttribute("action");
  if (action !== "/language" && action !== "/signout") return;
  event.preventDefault();
  const { submitter } = event;
  await Promise.all([...forms.values()].map((draft) => (action === "/signout" ? (draft.isGone = true) : draft.keep()))).catch(() => {});
  if (action === "/signout") await Promise.all([store.wipe(), forgetHouseholds()]).catch(() => {});
  if (submitter?.name) event.target.append(make("input", { type: "hidden", name: submitter.name, value: submitter.value }));
  HTMLFormElement.prototype.submit.call(event.target);
});

const keepAll = () => forms.forEach((draft) => draft.keep().catch(() => {}));
addEventListener("pagehide", keepAll);
// Back to a page that the browser had put aside: it may be sent again.
addEventListener("pageshow", ({ persisted }) => persisted && forms.forEach((draft) => ((draft.isGone = false), draft.hold(false))));

// What waits

let timer;
let running = null;

function later() {
  clearTimeout(timer);
  timer = setTimeout(again, AGAIN_MS);
}

async function round() {
  let how = { kind: navigator.onLine ? "later" : "off" };
  for (const entry of await store.waiting()) {
    if (busy.has(entry.once)) continue;
    how = await post(entry);
    const draft = [...forms.values()].find((one) => one.once.value === entry.once && one.form.classList.contains("is-waiting"));
    if (how.kind === "done") {
      if (draft) return draft.done(entry, how.address);
      await store.acknowledge(entry.name, entry.once);
      await store.keepNews(entry.once, { address: how.address });
    } else if (how.kind === "refused") {
      if (draft) return draft.answered(entry, how);
      await store.backToDraft(entry);
      await store.keepNews(entry.once, { reason: how.reason, page: how.before || entry.page });
    } else break;
  }
  await show(how, again);
  if ((await store.waiting()).length) later();
  return null;
}

/** Send what waits: one at a time in this tab, and one tab at a time. */
function again(event) {
  // Pressed in the bar by somebody whose session has ended.
  const first = event?.type === "click" ? signInAgain() : Promise.resolve(true);
  running ??= first
    .then((isIn) => isIn && (navigator.locks ? navigator.locks.request("wangge-drafts-sending", round) : round()))
    .finally(() => (running = null));
  return running;
}

addEventListener("online", () => again());
addEventListener("offline", () => show({ kind: "off" }, again));
document.addEventListener("visibilitychange", () => (document.hidden ? keepAll() : again()));
document.addEventListener("htmx:load", ({ target }) => bind(target));
document.addEventListener("htmx:afterSettle", () => forms.forEach((draft) => draft.settle()));

/** Drop the draft of a form that the browser sent, once a page came after it; Back from an error is none. */
async function arrived() {
  const name = sessionStorage[LEFT];
  delete sessionStorage[LEFT];
  if (name && performance.getEntriesByType("navigation")[0]?.type !== "back_forward") await store.dropDraft(name);
}

arrived().catch(() => {}).finally(() => bind(document));
store.tidy().catch(() => {}).then(() => again());
