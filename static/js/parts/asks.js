/** Questions of agents as a list to answer. It knows their JSON, and nothing of pages. */

/** Asked again within this time it is the same question. */
const SAME_MS = 60_000;

/**
 * The questions, the oldest first, identical ones together: `{ key, asks }`, where `key` is the
 * first one's id, so that a group keeps its place while others join it.
 */
export function groupAsks(approvals) {
  const groups = [];
  const sorted = [...approvals].sort((a, b) => a.id - b.id);
  for (const ask of sorted) {
    const at = Date.parse(ask.createdAt);
    const found = groups.find((group) =>
      sameCall(group.asks[0], ask) && at - Date.parse(group.asks[0].createdAt) < SAME_MS);
    if (found) found.asks.push(ask);
    else groups.push({ key: ask.id, asks: [ask] });
  }
  return groups;
}

function sameCall(a, b) {
  return a.sessionId === b.sessionId && a.toolName === b.toolName && a.cwd === b.cwd
    && a.argsSha256 === b.argsSha256 && a.agentId === b.agentId;
}

/** Which key a group has while its first asks are answered and gone. */
export function keepKeys(before, groups) {
  const known = new Map(before.flatMap(({ key, asks }) => asks.map((ask) => [ask.id, key])));
  const taken = new Set();
  return groups.map((group) => {
    const key = group.asks.map((ask) => known.get(ask.id)).find((old) => old && !taken.has(old))
      ?? group.key;
    taken.add(key);
    return { ...group, key };
  });
}

/** How a question ended, in words: by whom, from where. `mine` are ids answered on this page. */
export function ending(approval, mine = new Set()) {
  const done = { approved: "Approved", denied: "Denied", expired: "Expired",
    withdrawn: "Withdrawn" }[approval.status] ?? "Answered";
  if (approval.status === "expired") return "Nobody answered in time: it did not run.";
  if (approval.status === "withdrawn") return `Withdrawn: ${approval.answerReason ?? "it ended"}.`;
  if (approval.decider === "terminal") return `${done} in the terminal.`;
  return `${done} ${from(approval, mine)}.`;
}

function from(approval, mine) {
  if (mine.has(approval.id)) return "here";
  const client = approval.client ?? "";
  if (client.startsWith("web ")) return "in a dashboard on another device or tab";
  if (client.startsWith("control ")) return "on the command line";
  return client ? `by ${client}` : "by you";
}
