// The progress of a report: its code goes into the clipboard, and what is said of the outcome is kept until it has arrived.

import "../drafts/drafts.js";
import { word } from "../words.js";

document.querySelector("[data-copy]").addEventListener("click", async ({ currentTarget }) => {
  const code = document.querySelector(currentTarget.dataset.copy);
  try {
    await navigator.clipboard.writeText(code.textContent);
    currentTarget.querySelector("span").textContent = word("copied");
  } catch {
    // Without https there is no clipboard for scripts: the code is marked, to be copied by hand.
    getSelection().selectAllChildren(code);
  }
});
