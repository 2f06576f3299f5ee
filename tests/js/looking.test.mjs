// A page tells the daemon that somebody looks for as long as somebody is there.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

const page = new EventTarget();
page.visibilityState = "visible";
globalThis.document = page;
const { looking } = await import("../../static/js/parts/looking.js");
const { value } = await import("../../static/js/lib/value.js");

test("a page that is hidden, or that nobody touches, is not looked at", () => {
  let now = 1_000_000;
  const clock = mock.method(Date, "now", () => now);
  let check = null;
  const every = mock.method(globalThis, "setInterval", (act) => { check = act; });
  const said = [];
  const state = value("open");
  const stop = looking({ state, send: ({ sessionId }) => said.push(sessionId) }, "a");
  assert.deepEqual(said, ["a"]);
  now += 9 * 60_000;
  check();
  page.dispatchEvent(new Event("pointermove"));
  now += 9 * 60_000;
  check();
  assert.deepEqual(said, ["a"], "somebody was there");
  now += 60_000;
  check();
  assert.deepEqual(said, ["a", null]);
  state.set("open");
  assert.equal(said.at(-1), null, "nor after a new connection");
  page.dispatchEvent(new Event("keydown"));
  assert.equal(said.at(-1), "a");
  page.visibilityState = "hidden";
  page.dispatchEvent(new Event("visibilitychange"));
  assert.equal(said.at(-1), null);
  stop();
  const count = said.length;
  page.visibilityState = "visible";
  page.dispatchEvent(new Event("visibilitychange"));
  page.dispatchEvent(new Event("keydown"));
  assert.equal(said.length, count, "it listens no more");
  every.mock.restore();
  clock.mock.restore();
});
