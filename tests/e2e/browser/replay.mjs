// A server that an agent has started on another port of this host. To the browser it is the same
// site, so it is sent the dashboard's cookie; it must gain nothing by that.

import assert from "node:assert/strict";
import { createServer, request } from "node:http";

/** Lets the signed-in person of `page` visit such a server, which tries what it can. */
export async function replay(page, url, wsUrl) {
  let stolen = "";
  const server = createServer((asked, reply) => {
    stolen = asked.headers.cookie ?? stolen;
    reply.setHeader("Content-Type", "text/html");
    reply.end("<!doctype html><title>dev server</title>");
  });
  await new Promise((done) => { server.listen(0, "127.0.0.1", done); });
  const neighbour = `http://127.0.0.1:${server.address().port}`;
  // Not watched: what this page does is meant to be refused.
  const visit = await page.context().newPage();
  await visit.goto(neighbour);
  assert.match(stolen, /codepiper_session=/, "browsers send it to every port");
  await fromPage(visit, url, wsUrl);
  await fromServer(url, { Cookie: stolen });
  await fromServer(url, { Cookie: stolen, Origin: url, "Sec-Fetch-Site": "same-origin" });
  await fromServer(url, { Cookie: stolen, Origin: url, "X-CodePiper-Proof": "0".repeat(64) });
  await visit.close();
  server.close();
}

async function fromPage(visit, url, wsUrl) {
  const read = await visit.evaluate(async (address) => {
    const answer = await fetch(`${address}/api/sessions`, { credentials: "include" })
      .then((reply) => reply.text(), () => "unreadable");
    return answer;
  }, url);
  assert.equal(read, "unreadable");
  for (const address of [url.replace("http", "ws"), wsUrl]) {
    const opened = await visit.evaluate((to) => new Promise((done) => {
      const socket = new WebSocket(`${to}/ws`);
      socket.onopen = () => done(true);
      socket.onerror = () => done(false);
    }), address);
    assert.equal(opened, false, `${address} has let a neighbour in`);
  }
}

async function fromServer(url, headers) {
  for (const [method, path] of [["GET", "/api/sessions"], ["POST", "/api/auth/logout"]]) {
    const status = await new Promise((done, fail) => {
      const asked = request(url + path, { method, headers }, (reply) => {
        reply.resume();
        done(reply.statusCode);
      });
      asked.on("error", fail);
      asked.end();
    });
    assert.ok([401, 403].includes(status), `${method} ${path}: ${status}`);
  }
}
