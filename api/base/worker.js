{#- The service worker of one page: it keeps that page and its scripts on the phone, so that the page opens in a dead zone. The page
    it keeps says nothing about anybody, and nothing else is ever kept.  Context: address (of the page), page (address at which it is
    given as it is kept), version, files (addresses). -#}
const ADDRESS = {{ address|tojson }};
const NAME = `wangge-${ADDRESS.slice(1)} `;
const CACHE = NAME + {{ version|tojson }};
const FILES = {{ files|tojson }};
const PAGE = {{ page|tojson }};
/** A network that does not answer within this time is as good as none. */
const PATIENCE_MS = 5000;

async function fill() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES);
  const page = await fetch(PAGE, { cache: "no-store" });
  if (!page.ok || page.redirected) throw new Error(`${PAGE} ${page.status}`);
  await cache.put(PAGE, page);
}

async function tidy() {
  for (const name of await caches.keys()) if (name.startsWith(NAME) && name !== CACHE) await caches.delete(name);
  await clients.claim();
}

async function open(request) {
  const kept = async () => (await (await caches.open(CACHE)).match(PAGE)) ?? Response.error();
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  try {
    const answer = await Promise.race([fetch(request), late]);
    return answer && answer.status < 500 ? answer : await kept();
  } catch {
    return kept();
  }
}

async function file(request) {
  return (await (await caches.open(CACHE)).match(request)) ?? fetch(request);
}

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(fill());
});
addEventListener("activate", (event) => event.waitUntil(tidy()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (pathname === ADDRESS) event.respondWith(open(request));
  } else if (FILES.includes(pathname)) event.respondWith(file(request));
});
