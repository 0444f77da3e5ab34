// The bar that says what still waits on the phone, and the list of what the server did not take.

import { make } from "../dom.js";
import { number, word } from "../words.js";
import { keepSending } from "./sending.js";
import * as store from "./store.js";

/** With a connection, so many records may wait for the next batch without being spoken of. */
const UNSPOKEN = 60;
const KEYS = { on: "queue_on", off: "queue_off", "signed out": "queue_signed_out", refused: "queue_refused" };

/** Send in the background and show how it stands; `account()` is whose records are spoken of first. */
export function bindQueue(account) {
  const bar = document.getElementById("queue");
  const list = document.getElementById("refused");

  function show({ connection, waiting, others, reason }) {
    const key = connection === "off" && !waiting ? "queue_off_empty" : KEYS[connection];
    const quiet = connection === "on" && waiting < UNSPOKEN;
    bar.hidden = quiet && !others;
    bar.querySelector("span").textContent = quiet
      ? word("other_account", { count: number(others) })
      : word(key, { count: number(waiting), reason });
    bar.querySelector("a").hidden = connection !== "signed out";
    bar.dataset.connection = connection;
    bar.dataset.waiting = waiting;
  }

  async function showRefused() {
    const refused = await store.allRefused();
    list.hidden = !refused.length;
    list.replaceChildren(...refused.map(({ patrol, seq, refused: reason }) => {
      const button = make("button", { type: "button", class: "btn btn-small" }, word("remove"));
      button.addEventListener("click", async () => {
        await store.drop(patrol, seq);
        await showRefused();
      });
      return make("li", {}, make("span", {}, word("refused_one", { reason })), button);
    }));
  }

  document.addEventListener("patrol:refused", showRefused);
  showRefused();
  return keepSending(show, account);
}
