/** What waits for a person, what lately did, and what there was to tell. */

import { h, show } from "../lib/dom.js";
import { empty, failed, head, loading } from "../parts/page.js";
import { questions } from "../parts/questions.js";
import { tabs } from "../parts/tabs.js";
import { lately } from "./inbox_lately.js";
import { notices } from "./inbox_notices.js";

const KEYS = "j and k go from question to question, a and d to its answers, r to the reason; "
  + "Enter presses.";

/** The view, at one of its tabs: `questions` or `notices`. */
export function inbox(ctx, tab = "questions") {
  const ends = [];
  const counted = (label, value, count) => {
    const badge = h("span", { class: "tab-count" });
    ends.push(value.watch((now) => {
      badge.textContent = count(now) || "";
      badge.hidden = !badge.textContent;
    }));
    return [label, badge];
  };
  const kept = (made) => {
    ends.push(() => made.destroy());
    return made.node;
  };
  const { bar, panels, select } = tabs("Inbox", [
    {
      id: "questions", label: counted("Questions", ctx.approvals, (all) => all?.length),
      make: () => kept(asked(ctx)),
    },
    {
      id: "notices", label: counted("Notices", ctx.unread, (now) => now?.totalUnread),
      make: () => kept(notices(ctx)),
    },
  ], (id) => {
    history.replaceState(null, "", id === "questions" ? "#/inbox" : `#/inbox/${id}`);
  });
  select(tab);
  return {
    node: h("div", { class: "view inbox" }, head("Inbox"), bar, panels),
    title: "Inbox",
    destroy: () => ends.forEach((end) => end()),
  };
}

function asked(ctx) {
  const place = h("div", { class: "inbox-empty" });
  const keys = h("p", { class: "hint keys-hint", hidden: true }, KEYS);
  const cards = questions(ctx, { changed: draw });
  const past = lately(ctx);
  const stop = ctx.approvals.problem.watch(() => draw(ctx.approvals.get()?.length ?? null));
  document.addEventListener("keydown", steer);
  return {
    node: h("div", { class: "asked-panel" }, place, keys, cards.node, past.node),
    destroy() {
      document.removeEventListener("keydown", steer);
      cards.destroy();
      past.destroy();
      stop();
    },
  };

  function draw(count) {
    keys.hidden = !count;
    place.hidden = Boolean(count);
    const problem = ctx.approvals.problem.get();
    if (count === null && problem) show(place, failed(problem, ctx.approvals.refresh));
    else if (count === null) show(place, loading());
    else {
      show(place, empty("Nothing waits for you.",
        h("p", {}, "When an agent wants to do what no policy allows, its question stands here.")));
    }
  }

  /** Two keys for an answer: one goes to the button, Enter presses it. */
  function steer(event) {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const all = [...cards.node.children].filter((card) => !card.classList.contains("over"));
    if (typing || !plain || !all.length || !cards.node.offsetParent) return;
    const at = all.indexOf(document.activeElement?.closest(".approval"));
    const to = {
      j: () => all[Math.min(at + 1, all.length - 1)],
      k: () => all[Math.max(at - 1, 0)],
      a: () => all[at]?.querySelector(".answer.approve"),
      d: () => all[at]?.querySelector(".answer.deny"),
      r: () => all[at]?.querySelector("input"),
    }[event.key]?.();
    if (!to) return;
    event.preventDefault();
    to.focus();
    to.closest(".approval").scrollIntoView({ block: "nearest" });
  }
}
