// A track as the look has it: blue on a white casing, white arrows along it, a hollow start and a filled end.
/* global L */

import { phone } from "../dom.js";

/** Pixels between two arrows. */
const ARROWS_PX = 90;
const ARROW = '<svg viewBox="-8 -8 16 16" aria-hidden="true"><path d="M-2.500-4L2 0l-4.500 4"/></svg>';

const end = (className) => L.divIcon({ className: `track-end ${className}`, iconSize: [14, 14] });

/**
 * Draw a track on the map; `set(parts)` gives it its parts, each [[lon, lat], …], between which nothing is known.
 * `open` leaves the filled end out, for somebody who is still walking; `arrows` false leaves the arrows out.
 */
export function drawTrack(map, symbols, { open = false, arrows = true, colour = symbols.palette.track } = {}) {
  const width = phone.matches ? 4 : 3;
  const line = (color, weight) => L.polyline([], { color, weight, opacity: 1, interactive: false, smoothFactor: 1 });
  const casing = line("#FFFFFF", width + 3);
  const core = line(colour, width);
  const marks = L.layerGroup();
  const group = L.layerGroup([casing, core, marks]).addTo(map);
  let lines = [];

  /** Arrows at equal steps on the screen, so that they are as many at each zoom. */
  function mark() {
    marks.clearLayers();
    const drawn = arrows ? lines.filter((part) => part.length > 1) : [];
    for (const part of drawn) {
      let along = ARROWS_PX / 2;
      for (let i = 1; i < part.length; i += 1) {
        const [from, to] = [map.latLngToLayerPoint(part[i - 1]), map.latLngToLayerPoint(part[i])];
        const length = from.distanceTo(to);
        for (; along < length; along += ARROWS_PX) {
          const at = map.layerPointToLatLng(from.add(to.subtract(from).multiplyBy(along / length)));
          const angle = Math.atan2(to.y - from.y, to.x - from.x);
          const arrow = L.marker(at, {
            icon: L.divIcon({ className: "track-arrow", iconSize: [16, 16], html: ARROW }), interactive: false, keyboard: false,
          });
          marks.addLayer(arrow);
          arrow.getElement()?.querySelector("path").setAttribute("transform", `rotate(${(angle * 180) / Math.PI})`);
        }
        along -= length;
      }
    }
    const all = lines.flat();
    if (!all.length) return;
    const put = (at, className) => marks.addLayer(L.marker(at, { icon: end(className), interactive: false, keyboard: false }));
    put(all[0], "is-start");
    if (!open && all.length > 1) put(all.at(-1), "is-end");
  }
  map.on("zoomend", mark);

  return {
    set(parts) {
      lines = parts.map((part) => part.map(([lon, lat]) => L.latLng(lat, lon)));
      casing.setLatLngs(lines);
      core.setLatLngs(lines);
      mark();
    },
    bounds: () => core.getBounds(),
    remove() {
      map.off("zoomend", mark);
      group.remove();
    },
  };
}
