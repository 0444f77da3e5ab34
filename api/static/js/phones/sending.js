// Sending what was recorded at the door: in order, in batches, each exactly once, for the server knows every record by its name.
//
// What cannot go now stays: no connection, a server that is busy, somebody who has to sign in again. What the server refuses stays
// with its reason and does not hold up what follows.

import * as store from "./store.js";

const BATCH = 50;
const AGAIN_MS = 15000;
const LATER = new Set([408, 425, 429, 500, 502, 503, 504]);

export class Off extends Error {}
export class SignedOut extends Error {}
export class Lost extends Error {}

/** Ask the server; `token` makes it a POST. */
export async function ask(address, { body, token } = {}) {
  const headers = { Accept: "application/json", ...(token && { "X-CSRF-Token": token, "Content-Type": "application/json" }) };
  let answer;
  try {
    answer = await fetch(address, { method: token ? "POST" : "GET", headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Off();
  }
  if (answer.status === 401 || answer.redirected) throw new SignedOut();
  if (LATER.has(answer.status)) throw new Off();
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return told;
  if (told?.type?.endsWith("phone-lost")) throw new Lost();
  throw Object.assign(new Error(told?.detail ?? String(answer.status)), { status: answer.status });
}

async function sendAll(account, phone, token) {
  let differing = 0;
  const waiting = (await store.queued(account)).filter((row) => !row.refused);
  for (let at = 0; at < waiting.length; at += BATCH) {
    const records = waiting.slice(at, at + BATCH).map(({ record }) => record);
    const answers = await single(phone, token, records);
    await store.answered(answers);
    differing += answers.filter(({ state }) => state === "differs").length;
    document.dispatchEvent(new CustomEvent("door:sent"));
  }
  return differing;
}

/** One that the server cannot even read must not take the others with it: halves, until it stands alone. */
async function single(phone, token, records) {
  try {
    return await ask(`/api/phones/${phone}/records`, { token, body: { records } });
  } catch (error) {
    if (!error.status) throw error;
    if (records.length === 1) return [{ uuid: records[0].uuid, state: "refused", reason: error.message }];
    const half = Math.ceil(records.length / 2);
    return [...await single(phone, token, records.slice(0, half)), ...await single(phone, token, records.slice(half))];
  }
}

/**
 * Send now and whenever there is a chance. `told` hears { connection, account, token, differing }: "on", "off", "signed out" or
 * "lost"; whoever is signed in, as far as that is known.
 */
export function keepSending(told) {
  let again;
  let running = null;

  async function round() {
    if (!navigator.onLine) return told({ connection: "off" });
    try {
      const me = await ask("/api/me");
      const [account, token] = [me.account_id, me.csrf_token];
      const known = await store.latest(account);
      const differing = known && !known.lost ? await sendAll(account, known.phone, token) : 0;
      await told({ connection: "on", account, token, differing });
    } catch (error) {
      if (error instanceof SignedOut) await told({ connection: "signed out" });
      else if (error instanceof Lost) await told({ connection: "lost" });
      else if (error instanceof Off) await told({ connection: "off" });
      else throw error;
    }
  }

  /** One at a time, and one tab at a time. */
  async function send() {
    running ??= navigator.locks.request("wangge-door-sending", round).finally(() => (running = null));
    await running;
    clearTimeout(again);
    again = setTimeout(send, AGAIN_MS);
  }

  addEventListener("online", send);
  addEventListener("offline", () => told({ connection: "off" }));
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && send());
  return send;
}
