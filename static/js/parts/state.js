/** How a session stands, in a word and a colour; never in the colour alone. */

import { h } from "../lib/dom.js";
import { oneLine } from "../lib/hidden.js";

const WORDS = {
  STARTING: ["starting", "busy"],
  RUNNING: ["running", "busy"],
  NEEDS_PERMISSION: ["needs permission", "ask"],
  NEEDS_INPUT: ["waits for you", "ask"],
  STOPPED: ["ended", "over"],
  CRASHED: ["crashed", "bad"],
};

/** A badge that follows its session: `{ node, update(session) }`. */
export function stateBadge() {
  const node = h("span", { class: "state" });
  return {
    node,
    update(session) {
      const [word, tone] = session.adopting && isLive(session)
        ? ["coming back", "busy"]
        : WORDS[session.status] ?? [session.status.toLowerCase(), "over"];
      node.textContent = session.frozen ? "frozen" : word;
      node.dataset.tone = session.frozen ? "over" : tone;
    },
  };
}

/** It has a program that runs. */
export function isLive(session) {
  return session.status !== "STOPPED" && session.status !== "CRASHED";
}

/** What a person calls it. */
export function nameOf(session) {
  return session.name ? oneLine(session.name) : session.id.slice(0, 8);
}
