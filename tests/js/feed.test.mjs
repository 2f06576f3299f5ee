// What the dashboard's views look at stays right where lists fail and where news never pause.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

globalThis.localStorage ??= { getItem: () => null, setItem() {}, removeItem() {} };
globalThis.location ??= { origin: "http://x", pathname: "/" };
const { feed } = await import("../../static/js/feed.js");
const { value } = await import("../../static/js/lib/value.js");

const json = (body, status = 200) => new Response(JSON.stringify(body), {
  status, headers: { "Content-Type": "application/json" },
});

/** A socket that is open, and what was subscribed there. */
function stand() {
  const topics = new Map();
  const state = value("open");
  return { topics, state, subscribe: (topic, handlers) => topics.set(topic, handlers) };
}

/** Lets everything run that has something to do. */
const turn = () => new Promise((done) => { setImmediate(done); });
const turns = async (count) => {
  for (let at = 0; at < count; at += 1) await turn();
};

const asks = (...ids) => ids.map((id) => ({ id, status: "pending" }));
const ids = (list) => list.get()?.map(({ id }) => id) ?? null;

test("news of a list that could not be had fetch it, and are never the whole", async () => {
  let replies = 0;
  globalThis.fetch = async () => {
    replies += 1;
    return replies === 1 ? json({ error: "down" }, 503) : json({ approvals: asks(1, 2) });
  };
  const socket = stand();
  const { approvals } = feed(socket);
  await socket.topics.get("approvals").subscribed();
  assert.equal(ids(approvals), null);
  assert.ok(approvals.problem.get());
  socket.topics.get("approvals").told({ approval: asks(2)[0] });
  await turns(20);
  assert.deepEqual(ids(approvals), [1, 2]);
  assert.equal(approvals.problem.get(), null);
});

test("a list that could not be had is asked for again, while there is a connection", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let replies = 0;
  globalThis.fetch = async () => {
    replies += 1;
    return replies < 3 ? json({ error: "down" }, 503) : json({ approvals: asks(1) });
  };
  const socket = stand();
  const { approvals } = feed(socket);
  await socket.topics.get("approvals").subscribed();
  mock.timers.tick(10_000);
  await turns(20);
  assert.equal(replies, 2);
  socket.state.set("away");
  mock.timers.tick(60_000);
  await turns(20);
  assert.equal(replies, 2, "nobody is there to ask");
  socket.state.set("open");
  await socket.topics.get("approvals").subscribed();
  assert.deepEqual(ids(approvals), [1]);
  mock.timers.reset();
});

test("news that never pause keep no list from being shown", async () => {
  const socket = stand();
  let rounds = 0;
  globalThis.fetch = async () => {
    rounds += 1;
    // One more comes in while each list is on its way, but for the very last.
    if (rounds < 30) socket.topics.get("approvals").told({ approval: asks(rounds)[0] });
    return json({ approvals: asks(rounds) });
  };
  const { approvals } = feed(socket);
  const seen = [];
  approvals.watch((list) => list && seen.push(list[0].id));
  await socket.topics.get("approvals").subscribed();
  assert.ok(seen.length > 5, `${seen}`);
  assert.equal(seen.at(-1), 30);
});
