// The parts of static/js/lib that need no browser, by `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, shortPath, span } from "../../static/js/lib/format.js";
import * as frames from "../../static/js/lib/frames.js";
import { pasteParts } from "../../static/js/lib/paste.js";
import { match } from "../../static/js/lib/router.js";
import { strength } from "../../static/js/lib/strength.js";
import { value } from "../../static/js/lib/value.js";

/** A frame as the daemon writes it. */
function frame(version, type, topic, offset, body) {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint8(1, type);
  view.setUint16(2, topic, true);
  view.setBigUint64(4, BigInt(offset), true);
  bytes.set(body, 12);
  return bytes.buffer;
}

test("a frame is taken apart, and one of another version is not", () => {
  const offset = 2 ** 40 + 7;
  const got = frames.decode(frame(1, frames.OUTPUT, 513, offset, [104, 105]));
  assert.deepEqual({ ...got, bytes: [...got.bytes] },
    { type: frames.OUTPUT, topic: 513, offset, bytes: [104, 105] });
  assert.equal(frames.decode(frame(2, 1, 1, 0, [])), null);
  assert.equal(frames.decode(new ArrayBuffer(11)), null);
  const resize = frames.decode(frame(1, frames.RESIZE, 1, 0, [200, 0, 44, 1]));
  assert.deepEqual(frames.size(resize.bytes), { cols: 200, rows: 300 });
  const gap = frames.decode(frame(1, frames.GAP, 1, 5, [0, 0, 0, 0, 1, 0, 0, 0]));
  assert.equal(frames.gapEnd(gap.bytes), 2 ** 32);
});

test("a paste is cut into parts that are the whole again, and never inside a character", () => {
  const text = `${"a".repeat(8191)}😀${"é\n".repeat(9000)}`;
  const parts = pasteParts(text);
  assert.equal(parts.join(""), text);
  assert.ok(parts.every((part) => part.isWellFormed() && JSON.stringify(part).length < 60_000));
  assert.ok(pasteParts("\x01".repeat(8192)).every((part) => JSON.stringify(part).length < 60_000));
  assert.deepEqual(pasteParts(""), []);
  assert.equal(pasteParts("é".repeat(1 << 20)).join("").length, 1 << 20);
  assert.equal(pasteParts("é".repeat((1 << 20) + 1)), null);
});

test("an address names one view and its parameters", () => {
  assert.deepEqual(match("/sessions/:id", "/sessions/a%20b"), { id: "a b" });
  assert.deepEqual(match("/sessions/:id", "/sessions/%zz"), { id: "%zz" });
  assert.deepEqual(match("/inbox", "/inbox"), {});
  for (const other of ["", "/sessions", "/sessions/", "/sessions/a/b", "/Sessions/a"]) {
    assert.equal(match("/sessions/:id", other), null, other);
  }
});

test("the hint knows what is easy to guess", () => {
  const score = (password) => strength(password, 8).score;
  for (const weak of ["", "short", "password", "aaaaaaaaaaaa", "12345678", "qwertyuiop"]) {
    assert.ok(score(weak) <= 1, weak);
  }
  assert.ok(score("correct horse battery staple") === 4);
  assert.ok(score("tr0ub4dor&3") > score("troubador"));
  assert.match(strength("short", 8).hint, /3 more/);
});

test("times are in one unit, and a wait is never too short", () => {
  const at = Date.parse("2026-01-01T00:00:00Z");
  const spans = [[0, "0 s"], [59, "59 s"], [60, "1 min"], [3599, "59 min"], [90_000, "1 d"]];
  for (const [seconds, text] of spans) assert.equal(span(at, at + seconds * 1000), text);
  assert.equal(duration(1), "1 second");
  assert.equal(duration(121), "3 minutes");
  assert.equal(shortPath("/home/me/src/project"), "…/src/project");
  assert.equal(shortPath("/tmp"), "/tmp");
});

test("a watcher is told at once and at each change, until it stops", () => {
  const [seen, number] = [[], value(1)];
  const stop = number.watch((now) => seen.push(now));
  number.set(2);
  stop();
  number.set(3);
  assert.deepEqual(seen, [1, 2]);
  assert.equal(number.get(), 3);
});
