/** One session in the list: what it is, how it stands, what it last said or asks for. */

import { h, list, say } from "../../lib/dom.js";
import { lastPart, span } from "../../lib/format.js";
import { oneLine } from "../../lib/hidden.js";
import { menu } from "../../parts/menu.js";
import { marks } from "../../parts/marks.js";
import { actionsOf } from "../../parts/session_actions.js";
import { badge } from "../../parts/badge.js";
import { isLive, nameOf, stateBadge } from "../../parts/state.js";
import { moment } from "../../parts/moment.js";
import { brief } from "./order.js";

/** `{ node, update({ session, asks }) }`. */
export function row(ctx) {
  const state = stateBadge();
  const name = h("a", { class: "session-name" });
  const line = h("span", { class: "session-line" });
  const where = h("span", { class: "session-where meta" });
  const badges = h("span", { class: "session-badges" });
  const answer = h("a", { class: "session-answer", hidden: true }, "Answer");
  const age = moment("age");
  let now = null;
  const more = menu("Actions", "⋯", () => actionsOf(ctx, now));
  const follow = list(badges, ({ word }) => word, ({ word, tone, title }) =>
    ({ node: badge(word, tone, title), update: () => {} }));
  const node = h("li", { class: "session-row" },
    state.node, name, line, badges, answer, where, age.node, more);
  return { node, update };

  function update({ session, asks }) {
    now = session;
    state.update(session);
    say(name, nameOf(session));
    name.title = nameOf(session);
    name.setAttribute("href", `#/sessions/${session.id}`);
    const text = oneLine(lineOf(session, asks));
    say(line, text);
    line.title = text;
    node.classList.toggle("asking", asks.length > 0);
    follow(marks(session));
    answer.hidden = asks.length === 0;
    answer.setAttribute("href", `#/sessions/${session.id}`);
    say(answer, asks.length > 1 ? `Answer ${asks.length}` : "Answer");
    say(where, `${session.provider} · ${oneLine(lastPart(session.cwd))}`);
    where.title = session.cwd;
    age.update(isLive(session) ? session.createdAt : session.endedAt ?? session.updatedAt);
    more.setAttribute("aria-label", `Actions for ${nameOf(session)}`);
  }
}

function lineOf(session, asks) {
  if (session.alarm) return session.alarm;
  if (asks.length) return `asks for ${brief(asks[0])}`;
  if (!isLive(session)) return session.reason ?? "";
  const queued = session.queued ? `${session.queued} queued · ` : "";
  return queued + (session.lastLine ?? `no output for ${span(session.createdAt)}`);
}
