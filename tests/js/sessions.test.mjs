// What the list of sessions, the start dialog and a session's activity compute, by `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, lastPart } from "../../static/js/lib/format.js";
import { oneLine } from "../../static/js/lib/hidden.js";
import { join, split } from "../../static/js/lib/shell.js";
import { arrange, brief as briefOfApproval, groupOf, matches }
  from "../../static/js/views/sessions/order.js";
import { brief, deciderOf, timeline } from "../../static/js/views/session/timeline.js";

test("a command line is cut as a shell cuts it", () => {
  for (const [text, words] of [
    ["npm run dev", ["npm", "run", "dev"]],
    ["  a\t b  ", ["a", "b"]],
    ["echo 'a b' \"c d\"", ["echo", "a b", "c d"]],
    ["a'b'\"c\"d", ["abcd"]],
    ["a\\ b \\'", ["a b", "'"]],
    ["\"a \\\" \\n \\$x\"", ["a \" \\n $x"]],
    ["'it'\\''s'", ["it's"]],
    ["''", [""]],
    ["", []],
  ]) assert.deepEqual(split(text), { words, problem: "", needsShell: "" }, text);
});

test("a command line that is not finished says so", () => {
  assert.match(split("echo 'a").problem, /quote \('\) is not closed/);
  assert.match(split("echo \"a").problem, /quote/);
  assert.match(split("echo \\").problem, /backslash/);
});

test("what only a shell would obey is named, unless it is quoted", () => {
  assert.equal(split("ls | wc").needsShell, "|");
  assert.equal(split("a && b").needsShell, "&");
  assert.equal(split("echo $HOME").needsShell, "$");
  assert.equal(split("echo '$HOME | x'").needsShell, "");
  assert.equal(split("echo \\$HOME").needsShell, "");
});

test("words become a line that is cut into the same words", () => {
  for (const words of [
    ["a"], ["a b", "c"], ["it's", "\"x\""], [""], ["$x", "*", "a\nb"], ["--x=1", "é", "\\"],
  ]) assert.deepEqual(split(join(words)).words, words);
  assert.equal(join(["npm", "run", "dev:x"]), "npm run dev:x");
});

test("sizes have two digits or three", () => {
  assert.deepEqual([0, 999, 1000, 1536, 50 << 20, 3 * 2 ** 30].map(bytes),
    ["0 B", "999 B", "1.0 KiB", "1.5 KiB", "50 MiB", "3.0 GiB"]);
});

test("nothing in a line is hidden, and nothing turns it around", () => {
  assert.equal(oneLine("ab\u202etxt.exe\u200b"), "ab‹U+202E›txt.exe‹U+200B›");
  assert.equal(oneLine("a\nb\tc\u00a0d\x1b[m"), "a⏎b c d‹U+001B›[m");
  assert.equal(oneLine("plain – ünïcödé 世界"), "plain – ünïcödé 世界");
  assert.equal(lastPart("/home/me/project/"), "project");
  assert.equal(lastPart("/"), "/");
});

const known = (id, status, more = {}) => ({
  id, status, provider: "claude-code", cwd: `/srv/${id}`, updatedAt: "2026-01-01T00:00:00.000Z",
  ...more,
});

test("those that wait stand first, the longest wait on top, and the ended ones last", () => {
  const all = [
    known("a", "RUNNING"), known("b", "STOPPED", { endedAt: "2026-01-01T01:00:00.000Z" }),
    known("c", "NEEDS_INPUT", { updatedAt: "2026-01-01T00:05:00.000Z" }),
    known("d", "CRASHED", { endedAt: "2026-01-01T02:00:00.000Z" }),
    known("e", "NEEDS_PERMISSION", { updatedAt: "2026-01-01T00:01:00.000Z" }),
  ];
  const lines = arrange(all, all, [{ id: 7, sessionId: "e" }, { id: 9, sessionId: "e" }]);
  assert.deepEqual(lines.map((line) => line.heading ?? line.id),
    ["Waiting for you", "e", "c", "Running", "a", "Ended", "d", "b"]);
  assert.deepEqual(lines[1].asks.map(({ id }) => id), [7, 9]);
  assert.equal(lines[0].count, 2);
  assert.deepEqual(arrange(all, [], []), [], "a group without sessions has no heading");
  assert.equal(groupOf(known("x", "STARTING")), "running");
});

test("a search finds each word in name, directory, id or last line", () => {
  const one = known("3f2a", "RUNNING", { name: "Payments", lastLine: "tests passed" });
  for (const text of ["pay", "PAYMENTS passed", "/srv/3f", "3f2a tests", ""]) {
    assert.ok(matches(one, text), text);
  }
  assert.ok(!matches(one, "pay nothing"));
  assert.ok(matches(known("x", "RUNNING"), "srv"), "one without a name is found too");
});

test("a question is told in one line", () => {
  const content = [{ kind: "field", name: "description", text: "harmless" },
    { kind: "command", text: "git push\nrm -rf /" }];
  assert.equal(briefOfApproval({ toolName: "Bash", content }), "Bash git push");
  assert.equal(briefOfApproval({ toolName: "Plan", content: [] }), "Plan");
});

const event = (id, at, source, type, payload = {}) => ({
  id, source, type, payload, timestamp: new Date(at).toISOString(),
});
const row = (seq, atMs, more) => ({
  seq, atMs, timestamp: new Date(atMs).toISOString(), kind: "decision", toolName: "Bash",
  args: { command: "ls" }, decider: "rule", decision: "allow", reason: "", ...more,
});

test("a tool call is one entry with its verdict, who gave it and how long it took", () => {
  const events = [
    event(1, 1000, "session", "started"),
    event(2, 2000, "decision", "ask", { decisionId: 5 }),
    event(3, 2001, "session", "approval asked"),
    event(4, 2002, "hook", "PermissionRequest"),
    event(5, 9500, "hook", "PostToolUse", { tool_use_id: "t1" }),
    event(6, 9900, "hook", "Notification", { message: "done\u202e\nmore" }),
  ];
  const rows = [
    row(5, 2000, { decision: "ask", decider: "default", toolUseId: "t1" }),
    row(6, 9000, { kind: "answer", about: 5, decision: "allow", decider: "person" }),
  ];
  const all = timeline(events, rows);
  assert.deepEqual(all.map(({ key }) => key), ["event 6", "call 5", "event 1"]);
  const [, call] = all;
  assert.equal(call.verdict, "allow");
  assert.equal(call.by, "you");
  assert.equal(call.waited, 7000);
  assert.equal(call.took, 500);
  assert.equal(all[0].text, "done‹U+202E›");
});

test("before the place where one half is missing nothing is told", () => {
  const all = timeline([event(1, 1000, "session", "started")], [row(2, 5000, {})], 4000);
  assert.deepEqual(all.map(({ key }) => key), ["call 2"]);
});

test("a verdict has its rule or the person's name, and a call its first line", () => {
  assert.equal(deciderOf({ decider: "rule", policyName: "mine", ruleId: "r" }), "mine · r");
  assert.equal(deciderOf({ decider: "rule" }), "a rule");
  assert.equal(deciderOf({ decider: "terminal" }), "you, in the terminal");
  assert.equal(brief({ command: "a\nb" }), "a");
  assert.equal(brief({ file_path: "/x", content: "y" }), "/x");
  assert.equal(brief({ n: 1 }), "{\"n\":1}");
  assert.equal(brief(undefined), "");
});
