/** What waits for a person: each open question whole, the oldest first. */

import { h, list, show } from "../lib/dom.js";
import { approvalCard } from "../parts/approval_card.js";

const AGE_MS = 10_000;

/** The view. */
export function inbox(ctx) {
  const cards = h("div", { class: "cards" });
  const empty = h("div", { class: "empty" });
  const follow = list(cards, (approval) => approval.id,
    (approval) => approvalCard(approval, ctx.approvals.refresh));
  const draw = () => {
    const all = ctx.approvals.get();
    follow(all ?? []);
    empty.hidden = all?.length > 0;
    show(empty, h("p", {}, all === null ? "Loading…" : "Nothing waits for you."));
  };
  const unwatch = ctx.approvals.watch(draw);
  const ticking = setInterval(draw, AGE_MS);
  return {
    node: h("div", { class: "view" }, h("h1", {}, "Inbox"), empty, cards),
    title: "Inbox",
    destroy() {
      unwatch();
      clearInterval(ticking);
    },
  };
}
