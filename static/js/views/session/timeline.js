/**
 * Events of a session and rows of its audit log as one line of time: each tool call once, with its
 * verdict, who gave it and how long it took. No DOM here.
 */

import { oneLine } from "../../lib/hidden.js";

/** What events are called, by source and type. */
const NOTES = {
  "session started": "Started",
  "session ended": "Ended",
  "session connected": "Connected to its terminal",
  "session guarded": "Its hooks report: policy decides from here on",
  "session alarm": "Alarm",
  "session recovered": "Taken over by a new daemon",
  "session renamed": "Renamed",
  "session set applied": "Policy set applied",
  "session set taken off": "Policy set taken off",
  "session frozen": "Frozen",
  "session thawed": "Thawed",
  "hook SessionStart": "The agent began a conversation",
  "hook SessionEnd": "The agent ended its conversation",
  "hook UserPromptSubmit": "A prompt was sent",
  "hook Stop": "The agent finished a turn",
  "hook StopFailure": "The agent broke off its turn",
  "hook SubagentStart": "A sub-agent began",
  "hook SubagentStop": "A sub-agent finished",
  "hook Notification": "The agent says",
  "hook PreCompact": "The conversation is being shortened",
};

/** What a call's own entry tells already, or what is only of use to the daemon. */
const SILENT = [
  "session state", "session approval asked", "session approval answered", "session dialog",
  "session own dialog", "hook PreToolUse", "hook PostToolUse", "hook PostToolUseFailure",
  "hook PermissionRequest",
];

const AFTER = ["PostToolUse", "PostToolUseFailure"];

/**
 * The entries, newest first. `cut` is a time (milliseconds) before which not all is loaded; nothing
 * older is told.
 */
export function timeline(events, rows, cut = 0) {
  const finished = new Map(events.filter(({ type }) => AFTER.includes(type))
    .map((event) => [event.payload.tool_use_id, event]));
  const answers = new Map(rows.filter(({ kind }) => kind === "answer")
    .map((row) => [row.about, row]));
  const calls = rows.filter(({ kind }) => kind === "decision")
    .map((row) => call(row, answers.get(row.seq), finished.get(row.toolUseId)));
  const notes = events.filter((event) => isNote(event)).map(note);
  return [...calls, ...notes].filter(({ at }) => at >= cut)
    .sort((a, b) => b.at - a.at || b.order - a.order);
}

/** What a call asks for, in one line. */
export function brief(args) {
  if (typeof args !== "object" || args === null) return args == null ? "" : String(args);
  const main = args.command ?? args.file_path ?? args.path ?? args.url ?? args.pattern;
  const text = typeof main === "string" ? main : JSON.stringify(args);
  return oneLine(text.trim().split("\n")[0]);
}

function call(row, answer, after) {
  const verdict = answer?.decision ?? row.decision;
  const begun = answer?.atMs ?? row.atMs;
  return {
    key: `call ${row.seq}`, at: row.atMs, order: row.seq, time: row.timestamp, isCall: true,
    row, answer: answer ?? null, verdict, tool: row.toolName ?? "", text: brief(row.args),
    by: deciderOf(answer ?? row),
    waited: answer ? answer.atMs - row.atMs : null,
    took: after ? Math.max(0, Date.parse(after.timestamp) - begun) : null,
    failed: after?.type === "PostToolUseFailure",
  };
}

/** Who or what gave a verdict, in words. */
export function deciderOf({ decider, policyName, ruleId }) {
  const rule = [policyName, ruleId].filter(Boolean).join(" · ");
  return {
    rule: rule || "a rule", default: "no rule", person: "you", terminal: "you, in the terminal",
    grant: "a grant", dangerous: "dangerous mode", expiry: "nobody in time",
    withdrawn: "taken back by the agent", "self-protection": "codepiper's own protection",
    daemon: "the daemon",
  }[decider] ?? decider;
}

function isNote({ source, type }) {
  return source !== "decision" && !SILENT.includes(`${source} ${type}`);
}

function note(event) {
  const { id, source, type, payload, timestamp } = event;
  const title = NOTES[`${source} ${type}`] ?? `${type.charAt(0).toUpperCase()}${type.slice(1)}`;
  return {
    key: `event ${id}`, at: Date.parse(timestamp), order: id, time: timestamp, isCall: false,
    title, text: said(payload), isBad: type === "alarm",
  };
}

/** What an event's payload says to a person. */
function said(payload) {
  const { message, prompt, reason, name, text, program, set, policySet } = payload ?? {};
  const known = message ?? prompt ?? reason ?? name ?? text ?? set ?? policySet ?? program ?? "";
  return typeof known === "string" ? oneLine(known.trim().split("\n")[0]) : "";
}
