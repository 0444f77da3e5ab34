// What is computed in the background: look again until it is done, then show it.

import { word } from "../words.js";

const EVERY_MS = 1500;

/** Watch the job that the page waits for; one that failed says why, and is not begun again. */
async function watch(place) {
  const answer = await fetch(`/api/jobs/${place.dataset.job}`);
  const job = answer.ok ? await answer.json() : null;
  if (job && ["queued", "running"].includes(job.state)) setTimeout(watch, EVERY_MS, place);
  else if (job && job.state !== "done") place.querySelector("p").textContent = job.detail ?? word("job_failed");
  // Somebody else's job is not seen: the page itself knows when it is done.
  else setTimeout(() => location.reload(), job ? 0 : 3 * EVERY_MS);
}

const place = document.querySelector("[data-job]");
if (place) watch(place);
// What nobody asked for yet is asked for at once; without scripts there is the button.
document.querySelector("form[data-ask]")?.requestSubmit();
