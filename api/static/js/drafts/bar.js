// The grey bar: what still waits on the device, what was not taken, and where that led which was sent meanwhile.

import { make } from "../dom.js";
import { number, say, word } from "../words.js";
import * as store from "./store.js";

const bar = make("div", { class: "kept-bar", role: "status", hidden: true });
document.querySelector("main")?.prepend(bar);

function told({ id, address, reason, page }) {
  const link = make("a", { href: address ?? page }, word(address ? "kept_open" : "kept_mend"));
  const off = make("button", { type: "button", class: "as-link" }, word("kept_seen"));
  const line = make("p", {}, word(address ? "kept_sent" : "kept_refused", { reason }), " ", link, " ", off);
  off.addEventListener("click", async () => {
    await store.dropNews(id);
    line.remove();
    bar.hidden = !bar.children.length;
  });
  link.addEventListener("click", () => store.dropNews(id));
  return line;
}

/** Show how it stands: `how` is { kind, reason } of the last try; `act` what the button of a session that ended does. */
export async function show(how, act) {
  const count = (await store.waiting()).length;
  const lines = (await store.news()).map(told);
  if (count) {
    const key = { "signed out": "kept_signed_out", "somebody else": "kept_signed_out", later: "kept_later" }[how.kind] ?? "kept_off";
    const line = make("p", {}, word(key, { count: number(count), reason: how.reason ?? "" }));
    if (how.kind === "signed out") {
      const again = make("button", { type: "button", class: "as-link" }, word("again_now"));
      again.addEventListener("click", act);
      line.append(" ", again);
    }
    lines.unshift(line);
  }
  bar.dataset.waiting = count;
  const before = bar.textContent;
  bar.replaceChildren(...lines);
  bar.hidden = !lines.length;
  if (bar.textContent !== before && lines.length) say(bar.textContent);
}
