/** All sessions: the running ones first, then what has ended. */

import { h, list, show } from "../lib/dom.js";
import { shortPath, span } from "../lib/format.js";
import { isLive, nameOf, stateBadge } from "../parts/state.js";

const AGE_MS = 10_000;

/** The view. */
export function sessions(ctx) {
  const [running, ended] = [group("Running"), group("Ended")];
  const empty = h("div", { class: "empty" });
  const node = h("div", { class: "view" },
    h("h1", {}, "Sessions"), empty, running.node, ended.node);
  const draw = () => {
    const all = ctx.sessions.get();
    running.update(all?.filter(isLive) ?? []);
    ended.update(all?.filter((session) => !isLive(session)) ?? []);
    empty.hidden = all?.length > 0;
    show(empty, all === null ? h("p", {}, "Loading…") : howToStart());
  };
  const unwatch = ctx.sessions.watch(draw);
  const ticking = setInterval(draw, AGE_MS);
  return {
    node,
    title: "Sessions",
    destroy() {
      unwatch();
      clearInterval(ticking);
    },
  };
}

function howToStart() {
  return [
    h("p", {}, "No sessions yet. Start one in a terminal on this machine:"),
    h("pre", { tabindex: "0" }, "codepiper start -p claude-code -d ~/project -n first"),
  ];
}

function group(title) {
  const rows = h("ul", { class: "rows" });
  const follow = list(rows, (session) => session.id, row);
  const node = h("section", {}, h("h2", {}, title), rows);
  return {
    node,
    update(all) {
      node.hidden = all.length === 0;
      follow(all);
    },
  };
}

function row(session) {
  const state = stateBadge();
  const [name, line, meta, alarm] = [
    h("span", { class: "row-name" }), h("span", { class: "row-line" }),
    h("span", { class: "meta" }), h("span", { class: "alarm", hidden: true }),
  ];
  const node = h("li", {}, h("a", { class: "row", href: `#/sessions/${session.id}` },
    h("span", { class: "row-head" }, name, state.node), line, meta, alarm));
  return {
    node,
    update(now) {
      state.update(now);
      name.textContent = nameOf(now);
      line.textContent = isLive(now) ? now.lastLine ?? "" : now.reason ?? "";
      meta.textContent = `${now.provider} · ${shortPath(now.cwd)} · ${span(now.createdAt)} ago`;
      meta.title = now.cwd;
      alarm.hidden = !now.alarm && !now.dangerousUntil;
      alarm.textContent = now.alarm
        ?? (now.dangerousUntil ? `No policy for another ${span(now.dangerousUntil)}` : "");
    },
  };
}
