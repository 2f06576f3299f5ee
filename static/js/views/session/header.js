/** The head of a session: its name, how it stands, and what can be done with it. */

import { post, put, remove } from "../../lib/api.js";
import { h, list, say } from "../../lib/dom.js";
import { oneLine } from "../../lib/hidden.js";
import { badge } from "../../parts/badge.js";
import { marks } from "../../parts/marks.js";
import { menu } from "../../parts/menu.js";
import { actionsOf, done, resume, stop } from "../../parts/session_actions.js";
import { isLive, nameOf, stateBadge } from "../../parts/state.js";
import { moment } from "../../parts/moment.js";

const NAME_CHARS = 80;
const TICK_MS = 1000;
const PEN = "✎";

/** `{ node, update(session), destroy() }`. */
export function header(ctx, id) {
  const state = stateBadge();
  const name = renaming(ctx, id);
  const [where, since] = [h("span", { class: "session-path" }), moment()];
  const alarm = h("p", { class: "alarm", hidden: true });
  const badges = h("span", { class: "session-badges" });
  const follow = list(badges, ({ title, word }) => title ?? word, mark);
  let now = null;
  const buttons = quick(ctx, id, () => now);
  const gone = () => { location.hash = "#/sessions"; };
  const more = menu("More actions", "⋯", () => actionsOf(ctx, now, gone), { hidden: true });
  // The countdown of dangerous mode has to be right in its last minute.
  const ticking = setInterval(() => now?.dangerousUntil && update(now), TICK_MS);
  const node = h("header", { class: "session-head" },
    h("a", { href: "#/sessions", class: "back", "aria-label": "All sessions" }, "←"),
    h("div", { class: "session-title" },
      h("div", { class: "row-head" }, name.nodes, state.node, badges),
      h("p", { class: "meta" }, where, since.node)),
    h("div", { class: "actions" }, buttons.map((one) => one.node), more), alarm);
  return { node, update, destroy: () => clearInterval(ticking) };

  function update(session) {
    now = session;
    more.hidden = false;
    name.update(session);
    say(where, `${session.provider} · ${oneLine(session.cwd)} · `);
    where.title = session.cwd;
    since.update(isLive(session) ? session.createdAt : session.endedAt ?? session.updatedAt);
    state.update(session);
    follow(marks(session).filter(({ word }) => word !== "alarm"));
    alarm.hidden = !session.alarm;
    say(alarm, session.alarm ?? "");
    buttons.forEach((one) => one.update(session));
  }
}

/** The name, and the field that takes its place: `{ nodes, update(session) }`. */
function renaming(ctx, id) {
  const name = h("h1", { title: "Double-click to rename", ondblclick: edit });
  const pen = h("button", { class: "quiet pen", "aria-label": "Rename", title: "Rename",
    hidden: true, onclick: edit }, PEN);
  const field = h("input", { class: "rename", "aria-label": "Name", maxlength: NAME_CHARS,
    hidden: true, onkeydown: keys, onblur: () => leave(true) });
  let now = null;
  return {
    nodes: [name, field, pen],
    update(session) {
      now = session;
      pen.hidden = !field.hidden;
      say(name, nameOf(session));
    },
  };

  function edit() {
    field.value = now?.name ?? "";
    editing(true);
    field.focus();
    field.select();
  }

  function editing(is) {
    field.hidden = !is;
    name.hidden = is;
    pen.hidden = is;
  }

  function keys(event) {
    if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    leave(event.key === "Enter");
    pen.focus();
  }

  function leave(keep) {
    if (field.hidden) return;
    editing(false);
    const wanted = field.value.trim();
    if (!keep || wanted === (now.name ?? "")) return;
    const path = `/sessions/${encodeURIComponent(id)}/name`;
    done(put(path, { name: wanted || null }), "", () => ctx.sessions.refresh());
  }
}

/** What is wanted most, one press away: `[{ node, update(session) }]`; `now()` is the session. */
function quick(ctx, id, now) {
  const path = `/sessions/${encodeURIComponent(id)}`;
  const refresh = () => ctx.sessions.refresh();
  return [
    button("End dangerous mode", "danger", (session) => Boolean(session.dangerousUntil),
      () => done(remove(`${path}/dangerous`), "Policy decides again.", refresh)),
    button("Freeze", "roomy", (session) => isLive(session) && !session.frozen,
      () => done(post(`${path}/freeze`), "", refresh)),
    button("Thaw", "primary", (session) => isLive(session) && session.frozen,
      () => done(post(`${path}/thaw`), "", refresh)),
    button("Stop", "danger roomy", isLive, () => stop(now(), refresh)),
    button("Resume", "primary", (session) => !isLive(session), () => resume(now(), refresh)),
  ];
}

function button(label, tone, wanted, act) {
  const node = h("button", { class: tone, hidden: true, onclick: act }, label);
  return { node, update: (session) => { node.hidden = !wanted(session); } };
}

/** A badge whose words may change, like a countdown. */
function mark({ word, tone, title }) {
  const node = badge(word, tone, title);
  return { node, update: (now) => say(node, now.word) };
}
