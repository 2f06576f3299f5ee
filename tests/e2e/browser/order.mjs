// Orders to the side that has the daemon: a line of JSON out, a line of JSON back.

import { createInterface } from "node:readline";

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has the other side do something, and returns what it says of it. */
export async function order(what, more = {}) {
  console.log(JSON.stringify({ do: what, ...more }));
  return JSON.parse((await answers.next()).value);
}
