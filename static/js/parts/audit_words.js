/** Rows of the audit log in words. */

/** The fields that say most of a call, by tools' own names for them. */
const MAIN = ["command", "file_path", "path", "url", "pattern", "query"];

/** What a line of a list has room for; the row itself has the whole. */
const LINE_CHARS = 300;

const DECIDERS = {
  rule: "a rule", default: "the default", "self-protection": "codepiper's own protection",
  person: "a person", terminal: "the terminal", grant: "a grant", dangerous: "dangerous mode",
  expiry: "nobody in time", withdrawn: "withdrawn", daemon: "the daemon",
};

/** What rows are about, and what the log calls it. */
export const KINDS = [
  ["decision", "Decisions"], ["answer", "Answers"], ["alarm", "Alarms"], ["policy", "Policies"],
  ["grant", "Grants"], ["setting", "Settings"], ["session", "Sessions"], ["login", "Logins"],
  ["chain", "The log itself"],
];

/** The tool, and what it was called with in its shortest form; empty where there is no call. */
export function callLine({ toolName, args }) {
  if (!toolName) return "";
  const main = MAIN.map((name) => args?.[name]).find((value) => typeof value === "string");
  const line = `${toolName} ${main ?? JSON.stringify(args ?? {})}`;
  return line.length > LINE_CHARS ? `${line.slice(0, LINE_CHARS)}…` : line;
}

/** Who decided, and through which door. */
export function deciders({ decider, client }) {
  const who = DECIDERS[decider] ?? decider ?? "";
  if (!client || !["person", "grant"].includes(decider)) return who;
  if (client.startsWith("web ")) return `${who} (dashboard)`;
  return client.startsWith("control ") ? `${who} (command line)` : `${who} (${client})`;
}

/** The policy and rule that decided, else who did. */
export function ruleOf(entry) {
  const named = [entry.policyName, entry.ruleId].filter(Boolean).join(": ");
  return named || deciders(entry);
}

/** A decision's tone for a badge. */
export const TONES = { allow: "busy", ask: "ask", deny: "bad" };
