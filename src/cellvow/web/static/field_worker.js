// Keeps the phone's page and its scripts, so that they open without network; the server writes CACHE and FILES above.

const PREFIX = "cellvow-field-";

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((address) => new Request(address, { cache: "reload", credentials: "omit" })));
}

/** Runs once no page of the version before is open: none is ever made of two versions. */
async function dropOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
}

/** The page in the language that its address names, else in the first of the reader's that there is. */
function pageFor(url) {
  const languages = PAGES.map((page) => new URL(page, url).searchParams.get("lang"));
  const wished = [url.searchParams.get("lang"), ...self.navigator.languages].filter(Boolean);
  const places = wished.map((one) => languages.findIndex((known) => known.slice(0, 2) === one.slice(0, 2)));
  return PAGES[places.find((place) => place >= 0) ?? 0];
}

async function answer(request, kept) {
  const cache = await caches.open(CACHE);
  return (await cache.match(kept, { ignoreVary: true })) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(dropOthers()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && url.pathname === "/field") {
    event.respondWith(answer(request, pageFor(url)));
  } else if (FILES.includes(url.pathname + url.search)) {
    event.respondWith(answer(request, url.pathname + url.search));
  }
});
