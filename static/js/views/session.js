/** One session: how it stands, its open questions, and behind tabs all that is known of it. */

import { get } from "../lib/api.js";
import { h, list, show } from "../lib/dom.js";
import { approvalCard } from "../parts/approval_card.js";
import { looking } from "../parts/looking.js";
import { failed, loading } from "../parts/page.js";
import { tabs } from "../parts/tabs.js";
import { activity } from "./session/activity.js";
import { details } from "./session/details.js";
import { header } from "./session/header.js";
import { policies } from "./session/policies.js";
import { terminalTab } from "./session/terminal_tab.js";

/** The view of the session `id`. */
export function session(ctx, id) {
  const top = header(ctx, id);
  const questions = h("div", { class: "questions" });
  const room = h("div", { class: "session-room" }, loading());
  const view = {
    node: h("div", { class: "view session dense" }, top.node, questions, room),
    title: "Session",
    destroy: () => stops.forEach((stop) => stop()),
  };
  const follow = list(questions, (approval) => approval.id,
    (approval) => approvalCard(approval, ctx.approvals.refresh, true));
  let [parts, known] = [null, null];
  const stops = [
    looking(ctx.socket, id),
    ctx.approvals.watch((all) => follow((all ?? []).filter((one) => one.sessionId === id))),
    ctx.sessions.watch((all) => update(all?.find((one) => one.id === id))),
    top.destroy,
    () => parts?.forEach((part) => part.destroy?.()),
  ];
  load();
  return view;

  // The list may be on its way, and this address may name what it does not hold.
  async function load() {
    try {
      update((await get(`/sessions/${encodeURIComponent(id)}`)).session);
    } catch (error) {
      if (!known) show(room, failed(error, error.status === 404 ? null : load));
    }
  }

  function update(now) {
    if (!now) return;
    known = now;
    top.update(now);
    if (!parts && view.node.isConnected) fill(now);
    parts?.forEach((part) => part.update?.(now));
  }

  function fill(now) {
    const made = new Map();
    const make = (name, part) => ({
      id: name, label: part.label, make: () => {
        made.set(name, part.make());
        made.get(name).update?.(known);
        return made.get(name).node;
      },
    });
    const tools = h("div", { class: "tab-tools" });
    const bar = tabs("Session", [
      make("terminal", { label: "Terminal", make: () => terminalTab(ctx, now, tools) }),
      make("activity", { label: "Activity", make: () => activity(ctx, now) }),
      make("policies", { label: "Policies", make: () => policies(ctx, now) }),
      make("details", { label: "Details", make: () => details(ctx, now) }),
    ], (name) => {
      tools.hidden = name !== "terminal";
      made.get(name)?.shown?.();
    });
    parts = { forEach: (act) => made.forEach(act) };
    show(room, h("div", { class: "tab-line" }, bar.bar, tools), bar.panels);
    bar.select("terminal");
  }
}
