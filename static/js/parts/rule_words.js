/** Rules of policies in words and badges. What a rule means is the daemon's business. */

import { h } from "../lib/dom.js";
import { TONES } from "./audit_words.js";
import { badge } from "./badge.js";
import { visible } from "./visible_text.js";

const FIELDS = [
  ["tool", "tool"], ["command", "shell"], ["read", "read"], ["write", "write"], ["host", "host"],
  ["args", "args"], ["cwd", "cwd"], ["id", "id"], ["reason", "reason"],
];

/** A rule in one line, as near to the line form as is good to read. */
function ruleLine(rule) {
  const one = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const many = (value) => (Array.isArray(value) ? value.map(one).join(" | ") : one(value));
  const known = FIELDS.filter(([name]) => rule[name] !== undefined)
    .map(([name, word]) => `${word} ${many(rule[name])}`);
  return [rule.action, known.join(" ; ")].filter(Boolean).join(" ");
}

/** The same from its JSON; what is none stays as it is. */
export function ruleLineOf(json) {
  try {
    return ruleLine(JSON.parse(json));
  } catch {
    return json;
  }
}

/** A verdict as a badge. */
export const verdict = (action) => badge(action, TONES[action] ?? "over");

/** The daemon's words for a rule, which begin with what it does. */
export function ruleAbout({ rule, text }) {
  const [, action, rest] = text.match(/^(allow|ask|deny)\s+(.*)$/su) ?? [null, null, text];
  return h("li", {}, h("span", { class: "rule-name" }, visible(rule, false)),
    action && verdict(action), h("code", {}, visible(rest.replace(`[${rule}]`, "").trim(), false)));
}

/** Whether a policy decides anything: `[word, tone, title]`. */
export function standing(policy) {
  if (!policy.enabled) return ["off", "over", "it decides nothing"];
  if (policy.problem) return ["broken", "bad", policy.problem];
  return ["on", "busy", null];
}

/** Which sessions a policy holds for, in words; `sessions` may be null. */
export function scopeWords(policy, sessions) {
  if (policy.builtIn) return "built in";
  if (policy.scope === "session") {
    const owner = sessions?.find(({ id }) => id === policy.sessionId);
    return `session ${owner?.name ?? policy.sessionId.slice(0, 8)}`;
  }
  return policy.scope === "set" ? "where a set lists it" : "all sessions";
}
