// What a phone keeps for the door: the households it took along, and what was recorded of them until the server has it. IndexedDB,
// sealed with a key that cannot leave the browser.
//
// keys     { account, key, phone, takenAt, lasts }: of each account that took households along; `phone` is the name by which the
//          server knows this phone
// parcels  { account, sealed }: what it took along
// queue    { uuid, account, at, sealed, refused }: records in the order they were made; `refused` says why the server does not
//          take one

import { openDB } from "idb";

const NAME = "wangge-door";
const DAY_MS = 24 * 3600 * 1000;

/** Only pages over https (and of this machine) have what sealing needs. */
export const works = Boolean(globalThis.crypto?.subtle && globalThis.indexedDB);

let opening;

const database = () =>
  (opening ??= openDB(NAME, 1, {
    upgrade(db) {
      db.createObjectStore("keys", { keyPath: "account" });
      db.createObjectStore("parcels", { keyPath: "account" });
      db.createObjectStore("queue", { keyPath: "number", autoIncrement: true });
    },
  }));

async function seal(key, content) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode(JSON.stringify(content)));
  return { iv, data: new Uint8Array(data) };
}

async function unseal(key, { iv, data }) {
  return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, data)));
}

/** The name of this phone for an account, which has one before the server knows it. */
export async function phoneOf(account) {
  const known = await (await database()).get("keys", account);
  return known?.phone ?? crypto.randomUUID();
}

/** Keep what the server gave along; the key comes with it and is kept so that nobody can read it out. */
export async function keep({ key: hex, ...parcel }) {
  const bytes = Uint8Array.from(hex.match(/../g), (pair) => Number.parseInt(pair, 16));
  const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
  const sealed = await seal(key, parcel);
  const account = parcel.account_id;
  const transaction = (await database()).transaction(["keys", "parcels"], "readwrite", { durability: "strict" });
  await Promise.all([
    transaction.objectStore("keys").put({ account, key, phone: parcel.uuid, takenAt: Date.now(), lasts: parcel.lasts_days }),
    transaction.objectStore("parcels").put({ account, sealed }),
    transaction.done,
  ]);
  navigator.storage?.persist?.().catch(() => false);
}

/** This phone was reported lost: it forgets everything of an account, and takes nothing along until they sign in again. */
export async function lose(account) {
  await forget(account, true);
  await (await database()).put("keys", { account, lost: true });
}

/** Who took households along last, with the parcel, or what is known without one; null when nobody did. */
export async function latest(account) {
  const db = await database();
  const all = (await db.getAll("keys")).filter((known) => account === undefined || known.account === account);
  const known = all.sort((one, other) => other.takenAt - one.takenAt)[0];
  if (!known || known.lost) return known ?? null;
  const late = Date.now() - known.takenAt > known.lasts * DAY_MS;
  if (late) await db.delete("parcels", known.account);
  const kept = await db.get("parcels", known.account);
  return { ...known, late, parcel: kept ? await unseal(known.key, kept.sealed) : null };
}

/** Put a record at the end of the queue; it is on the disk when this returns. */
export async function add(account, record) {
  const db = await database();
  const { key } = await db.get("keys", account);
  const sealed = await seal(key, record);
  const transaction = db.transaction("queue", "readwrite", { durability: "strict" });
  await Promise.all([transaction.store.add({ uuid: record.uuid, account, at: record.at, sealed }), transaction.done]);
}

/** The records of an account in order: { number, refused, record }. */
export async function queued(account) {
  const db = await database();
  const known = await db.get("keys", account);
  const rows = (await db.getAll("queue")).filter((row) => row.account === account);
  return Promise.all(rows.map(async (row) => ({ ...row, record: await unseal(known.key, row.sealed) })));
}

/** How many records of others wait on this phone. */
export const ofOthers = async (account) =>
  (await (await database()).getAll("queue")).filter((row) => row.account !== account && !row.refused).length;

/** The server has answered: what it took is forgotten here, what it refused stays with the reason. */
export async function answered(answers) {
  const db = await database();
  const transaction = db.transaction("queue", "readwrite", { durability: "strict" });
  const by = new Map(answers.map((answer) => [answer.uuid, answer]));
  for (let cursor = await transaction.store.openCursor(); cursor; cursor = await cursor.continue()) {
    const answer = by.get(cursor.value.uuid);
    if (!answer) continue;
    if (answer.state === "refused") await cursor.update({ ...cursor.value, refused: answer.reason });
    else await cursor.delete();
  }
  await transaction.done;
}

/** Give up one record. */
export const drop = async (number) => (await database()).delete("queue", number);

/** What an account could not send, as a file that only the server can read. */
export async function asFile(account) {
  const known = await (await database()).get("keys", account);
  const records = (await queued(account)).map(({ record }) => record);
  const { iv, data } = await seal(known.key, records);
  const text = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return new Blob([JSON.stringify({ phone: known.phone, iv: text(iv), data: text(data) })], { type: "application/json" });
}

/** Forget the households of an account (or of all), and with `everything` also what was not sent. */
export async function forget(account, everything = false) {
  const db = await database();
  for (const known of await db.getAll("keys")) {
    if (account !== undefined && known.account !== account) continue;
    await db.delete("parcels", known.account);
    const waiting = (await db.getAll("queue")).filter((row) => row.account === known.account);
    if (everything) for (const row of waiting) await db.delete("queue", row.number);
    // Without its key nothing of what waits could be read again.
    if (everything || !waiting.length) await db.delete("keys", known.account);
  }
}
