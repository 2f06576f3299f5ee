/** Which sessions are shown in which order, and for what each of them waits. No DOM here. */

const ENDED = ["STOPPED", "CRASHED"];
const WAITING = ["NEEDS_PERMISSION", "NEEDS_INPUT"];

/** "waiting", "running" or "ended". */
export function groupOf(session) {
  if (ENDED.includes(session.status)) return "ended";
  return WAITING.includes(session.status) ? "waiting" : "running";
}

/** Whether each word of `text` is in its name, directory, id or last line. */
export function matches(session, text) {
  const { name, cwd, id, lastLine, provider } = session;
  const all = [name, cwd, id, lastLine, provider].join("\n").toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

const HEADINGS = [
  ["waiting", "Waiting for you"], ["running", "Running"], ["ended", "Ended"],
];

/**
 * The lines of the list: `{ id, heading, count }` in front of each group that has sessions, and
 * `{ id, session, asks }`, where `asks` are the session's open approvals, oldest first.
 */
export function arrange(all, wanted, approvals) {
  const asks = new Map();
  for (const approval of approvals) {
    asks.set(approval.sessionId, [...(asks.get(approval.sessionId) ?? []), approval]);
  }
  return HEADINGS.flatMap(([group, heading]) => {
    const here = wanted.filter((session) => groupOf(session) === group);
    if (group === "waiting") here.sort((a, b) => a.updatedAt.localeCompare(b.updatedAt));
    if (group === "ended") here.sort((a, b) => last(b).localeCompare(last(a)));
    if (here.length === 0) return [];
    return [{ id: `group ${group}`, heading, count: here.length },
      ...here.map((session) => ({ id: session.id, session, asks: asks.get(session.id) ?? [] }))];
  });
}

const last = (session) => session.endedAt ?? session.updatedAt;

/** What a call is, in one line: `Bash git push`. */
export function brief(approval) {
  const main = approval.content.find(({ kind }) => kind === "command" || kind === "path")
    ?? approval.content[0];
  return `${approval.toolName} ${(main?.text ?? "").trim().split("\n")[0]}`.trim();
}
