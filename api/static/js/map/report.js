// Reporting a case: the next click says where it is, then the form opens with the place filled in.

import { say, word } from "../words.js";

export function bindReport(map) {
  const button = document.getElementById("report");
  const note = document.getElementById("measured");
  const report = { active: false, stop };

  function click({ latlng }) {
    location.assign(`/incidents/new?lon=${latlng.lng.toFixed(6)}&lat=${latlng.lat.toFixed(6)}`);
  }

  function begin() {
    report.active = true;
    map.on("click", click);
    map.getContainer().classList.add("is-measuring");
    button.setAttribute("aria-pressed", "true");
    note.hidden = false;
    note.textContent = word("report_where");
    say(note.textContent);
  }

  function stop() {
    report.active = false;
    map.off("click", click);
    map.getContainer().classList.remove("is-measuring");
    button.setAttribute("aria-pressed", "false");
    note.hidden = true;
  }

  button?.addEventListener("click", (event) => {
    event.preventDefault(); // without a script the link opens the form itself
    if (report.active) stop();
    else begin();
  });
  return report;
}
