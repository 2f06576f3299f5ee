// How calls, changes and variables are read before a person sees them, by `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { changes, counts, diff, hunks } from "../../static/js/lib/diff.js";
import { parse } from "../../static/js/lib/env_file.js";
import { isHidden } from "../../static/js/lib/hidden.js";
import { chunks, folded, pieces, warnings } from "../../static/js/lib/visible.js";
import { ending, groupAsks, keepKeys } from "../../static/js/parts/asks.js";
import { groups, risks } from "../../static/js/parts/risk.js";

const lines = (text) => text.split("\n");
const shown = (text) => pieces(text).map((piece) => piece.text).join("");

test("what looks like nothing is hidden and what people write is not", () => {
  for (const c of "\0\r\u{1b}\u{7f}\u{85}\u{a0}\u{202e}\u{200b}\u{2003}\u{feff}\u{e0041}") {
    assert.ok(isHidden(c), c.codePointAt(0).toString(16));
  }
  for (const c of "aZ0 ~\t\né日🎉\u{fe0f}") assert.ok(!isHidden(c), c);
});

test("a text shows each of its characters, or what it is and how often", () => {
  assert.equal(shown("a\nb\u{202e}c\u{200b}"), "a⏎bU+202EcU+200B");
  assert.equal(shown("<img src=x>"), "<img src=x>");
  assert.equal(shown(`x${" ".repeat(500)}rm -rf ~`), "xblank × 500rm -rf ~");
  assert.equal(shown("\n".repeat(80)), "⏎ × 80");
  assert.equal(shown("\u{200b}".repeat(30)), "U+200B × 30");
  assert.equal(shown(`${" ".repeat(16)}indented`), `${" ".repeat(16)}indented`);
  assert.deepEqual(pieces("a\n").map(({ text, after }) => text + after), ["a", "⏎\n"]);
});

test("letters of another alphabet are told only where they pass for Latin ones", () => {
  assert.match(warnings("p\u{430}ypal")[0], /а is U\+0430/);
  assert.deepEqual(warnings("привет paypal αβγ ok"), []);
  assert.match(warnings("a\u{202e}b")[0], /U\+202E/);
  assert.match(warnings("\u{200b}".repeat(30))[0], /U\+200B\./);
  assert.deepEqual(warnings("echo hello 日本語"), []);
});

test("a long text is looked through at once, and told in few words", () => {
  const tail = "\u{202e}\u{200b}" + "\u{2060}\u{2061}\u{2062}".repeat(1e5);
  const long = "ab".repeat(2_000_000) + tail;
  assert.match(warnings(long)[0], /U\+202E, U\+200B, U\+2060, U\+2061, U\+2062\.$/);
  const parts = chunks("😀".repeat(5) + "a", 3);
  assert.deepEqual([parts.join(""), parts[0]], ["😀😀😀😀😀a", "😀"]);
  assert.deepEqual(chunks("", 3), [""]);
});

test("equal lines in a row are one with a count, unless they are few", () => {
  assert.deepEqual(folded(["a", "a", "b"]).map(({ text, count }) => [text, count]),
    [["a", 1], ["a", 1], ["b", 1]]);
  assert.deepEqual(folded(Array(60).fill("x")), [{ text: "x", count: 60 }]);
});

test("a change keeps what stays, and both texts can be read out of it", () => {
  const [old, now] = [lines("fn a() {\n  one();\n  two();\n}"),
    lines("fn a() {\n  one();\n  three();\n  four();\n}")];
  const found = diff(old, now);
  assert.deepEqual(found.map(({ kind, text }) => kind[0] + text.trim()),
    ["sfn a() {", "sone();", "rtwo();", "athree();", "afour();", "s}"]);
  assert.deepEqual(counts(found), { added: 2, removed: 1 });
  let seed = 7;
  const below = (most) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed % most;
  };
  for (let round = 0; round < 3000; round += 1) {
    const some = () => Array.from({ length: below(12) }, () => "abc"[below(3)]);
    const [a, b] = [some(), some()];
    const all = diff(a, b);
    const without = (kind) => all.filter((line) => line.kind !== kind).map(({ text }) => text);
    assert.deepEqual(without("added"), a);
    assert.deepEqual(without("removed"), b);
  }
});

test("texts that have nothing in common are told as such, and quickly", () => {
  const [old, now] = [3000, 5000].map((from) =>
    Array.from({ length: 3000 }, (_, at) => `${from} ${at}`));
  assert.deepEqual(counts(diff(old, now)), { added: 3000, removed: 3000 });
});

test("what the daemon marks is compared where one text takes another's place", () => {
  const said = (text) => changes(text).map(({ kind, text: line }) => kind[0] + line);
  assert.deepEqual(said("-a\n-b\n+a\n+c"), ["sa", "rb", "ac"]);
  assert.deepEqual(said("+a\n+"), ["aa", "a"]);
  assert.deepEqual(said("*** Update File: x\n@@\n-a\n+b\n c"),
    ["h*** Update File: x", "h@@", "ra", "ab", "sc"]);
  assert.deepEqual(said(""), []);
});

test("far from a change lines are taken out, and none is lost", () => {
  const old = Array.from({ length: 40 }, (_, at) => `line ${at}`);
  const now = old.with(20, "new");
  const shownLines = hunks(diff(old, now));
  assert.deepEqual(shownLines.map(({ kind }) => kind[0]).join(""), "fsssrasssf");
  assert.equal(shownLines.reduce((sum, line) => sum + (line.lines?.length ?? 1), 0), 41);
  assert.deepEqual(shownLines[4], { kind: "removed", text: "line 20", old: 21 });
  assert.deepEqual(shownLines[5], { kind: "added", text: "new", now: 21 });
});

test("a file of variables is read as the command line reads it", () => {
  const text = "\u{feff}# all of it\n\n  A = plain text # no comment \r\nexport B=''\nC=\n"
    + "D='as $it \\n is'\nE=\"a\\n\\t\\\"b\\\\\"  \nKEY='-----BEGIN\nabc\n-----END'\nZ=x=y'z'";
  assert.deepEqual([...parse(text)], [["A", "plain text # no comment"], ["B", ""], ["C", ""],
    ["D", "as $it \\n is"], ["E", "a\n\t\"b\\"], ["KEY", "-----BEGIN\nabc\n-----END"],
    ["Z", "x=y'z'"]]);
  assert.equal(parse("").size + parse("\n# x").size, 0);
});

test("an error in such a file names its line and shows nothing of it", () => {
  for (const [text, line, why] of [
    ["A=1\nhunter22", 2, "no ="], ["=hunter22", 1, "no name"], ["A hunter22=x", 1, "no name"],
    ["A=1\nB='x\ny'\nA=hunter22", 4, "twice"], ["A='hunter22", 1, "not closed"],
    ["A=\"hunter22", 1, "not closed"], ["A='x' hunter22", 1, "behind the closing"],
    ["A=\"hunter22\\q\"", 1, "after a \\"],
  ]) {
    assert.throws(() => parse(text), (error) => {
      assert.equal(error.line, line);
      assert.ok(error.message.startsWith(`line ${line}: `), error.message);
      assert.ok(error.message.includes(why) && !error.message.includes("hunter22"));
      return true;
    });
  }
});

const ask = (id, seconds, more = {}) => ({
  id, sessionId: "s", toolName: "Bash", cwd: "/p", argsSha256: "a",
  createdAt: new Date(seconds * 1000).toISOString(), ...more,
});

test("the same question within a minute is one, and other ones are not", () => {
  const keys = (asks) => groupAsks(asks).map((group) => group.asks.map(({ id }) => id));
  assert.deepEqual(keys([ask(2, 30), ask(1, 0), ask(3, 59)]), [[1, 2, 3]]);
  assert.deepEqual(keys([ask(1, 0), ask(2, 61), ask(3, 62)]), [[1], [2, 3]]);
  for (const other of [{ sessionId: "t" }, { argsSha256: "b" }, { cwd: "/q" }, { agentId: "x" }]) {
    assert.deepEqual(keys([ask(1, 0), ask(2, 1, other)]), [[1], [2]]);
  }
});

test("a group keeps its place when its first question has been answered", () => {
  const before = groupAsks([ask(1, 0), ask(2, 1), ask(3, 2, { argsSha256: "b" })]);
  const after = keepKeys(before, groupAsks([ask(2, 1), ask(3, 2, { argsSha256: "b" })]));
  assert.deepEqual(after.map(({ key }) => key), [1, 3]);
});

test("an answer says who gave it and from where", () => {
  const said = (approval) => ending({ id: 1, status: "denied", decider: "person", ...approval },
    new Set([9]));
  assert.equal(said({ client: "web 127.0.0.1 (Firefox)" }),
    "Denied in a dashboard on another device or tab.");
  assert.equal(said({ id: 9, client: "web x" }), "Denied here.");
  assert.equal(said({ client: "control pid 3 (codepiper)" }), "Denied on the command line.");
  assert.equal(said({ status: "approved", decider: "terminal" }), "Approved in the terminal.");
  assert.equal(said({ status: "expired" }), "Nobody answered in time: it did not run.");
});

test("effects are sorted by what can do most harm, with a word where one is due", () => {
  const found = groups(["read /p/.env", "exec git", "exec rm", "write /etc/hosts", "net a.org",
    "write /p/src/a b", "odd"], "/p");
  assert.deepEqual(found.map(({ kind, items }) => [kind, ...items.map(({ text }) => text)]), [
    ["exec", "git", "rm"], ["write", "/etc/hosts", "/p/src/a b"], ["net", "a.org"],
    ["read", "/p/.env"], ["other", "odd"]]);
  assert.deepEqual(risks(["exec rm", "write /etc/hosts", "net x", "write /p/a"], "/p"),
    ["deletes", "outside the directory", "network"]);
  assert.deepEqual(risks(["write /pp/a"], "/p"), ["outside the directory"]);
  assert.deepEqual(risks(["exec git", "write /p/a", "read /etc/passwd"], "/p"), []);
});
