// Sending a form, and what an answer means. The server knows every form by its token, so the same one may go out again.

import { account } from "./store.js";

const PATIENCE_MS = 60000;
/** Answers after which the same is tried again later. */
const LATER = new Set([408, 425, 429, 500, 502, 503, 504, 507]);

const meta = document.querySelector("meta[name=csrf-token]");

/** Let the whole page speak for the session that was opened meanwhile. */
function renew(token) {
  meta.content = token;
  for (const field of document.querySelectorAll("input[name=csrf_token]")) field.value = token;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRF-Token": token }));
}

/** Whether whoever is signed in now is the one this page was made for: then the page may go on under the new session. */
export async function isStillMe() {
  const answer = await fetch("/api/me", { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) return false;
  const now = await answer.json();
  if (String(now.account_id) !== account) return false;
  renew(now.csrf_token);
  return true;
}

function body({ multipart, fields, files, once }) {
  const made = multipart ? new FormData() : new URLSearchParams();
  for (const [name, text] of fields) made.append(name, text);
  for (const [name, file] of files) made.append(name, file, file.name);
  made.set("once", once);
  if (account) made.set("csrf_token", meta.content);
  return made;
}

/** What a page says is wrong, in one text. */
const faults = (html) =>
  [...new DOMParser().parseFromString(html, "text/html").querySelectorAll("main [role=alert]")]
    .map((one) => one.textContent.trim()).filter(Boolean).join(" ");

/**
 * Send an entry { action, multipart, fields, files, once } once; answers { kind, … }:
 * "done" { address }, "off", "later" { reason }, "signed out", "somebody else",
 * "refused" { reason, page: whether the server has a page that shows it, before: address it led to before }.
 */
export async function post(entry, isRepeated = false) {
  let answer;
  try {
    const headers = { Accept: "application/json", "X-Kept": "1" };
    const signal = AbortSignal.timeout?.(PATIENCE_MS);
    answer = await fetch(entry.action, { method: "POST", body: body(entry), headers, signal, cache: "no-store" });
  } catch {
    return { kind: "off" };
  }
  if (answer.ok) return { kind: "done", address: answer.headers.get("X-Go") ?? (answer.redirected ? answer.url : entry.page) };
  if (answer.status === 401) return { kind: "signed out" };
  if (!answer.headers.get("Content-Type")?.includes("json")) {
    const reason = faults(await answer.text().catch(() => ""));
    return LATER.has(answer.status) ? { kind: "later", reason } : { kind: "refused", reason, page: true };
  }
  const { type = "", detail = "", facts = {} } = await answer.json().catch(() => ({}));
  if (type.endsWith("csrf-failed") && account && !isRepeated) {
    // The page is older than the session: somebody signed in again elsewhere.
    return (await isStillMe().catch(() => false)) ? post(entry, true) : { kind: "somebody else", reason: detail };
  }
  if (LATER.has(answer.status)) return { kind: "later", reason: detail };
  return { kind: "refused", reason: detail, before: type.endsWith("sent-before") ? facts.address : undefined };
}
