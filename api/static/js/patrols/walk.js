// Walking: the phone's position as it comes, with its accuracy, and a screen that stays on meanwhile.

/** A second fix from the same spot within this time says nothing new. */
const STILL_MS = 5000;

/** The position of a fix as it is kept. */
function fix({ coords, timestamp }) {
  return { at: timestamp, lon: coords.longitude, lat: coords.latitude, accuracy: coords.accuracy };
}

/** Whether a fix says nothing that the last one has not said; browsers tell the last one again when a page is opened. */
const known = (last, fix) =>
  last &&
  (fix.at <= last.at ||
    (last.lon === fix.lon && last.lat === fix.lat && last.accuracy === fix.accuracy && fix.at - last.at < STILL_MS));

/**
 * Watch the position after `last`: `found(fix)` for each that is new, `failed(code)` when there is none ("denied", "no_fix").
 * Returns how to stop.
 */
export function watch(last, found, failed) {
  const id = navigator.geolocation.watchPosition(
    (position) => {
      const here = fix(position);
      if (known(last, here)) return;
      last = here;
      found(here);
    },
    (error) => failed(error.code === error.PERMISSION_DENIED ? "denied" : "no_fix"),
    { enableHighAccuracy: true, maximumAge: 0, timeout: 60000 },
  );
  return () => navigator.geolocation.clearWatch(id);
}

/** Keep the screen on, where the browser can, also after the page was in the background; returns how to let it go. */
export function stayAwake() {
  let lock = null;
  const take = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      lock = await navigator.wakeLock?.request("screen");
    } catch {
      lock = null; // the battery is low, or the browser will not: the patrol goes on
    }
  };
  document.addEventListener("visibilitychange", take);
  take();
  return () => {
    document.removeEventListener("visibilitychange", take);
    lock?.release().catch(() => {});
  };
}

const EARTH_M = 6371008.8;
const rad = (degrees) => (degrees * Math.PI) / 180;

/** Metres between two places [lon, lat]: a plane at their latitude, good to a millimetre per hundred metres. */
export function distance([lon1, lat1], [lon2, lat2]) {
  const x = rad(lon2 - lon1) * Math.cos(rad((lat1 + lat2) / 2));
  return EARTH_M * Math.hypot(x, rad(lat2 - lat1));
}

/** Metres from a place to the nearest edge of an outline ([[lon, lat], …] per ring); 0 inside. */
export function distanceTo(here, rings) {
  const scale = [EARTH_M * rad(1) * Math.cos(rad(here[1])), EARTH_M * rad(1)];
  const flat = ([lon, lat]) => [(lon - here[0]) * scale[0], (lat - here[1]) * scale[1]];
  let nearest = Infinity;
  let inside = false;
  for (const ring of rings) {
    const points = ring.map(flat);
    for (let i = 1; i < points.length; i += 1) {
      const [[x1, y1], [x2, y2]] = [points[i - 1], points[i]];
      const [dx, dy] = [x2 - x1, y2 - y1];
      const along = Math.min(1, Math.max(0, -(x1 * dx + y1 * dy) / (dx * dx + dy * dy || 1)));
      nearest = Math.min(nearest, Math.hypot(x1 + along * dx, y1 + along * dy));
      if (y1 > 0 !== y2 > 0 && (-y1 * dx) / dy + x1 > 0) inside = !inside;
    }
  }
  return inside ? 0 : nearest;
}
