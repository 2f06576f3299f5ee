/** One session: how it stands, its open questions, and behind tabs all that is known of it. */

import { get } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { later } from "../parts/later.js";
import { looking } from "../parts/looking.js";
import { empty, failed, head, loading } from "../parts/page.js";
import { tabs } from "../parts/tabs.js";
import { header } from "./session/header.js";
import { terminalTab } from "./session/terminal_tab.js";

/** The view of the session `id`. */
export function session(ctx, id) {
  const top = header(ctx, id);
  const questions = asks(ctx, id);
  const room = h("div", { class: "session-room" }, loading());
  const view = {
    node: h("div", { class: "view session dense" }, top.node, questions.node, room),
    title: "Session",
    destroy: () => stops.forEach((stop) => stop()),
  };
  let [parts, known] = [null, null];
  const stops = [
    looking(ctx.socket, id),
    questions.destroy,
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
      if (known) return;
      const isNone = error.status === 404;
      top.node.hidden = isNone;
      show(room, isNone ? nowhere() : failed(error, load));
    }
  }

  function update(now) {
    if (!now) return;
    known = now;
    top.node.hidden = false;
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
      make("activity", { label: "Activity", make: () => later(
        () => import("./session/activity.js"), (file) => file.activity(ctx, now)) }),
      make("policies", { label: "Policies", make: () => later(
        () => import("./session/policies.js"), (file) => file.policies(ctx, now)) }),
      make("details", { label: "Details", make: () => later(
        () => import("./session/details.js"), (file) => file.details(ctx, now)) }),
    ], (name) => {
      tools.hidden = name !== "terminal";
      made.get(name)?.shown?.();
    });
    parts = { forEach: (act) => made.forEach(act) };
    show(room, h("div", { class: "tab-line" }, bar.bar, tools), bar.panels);
    bar.select("terminal");
  }
}

/** What an old link or a removed session leaves. */
function nowhere() {
  return [head("No such session"), empty("It was removed, or the address is not right.",
    h("a", { class: "button", href: "#/sessions" }, "Show all sessions"))];
}

/** The session's open questions; what shows them is fetched with the first one. */
function asks(ctx, sessionId) {
  const node = h("div", { class: "questions" });
  let cards = null;
  const stop = ctx.approvals.watch((all) => {
    if (cards || !all?.some((one) => one.sessionId === sessionId)) return;
    cards = later(() => import("../parts/questions.js"),
      (file) => file.questions(ctx, { sessionId }));
    node.append(cards.node);
  });
  return {
    node,
    destroy() {
      stop();
      cards?.destroy();
    },
  };
}
