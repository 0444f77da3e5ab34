// What a browser keeps of forms until the server has them: IndexedDB, sealed with a key that only the account's own pages bring
// along (of visitors one that cannot leave the browser), so that nobody who uses the device next can read it.
//
// kept  { id, account, state, name, page, at, sealed, files, … }: state "draft" is what is being typed into the form `name`,
//       "waiting" what was submitted and has no answer yet (`id` is its token), "done" where it led to
// keys  { name, key }: the key of visitors
//
// Without https a browser has neither sealing nor locks: then all of it lasts as long as the page.

const NAME = "wangge-drafts";
const HOUR_MS = 3600 * 1000;
const LASTS_MS = { draft: 7 * 24 * HOUR_MS, waiting: 7 * 24 * HOUR_MS, done: 24 * HOUR_MS };
const VISITORS_DRAFT_MS = 24 * HOUR_MS;

const me = document.querySelector("meta[name=kept-for]");
export const account = me?.content ?? "";
const lasting = Boolean(globalThis.crypto?.subtle && globalThis.indexedDB);
const memory = new Map();

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

let opening;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("kept", { keyPath: "id" });
      request.result.createObjectStore("keys", { keyPath: "name" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function within(store, mode, work) {
  const transaction = (await database()).transaction(store, mode, { durability: "strict" });
  const over = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
  const result = await done(work(transaction.objectStore(store)));
  transaction.commit?.();
  if (mode === "readwrite") await over;
  return result;
}

const put = (record) =>
  lasting ? within("kept", "readwrite", (store) => store.put(record)) : memory.set(record.id, record);
const remove = (id) => (lasting ? within("kept", "readwrite", (store) => store.delete(id)) : memory.delete(id));
const get = async (id) => (lasting ? within("kept", "readonly", (store) => store.get(id)) : memory.get(id));
const all = async () => (lasting ? within("kept", "readonly", (store) => store.getAll()) : [...memory.values()]);

let keying;

/** The key of this account; visitors share one that the browser makes and never hands out. */
function key() {
  keying ??= (async () => {
    if (me) {
      const bytes = Uint8Array.from(me.dataset.key.match(/../g), (pair) => Number.parseInt(pair, 16));
      return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
    }
    const known = await within("keys", "readonly", (store) => store.get("visitors"));
    if (known) return known.key;
    const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    await within("keys", "readwrite", (store) => store.put({ name: "visitors", key: made }));
    return made;
  })();
  return keying;
}

async function seal(bytes) {
  if (!lasting) return bytes;
  const iv = crypto.getRandomValues(new Uint8Array(12));
  return { iv, data: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await key(), bytes) };
}

const unseal = async (sealed) =>
  lasting ? crypto.subtle.decrypt({ name: "AES-GCM", iv: sealed.iv }, await key(), sealed.data) : sealed;

/** Files, sealed: [{ field, name, type, sealed }]. */
export const sealFiles = (files) =>
  Promise.all(files.map(async ([field, file]) =>
    ({ field, name: file.name, type: file.type, sealed: await seal(await file.arrayBuffer()) })));

async function keep(record, content) {
  await put({ ...record, account, at: Date.now(), sealed: await seal(new TextEncoder().encode(JSON.stringify(content))) });
}

async function open(record) {
  if (!record || record.account !== account) return null;
  try {
    const content = JSON.parse(new TextDecoder().decode(await unseal(record.sealed)));
    const files = await Promise.all(record.files.map(async (one) =>
      [one.field, new File([await unseal(one.sealed)], one.name, { type: one.type })]));
    const { id, at, name, page, files: sealedFiles } = record;
    return { id, at, name, page, sealedFiles, ...content, files };
  } catch {
    await remove(record.id); // sealed with a key that is no more
    return null;
  }
}

const draftId = (name) => `draft ${account} ${name}`;

/** What was typed into the form `name`, or null. */
export const draft = async (name) => open(await get(draftId(name)));

/** Keep what is being typed: { once, visit, values } and the sealed files. */
export const keepDraft = (name, content, files) =>
  keep({ id: draftId(name), state: "draft", name, page: location.pathname + location.search, files }, content);

export const dropDraft = (name) => remove(draftId(name));

/** Keep what was submitted, until there is an answer: { once, action, multipart, fields, values }. */
export const keepWaiting = (name, content, files) =>
  keep({ id: content.once, state: "waiting", name, page: location.pathname + location.search, files }, content);

export const dropWaiting = (once) => remove(once);

/** What was submitted and waits, oldest first. */
export async function waiting() {
  const found = (await all()).filter((one) => one.state === "waiting" && one.account === account);
  const opened = await Promise.all(found.sort((one, other) => one.at - other.at).map(open));
  return opened.filter(Boolean);
}

/** It was not taken: it is a draft again, which its page shows. */
export async function backToDraft(entry) {
  const { once, visit, values } = entry;
  await put({
    id: draftId(entry.name), state: "draft", name: entry.name, page: entry.page, account, at: Date.now(), files: entry.sealedFiles,
    sealed: await seal(new TextEncoder().encode(JSON.stringify({ once, visit, values }))),
  });
  await remove(entry.id);
}

/** The server has it: what was kept of it goes. */
export async function acknowledge(name, once) {
  const open_ = await draft(name);
  if (!open_ || open_.once === once) await dropDraft(name);
  await remove(once);
}

/** Note what happened behind the back of whoever sent it: { address } where it was taken in, or { reason, page }. */
export const keepNews = (once, news) => keep({ id: `news ${once}`, state: "done", files: [] }, news);

export async function news() {
  const found = (await all()).filter((one) => one.state === "done" && one.account === account);
  return (await Promise.all(found.map(open))).filter(Boolean);
}

export const dropNews = (id) => remove(id);

/** What is being typed goes with a sign-out. What was submitted stays, sealed, until its account is back. */
export async function wipe() {
  for (const one of await all()) if (one.account === account && one.state !== "waiting") await remove(one.id);
}

/** Forget what is too old, whoever's it is. */
export async function tidy() {
  for (const one of await all()) {
    const lasts = one.state === "draft" && !one.account ? VISITORS_DRAFT_MS : LASTS_MS[one.state];
    if (one.at < Date.now() - lasts) await remove(one.id);
  }
}
