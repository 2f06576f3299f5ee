/** One session: its open questions, and its terminal. */

import { get } from "../lib/api.js";
import { h, list, show } from "../lib/dom.js";
import { shortPath } from "../lib/format.js";
import { approvalCard } from "../parts/approval_card.js";
import { keybar } from "../parts/keybar.js";
import { isLive, nameOf, stateBadge } from "../parts/state.js";
import { terminal } from "../parts/terminal.js";

/** The view of the session `id`. */
export function session(ctx, id) {
  const state = stateBadge();
  const [name, meta, alarm] = [
    h("h1", {}), h("p", { class: "meta" }), h("p", { class: "alarm", hidden: true }),
  ];
  const questions = h("div", { class: "questions" });
  const screen = h("div", { class: "screen" }, h("p", { class: "meta" }, "Loading…"));
  const head = h("header", { class: "session-head" },
    h("a", { href: "#/sessions", class: "back", "aria-label": "All sessions" }, "←"),
    h("div", {}, h("div", { class: "row-head" }, name, state.node), meta), alarm);
  const view = {
    node: h("div", { class: "view session" }, head, questions, screen),
    title: "Session",
    destroy: () => stops.forEach((stop) => stop()),
  };
  const follow = list(questions, (approval) => approval.id,
    (approval) => approvalCard(approval, ctx.approvals.refresh, true));
  let live = null;
  const stops = [
    ctx.approvals.watch((all) => follow((all ?? []).filter((one) => one.sessionId === id))),
    ctx.sessions.watch((all) => update(all?.find((one) => one.id === id))),
    () => live?.destroy(),
  ];
  // The list may be on its way, and this address may name what it does not hold.
  get(`/sessions/${encodeURIComponent(id)}`).then((found) => update(found.session), (error) => {
    if (!live) show(screen, h("p", { class: "problem" }, error.message));
  });
  return view;

  function update(now) {
    if (!now) return;
    name.textContent = nameOf(now);
    meta.textContent = `${now.provider} · ${shortPath(now.cwd)}`;
    meta.title = now.cwd;
    state.update(now);
    alarm.hidden = !now.alarm;
    alarm.textContent = now.alarm ?? "";
    screen.classList.toggle("over", !isLive(now));
    if (live || !head.isConnected) return;
    live = terminal(ctx.socket, now);
    show(screen, live.node,
      h("p", { class: "way-out" }, "Ctrl+Shift+↑ leaves the terminal by keyboard"),
      keybar(live.key));
  }
}
