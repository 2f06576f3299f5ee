/** One row of the audit log with all that it holds. */

import { h } from "../lib/dom.js";
import { deciders } from "./audit_words.js";
import { ruleLineOf, verdict } from "./rule_words.js";
import { timed, whole } from "./moment.js";
import { command } from "./call.js";
import { eyes, visible } from "./visible_text.js";

/** Names of fields that stand with the row's own words elsewhere, or say nothing to a person. */
const QUIET = ["seq", "timestamp", "atMs", "decision", "reason", "args", "effects", "hash", "mac"];
const NAMES = {
  kind: "Kind", sessionId: "Session", toolName: "Tool", cwd: "Directory", policyName: "Policy",
  ruleId: "Rule", policyVersion: "Version", decider: "Decided by", client: "Through",
  about: "Goes on from", requestId: "Request", toolUseId: "Call", agentId: "Subagent",
  argsSha256: "SHA-256 of the input", bootId: "Boot", bootMs: "Since boot", hash: "Hash",
  mac: "Mark of the key",
};
const FIRST = ["kind", "decider", "policyName", "ruleId", "policyVersion", "sessionId", "toolName",
  "cwd", "client", "about"];
const LAST = ["argsSha256", "requestId", "toolUseId", "agentId", "bootId", "bootMs"];

/** The entry; `sessions` give names, and may be null. */
export function auditEntry(entry, sessions) {
  const rest = Object.keys(entry).filter((name) => ![QUIET, FIRST, LAST].flat().includes(name));
  const names = [...FIRST.filter((name) => name in entry), ...rest];
  const fact = (name) =>
    [h("dt", {}, NAMES[name] ?? name), h("dd", {}, value(entry, name, sessions))];
  return h("div", { class: "audit-entry" },
    h("p", { class: "verdict" }, entry.decision && verdict(entry.decision),
      h("b", {}, visible(entry.reason, false))),
    h("p", { class: "meta" }, timed(entry.timestamp, whole(entry.timestamp))),
    input(entry),
    entry.effects?.length > 0 && [h("h3", {}, "What it does"),
      h("ul", { class: "plain-list" }, entry.effects.map((effect) =>
        h("li", {}, h("code", {}, visible(effect, false)))))],
    h("dl", { class: "row-facts" }, names.map(fact)),
    h("details", {}, h("summary", {}, "Numbers and hashes"),
      h("dl", { class: "row-facts" }, [...LAST, "hash", "mac"].filter((name) => name in entry)
        .map(fact))));
}

function input({ args, toolName }) {
  if (args === undefined || args === null) return null;
  if (!toolName) return details(args);
  const shell = typeof args.command === "string" ? args.command : null;
  const rest = Object.entries(args).filter(([name]) => shell === null || name !== "command");
  return h("div", { class: "call" }, shell !== null && command(shell),
    rest.length > 0 && h("dl", { class: "row-facts" }, rest.map(([name, text]) =>
      [h("dt", {}, visible(name, false)), h("dd", {}, argument(text))])));
}

function argument(given) {
  const text = typeof given === "string" ? given : JSON.stringify(given, null, 2);
  return [eyes(text), text.includes("\n")
    ? h("pre", { class: "bare", tabindex: "0" }, visible(text))
    : h("code", { class: "bare" }, visible(text, false))];
}

/** What a row without a call says in detail: of a policy, the rules that came and went. */
function details(args) {
  const rules = (list, sign, kind) => (list ?? []).map((rule) =>
    h("span", { class: `line ${kind}` }, h("span", { class: "sign" }, sign),
      h("span", {}, visible(ruleLineOf(rule)))));
  const { added, removed, ...others } = args;
  const lines = Array.isArray(added) || Array.isArray(removed)
    ? [...rules(removed, "−", "removed"), ...rules(added, "+", "added")] : [];
  const shown = lines.length ? others : args;
  return [
    lines.length > 0 && h("pre", { class: "lines diff", tabindex: "0" }, lines),
    h("dl", { class: "row-facts" }, Object.entries(shown).map(([name, text]) =>
      [h("dt", {}, visible(name, false)), h("dd", {}, argument(text))])),
  ];
}

function value(entry, name, sessions) {
  const given = entry[name];
  if (name === "sessionId") {
    const known = sessions?.find(({ id }) => id === given);
    if (sessions && !known) return [h("code", {}, given), " (it is gone)"];
    return h("a", { href: `#/sessions/${encodeURIComponent(given)}` },
      visible(known?.name ?? given, false));
  }
  if (name === "decider") return visible(deciders({ decider: given }), false);
  if (name === "about") return h("a", { href: `#/audit/${given}` }, `row ${given}`);
  const isCode = LAST.includes(name) || ["hash", "mac", "cwd"].includes(name);
  const text = visible(String(given), false);
  return isCode ? h("code", { class: "bare" }, text) : text;
}
