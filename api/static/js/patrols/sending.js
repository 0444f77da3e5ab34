// Sending what the phone keeps: in order, in batches, and each once, for the server knows every record by its number.
//
// What cannot go now stays: no connection, a server that is busy, somebody who has to sign in again. What the server refuses for
// good is put aside with its reason, so that it does not hold up what follows.

import * as store from "./store.js";

const BATCH = 200;
const AGAIN_MS = 15000;
/** Answers after which the same is tried again later. */
const LATER = new Set([408, 425, 429, 500, 502, 503, 504]);

class Later extends Error {}
class SignedOut extends Error {}

async function ask(method, address, { body, form, token } = {}) {
  const headers = { Accept: "application/json" };
  if (token) headers["X-CSRF-Token"] = token;
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address, { method, headers, body: form ?? (body && JSON.stringify(body)), cache: "no-store" });
  } catch {
    throw new Later();
  }
  if (answer.status === 401 || answer.redirected) throw new SignedOut();
  if (LATER.has(answer.status)) throw new Later();
  const found = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return found;
  throw Object.assign(new Error(found?.detail ?? String(answer.status)), { status: answer.status });
}

const instant = (ms) => new Date(ms).toISOString();
const place = ({ at, lon, lat, accuracy }) => ({ at: instant(at), lon, lat, accuracy_m: accuracy });

/** How each kind of record goes out: the request for some that follow each other. */
const OUT = {
  point: (patrol, records) => ["/points", { body: { points: records.map((one) => ({ seq: one.number, ...place(one) })) } }],
  check_in: (patrol, [record]) => ["/check-ins", { body: { uuid: record.uuid, ...place(record), building_id: record.building } }],
  note: (patrol, [record]) => ["/notes", { form: note(record) }],
};

function note(record) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ uuid: record.uuid, ...place(record), building_id: record.building })) {
    if (value != null) form.set(name, value);
  }
  form.set("category_code", record.category);
  form.set("description", record.text);
  if (record.photo) form.set("photo", record.photo, "photo.jpg");
  return form;
}

/** The records at the front that go out together: points until another kind comes, else one. */
function together(records) {
  if (records[0].kind !== "point") return records.slice(0, 1);
  const other = records.findIndex((record) => record.kind !== "point");
  return other < 0 ? records : records.slice(0, other);
}

async function sendRecords(patrol, token) {
  let most = BATCH;
  for (;;) {
    const waiting = await store.outgoing(patrol.uuid, most);
    if (!waiting.length) return;
    const batch = together(waiting);
    const [path, request] = OUT[batch[0].kind](patrol, batch);
    const seqs = batch.map(({ seq }) => seq);
    try {
      await ask("POST", `/api/patrols/${patrol.id}${path}`, { ...request, token });
      await store.sent(patrol.uuid, seqs);
      most = BATCH;
    } catch (error) {
      if (!error.status) throw error;
      // One that is refused must not take the others with it: halves, until it stands alone.
      if (batch.length > 1) most = Math.ceil(batch.length / 2);
      else {
        await store.refused(patrol.uuid, seqs[0], error.message);
        document.dispatchEvent(new CustomEvent("patrol:refused"));
      }
    }
    document.dispatchEvent(new CustomEvent("patrol:sent"));
  }
}

async function tellOf(patrol, round, token) {
  const body = {
    uuid: patrol.uuid, community_id: patrol.community, grid_id: patrol.grid, round_id: round,
    started_at: instant(patrol.startedAt),
  };
  return ask("POST", "/api/patrols", { token, body });
}

async function sendPatrol(patrol, token) {
  if (!patrol.id) {
    const made = await tellOf(patrol, patrol.round, token).catch((error) => {
      // The round may be gone meanwhile; what was walked is not.
      if (error.status && patrol.round) return tellOf(patrol, null, token);
      throw error;
    });
    patrol.id = made.id;
    await store.change(patrol.uuid, { id: made.id });
  }
  await sendRecords(patrol, token);
  const now = (await store.patrols()).find(({ uuid }) => uuid === patrol.uuid);
  if (!now?.stoppedAt || (await store.left(patrol.uuid))) return;
  await ask("POST", `/api/patrols/${patrol.id}/stop`, { token, body: { at: instant(now.stoppedAt) } });
  const refused = (await store.records(patrol.uuid)).some((record) => record.refused);
  if (refused) await store.change(patrol.uuid, { over: true });
  else await store.forget(patrol.uuid);
}

/**
 * Send everything now and whenever there is a chance. `told` hears { connection, waiting, others, reason }: "on", "off",
 * "signed out" or "refused" (the server does not take the patrol, for this reason); how many records of `account()` wait, and how
 * many of others who used the phone. Points wait for the next batch; `send` sends at once, `recount` only tells.
 */
export function keepSending(told, account) {
  let again;
  let last = navigator.onLine ? "on" : "off";
  let why = "";
  let running = null;
  let asked = false;

  async function tell(connection, reason = "") {
    [last, why] = [connection, reason];
    let [waiting, others] = [0, 0];
    for (const patrol of await store.patrols()) {
      // A patrol that the server has not heard of, or not of its end, is one more thing to send.
      const count = (await store.left(patrol.uuid)) + (!patrol.id || (patrol.stoppedAt && !patrol.over) ? 1 : 0);
      if (patrol.account === account()) waiting += count;
      else others += count;
    }
    told({ connection, waiting, others, reason });
  }

  async function round() {
    let connection = "on";
    let reason = "";
    if (!navigator.onLine) {
      await tell("off");
      return;
    }
    try {
      const waiting = (await store.patrols()).filter((patrol) => !patrol.over);
      if (waiting.length) {
        const me = await ask("GET", "/api/me");
        // What somebody walked goes out under their own name only, whoever uses the phone after them.
        for (const patrol of waiting.filter(({ account }) => account === me.account_id)) {
          await sendPatrol(patrol, me.csrf_token).catch((error) => {
            if (!error.status) throw error;
            [connection, reason] = ["refused", error.message];
          });
        }
      }
    } catch (error) {
      if (error instanceof SignedOut) connection = "signed out";
      else if (error instanceof Later) connection = "off";
      else if (error.status) [connection, reason] = ["refused", error.message];
      else throw error;
    }
    await tell(navigator.onLine ? connection : "off", reason);
  }

  /** One at a time in this tab, and one tab at a time. */
  async function send() {
    asked = true;
    running ??= (async () => {
      while (asked) {
        asked = false;
        await navigator.locks.request("wangge-patrol-sending", round);
      }
    })().finally(() => (running = null));
    await running;
    clearTimeout(again);
    again = setTimeout(send, AGAIN_MS);
  }

  addEventListener("online", send);
  addEventListener("offline", () => tell("off"));
  document.addEventListener("patrol:sent", () => tell("on"));
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && send());
  send();
  return { send, recount: () => tell(last, why) };
}
