/**
 * The open questions as cards, the oldest first, each staying for a moment after its end so that
 * one can read how it ended. A card never takes the focus, and a new one comes below the others.
 */

import { h, list } from "../lib/dom.js";
import { answeredHere, approvalCard } from "./approval_card.js";
import { ending, groupAsks, keepKeys } from "./asks.js";

/** How long an ended question is still there to be read. */
const READ_MS = 3000;

/**
 * `{ node, destroy() }`; `sessionId` selects one session's, and `changed(count)` is told how many
 * are there: null while they are not known.
 */
export function questions(ctx, { sessionId = null, changed = () => {} } = {}) {
  const node = h("div", { class: "cards" });
  const follow = list(node, ({ key }) => key,
    (group) => approvalCard(group, ctx.approvals.refresh, sessionId !== null));
  const leaving = new Map();
  let groups = [];
  const stops = [ctx.approvals.watch(draw), ctx.ended.watch(draw)];
  return {
    node,
    destroy() {
      stops.forEach((stop) => stop());
      leaving.forEach(({ timer }) => clearTimeout(timer));
    },
  };

  function draw() {
    const all = ctx.approvals.get();
    if (all === null) return changed(null);
    const wanted = all.filter((one) => sessionId === null || one.sessionId === sessionId);
    const next = keepKeys(groups, groupAsks(wanted));
    const known = new Set(next.map(({ key }) => key));
    groups.filter(({ key }) => !known.has(key)).forEach(leave);
    known.forEach((key) => {
      clearTimeout(leaving.get(key)?.timer);
      leaving.delete(key);
    });
    groups = next;
    const going = [...leaving.values()].map(({ group }) => ({ ...group, ended: ended(group) }));
    const items = [...next, ...going].sort((a, b) => a.key - b.key);
    const regain = focusAfter();
    follow(items);
    regain();
    return changed(items.length);
  }

  function leave(group) {
    const timer = setTimeout(() => {
      leaving.delete(group.key);
      draw();
    }, READ_MS);
    leaving.set(group.key, { group, timer });
  }

  function ended({ asks }) {
    const last = asks.at(-1);
    const known = ctx.ended.get().find(({ id }) => id === last.id);
    return known ? ending(known, answeredHere) : "Answered.";
  }

  /** Where the focus was in a card that goes, the next card has it. */
  function focusAfter() {
    const card = document.activeElement?.closest?.(".approval");
    if (!card || !node.contains(card)) return () => {};
    const after = card.nextElementSibling ?? card.previousElementSibling;
    return () => !card.isConnected && after?.isConnected && after.focus({ preventScroll: true });
  }
}
