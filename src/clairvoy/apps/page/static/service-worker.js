// Keeps the whole page on the device after the first visit, so that it works offline. `clairvoy page` adds the call at the end.

function serveOffline(version, names) {
  const ours = `clairvoy-page ${self.registration.scope} `; // another page of the same host is left alone
  const cacheName = ours + version;
  self.addEventListener("install", (event) => {
    const keep = async () => {
      const cache = await caches.open(cacheName);
      await cache.addAll(names.map((name) => new Request(name, { cache: "reload" })));
      await self.skipWaiting();
    };
    event.waitUntil(keep());
  });
  self.addEventListener("activate", (event) => {
    const tidy = async () => {
      const names = await caches.keys();
      await Promise.all(names.filter((name) => name.startsWith(ours) && name !== cacheName).map((name) => caches.delete(name)));
      await self.clients.claim();
    };
    event.waitUntil(tidy());
  });
  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const url = new URL(request.url);
    const scope = new URL(self.registration.scope);
    if (request.method !== "GET" || !url.href.startsWith(scope.href)) return;
    const page = url.pathname === scope.pathname ? "index.html" : request;
    const answer = async () => {
      const cache = await caches.open(cacheName);
      return (await cache.match(page, { ignoreSearch: true })) ?? fetch(request);
    };
    event.respondWith(answer());
  });
}
