/**
 * What an installed dashboard shows while the daemon cannot be reached. It keeps no copy of
 * anything: neither files, which have to be of the daemon's build, nor what the daemon says.
 */

const OFFLINE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>codepiper</title>
<style>
  body { display: grid; place-content: center; gap: 1rem; min-height: 90vh; margin: 0 2rem;
    font: 1rem/1.5 system-ui, sans-serif; text-align: center; }
  h1, p { margin: 0; }
  h1 { font-size: 1.25rem; }
</style>
<h1>The daemon cannot be reached</h1>
<p>Its sessions run on. Is this device online, and the way to the server open?</p>
<p><a href="/">Try again</a></p>`;

const HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
  "Cache-Control": "no-store",
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.mode !== "navigate") return;
  event.respondWith(fetch(event.request).catch(() => new Response(OFFLINE, { headers: HEADERS })));
});
