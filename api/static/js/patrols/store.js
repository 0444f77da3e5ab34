// What a phone keeps of a patrol until the server has it: IndexedDB, so that a reload or a closed tab loses nothing.
//
// patrols  { uuid, account, community, grid, round, startedAt, stoppedAt, id, next, points }: `id` once the server knows it, `next`
//          the number of the next record, `points` that of the next point
// records  { patrol, seq, kind, at, …, waiting }: points, check-ins and notes in the order they were made; a point has a `number`, the
//          others a `uuid`, by which the server knows what it has already. `waiting` is 1 until it has it and is then left out,
//          with the photo; `refused` says why it does not take it
// kept     { name, … }: the rounds and the ground of the last time there was a connection

const NAME = "wangge-patrol";

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const settled = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });

let opening;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      const db = request.result;
      db.createObjectStore("patrols", { keyPath: "uuid" });
      const records = db.createObjectStore("records", { keyPath: ["patrol", "seq"] });
      records.createIndex("waiting", ["patrol", "waiting", "seq"]);
      db.createObjectStore("kept", { keyPath: "name" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function within(stores, mode, work) {
  const transaction = (await database()).transaction(stores, mode, { durability: "strict" });
  const finished = settled(transaction);
  finished.catch(() => {}); // what failed is told by `work`, or by the line after it
  const result = await work(...stores.map((name) => transaction.objectStore(name)));
  await finished;
  return result;
}

const all = (uuid) => IDBKeyRange.bound([uuid, 0], [uuid, Infinity]);
const waiting = (uuid) => IDBKeyRange.bound([uuid, 1, 0], [uuid, 1, Infinity]);

/** A patrol that begins now; it has a name of its own before the server has heard of it. */
export async function begin(patrol) {
  const made = { ...patrol, uuid: crypto.randomUUID(), id: null, stoppedAt: null, next: 1, points: 0 };
  await within(["patrols"], "readwrite", (patrols) => done(patrols.add(made)));
  return made;
}

/** Change what is known of a patrol. */
export const change = (uuid, values) =>
  within(["patrols"], "readwrite", async (patrols) => {
    const found = await done(patrols.get(uuid));
    if (found) await done(patrols.put({ ...found, ...values }));
  });

/** Put a record behind those that are there: its number and the record in one transaction. */
export const add = (uuid, record) =>
  within(["patrols", "records"], "readwrite", async (patrols, records) => {
    const patrol = await done(patrols.get(uuid));
    const point = record.kind === "point";
    const name = point ? { number: patrol.points } : { uuid: crypto.randomUUID() };
    const made = { ...record, ...name, patrol: uuid, seq: patrol.next, waiting: 1 };
    await done(records.add(made));
    await done(patrols.put({ ...patrol, next: patrol.next + 1, points: patrol.points + (point ? 1 : 0) }));
    return made;
  });

/** All patrols of the phone, oldest first. */
export const patrols = () =>
  within(["patrols"], "readonly", async (store) =>
    (await done(store.getAll())).sort((one, other) => one.startedAt - other.startedAt));

/** All records of a patrol in order. */
export const records = (uuid) => within(["records"], "readonly", (store) => done(store.getAll(all(uuid))));

/** The first records of a patrol that the server does not have yet, in order. */
export const outgoing = (uuid, most) =>
  within(["records"], "readonly", (store) => done(store.index("waiting").getAll(waiting(uuid), most)));

/** How many records of a patrol the server does not have yet. */
export const left = (uuid) =>
  within(["records"], "readonly", (store) => done(store.index("waiting").count(waiting(uuid))));

/** The server has these: they stay for the track on the screen, without the photo. */
export const sent = (uuid, seqs) =>
  within(["records"], "readwrite", async (store) => {
    for (const seq of seqs) {
      const record = await done(store.get([uuid, seq]));
      if (!record) continue;
      delete record.waiting;
      delete record.photo;
      await done(store.put(record));
    }
  });

/** The server will not take this one: it stays on the phone with the reason, and does not hold up what follows. */
export const refused = (uuid, seq, reason) =>
  within(["records"], "readwrite", async (store) => {
    const record = await done(store.get([uuid, seq]));
    delete record.waiting;
    await done(store.put({ ...record, refused: reason }));
  });

/** What the server did not take, of all patrols. */
export const allRefused = () =>
  within(["records"], "readonly", async (store) => (await done(store.getAll())).filter((record) => record.refused));

/** Give up a record that the server does not take, and its patrol when nothing else is left of it. */
export const drop = (uuid, seq) =>
  within(["patrols", "records"], "readwrite", async (patrolStore, recordStore) => {
    await done(recordStore.delete([uuid, seq]));
    const patrol = await done(patrolStore.get(uuid));
    const refusals = (await done(recordStore.getAll(all(uuid)))).filter((record) => record.refused);
    if (!patrol?.over || refusals.length) return;
    await done(recordStore.delete(all(uuid)));
    await done(patrolStore.delete(uuid));
  });

/** Forget a patrol that is over and sent. */
export const forget = (uuid) =>
  within(["patrols", "records"], "readwrite", async (patrolStore, recordStore) => {
    await done(recordStore.delete(all(uuid)));
    await done(patrolStore.delete(uuid));
  });

/** Keep something for the next time without a connection. */
export const keep = (name, value) => within(["kept"], "readwrite", (store) => done(store.put({ name, value })));

/** What was kept under a name, or undefined. */
export const kept = (name) =>
  within(["kept"], "readonly", async (store) => (await done(store.get(name)))?.value);

/** Ask the browser not to clear this storage when space runs short. */
export const persist = () => navigator.storage?.persist?.().catch(() => false);
