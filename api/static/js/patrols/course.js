// What the records of a patrol say so far: how far, past which buildings. The server judges anew from the cleaned track.

import { distance, distanceTo } from "./walk.js";

/** A fix less sure than this draws no line. */
const SURE_M = 50;
/** A longer silence is a gap in the line. */
const GAP_MS = 120000;
/** Nearer than this, with a fix that is as sure, a building counts as passed. */
const PASSED_M = 25;

const place = ({ lon, lat }) => [lon, lat];

/** The course of a patrol past some buildings; `add` takes its records as they come. */
export class Course {
  /** Building → when somebody checked in there. */
  checked = new Map();
  /** Buildings that were passed. */
  passed = new Set();
  /** The line in parts of [lon, lat]: where nothing was known for a while it is interrupted. */
  parts = [];
  /** Metres walked, about. */
  walked = 0;
  #buildings;
  /** The last fix of all, and how many there were. */
  last = null;
  fixes = 0;
  #drawn = null;
  #counted = null;

  constructor(buildings, records = []) {
    this.#buildings = buildings;
    for (const record of records) this.add(record);
  }

  add(record) {
    if (record.kind === "check_in") this.checked.set(record.building, record.at);
    if (record.kind !== "point") return;
    this.last = record;
    this.fixes += 1;
    if (record.accuracy > SURE_M) return;
    if (!this.#drawn || record.at - this.#drawn.at > GAP_MS) this.parts.push([]);
    this.parts.at(-1).push(place(record));
    this.#drawn = record;
    // Steps smaller than half of what a fix may be wrong are no steps.
    const step = this.#counted ? distance(place(this.#counted), place(record)) : 0;
    if (!this.#counted || step >= Math.max(4, record.accuracy / 2)) {
      this.walked += step;
      this.#counted = record;
    }
    if (record.accuracy > PASSED_M) return;
    for (const { id, rings } of this.#buildings) {
      if (!this.passed.has(id) && distanceTo(place(record), rings) <= PASSED_M) this.passed.add(id);
    }
  }

  /** How a building stands: done (checked in), passed, or open. */
  state(id) {
    return this.checked.has(id) ? "done" : this.passed.has(id) ? "passed" : "open";
  }
}

/** The building nearest to a fix, and how far it is. */
export function nearest(fix, buildings) {
  let best = null;
  for (const building of buildings) {
    const metres = distanceTo(place(fix), building.rings);
    if (!best || metres < best.distance) best = { building, distance: metres };
  }
  return best;
}
