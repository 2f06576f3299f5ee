/** What there was to tell, read or not, and whether it got where it was sent. */

import { get, post, withQuery } from "../lib/api.js";
import { h, list, show } from "../lib/dom.js";
import { sentence } from "../lib/format.js";
import { badge } from "../parts/badge.js";
import { ago, whole } from "../parts/moment.js";
import { empty, failed, loading } from "../parts/page.js";
import { words } from "../parts/field.js";
import { toast } from "../parts/toast.js";
import { visible } from "../parts/visible_text.js";

const PAGE = 50;
const TONES = { sent: "busy", failed: "bad", waiting: "ask", skipped: "over" };

/** `{ node, destroy() }`. */
export function notices(ctx) {
  const rows = h("ul", { class: "notices" });
  const place = h("div", {});
  const follow = list(rows, ({ id }) => id, row);
  const unreadOnly = h("input", { type: "checkbox", id: "unread-only", onchange: draw });
  const readAll = h("button", { type: "button", onclick: markAll }, "Mark all read");
  const more = h("button", { type: "button", onclick: older, hidden: true }, "Show older");
  let past = [];
  let ended = false;
  const stops = [ctx.notices.watch(draw), ctx.notices.problem.watch(draw), ctx.unread.watch(
    (now) => { readAll.disabled = !now?.totalUnread; })];
  return {
    node: h("div", { class: "notices-panel" },
      h("div", { class: "actions spread" },
        h("div", { class: "check" }, unreadOnly,
          h("label", { for: unreadOnly.id }, "Only unread")), readAll),
      place, rows, more),
    destroy: () => stops.forEach((stop) => stop()),
  };

  function all() {
    const fresh = ctx.notices.get() ?? [];
    const known = new Set(fresh.map(({ id }) => id));
    return [...fresh, ...past.filter(({ id }) => !known.has(id))];
  }

  function draw() {
    const wanted = all().filter(({ readAt }) => !unreadOnly.checked || !readAt);
    follow(wanted);
    more.hidden = ended || all().length < PAGE;
    const problem = ctx.notices.problem.get();
    place.hidden = wanted.length > 0;
    if (wanted.length) return;
    if (ctx.notices.get() === null) {
      show(place, problem ? failed(problem, ctx.notices.refresh) : loading());
    } else if (unreadOnly.checked) show(place, empty("Nothing is unread."));
    else {
      show(place, empty("Nothing to tell yet.",
        h("p", {}, "Here stands what happened while you looked elsewhere: a question, an end, "
          + "an alarm.")));
    }
  }

  async function older() {
    more.disabled = true;
    try {
      const before = all().at(-1)?.id;
      const query = { before, limit: PAGE, unreadOnly: unreadOnly.checked || null };
      const { notifications } = await get(withQuery("/notifications", query));
      past = [...past, ...notifications];
      ended = notifications.length < PAGE;
      draw();
    } catch (error) {
      toast(words(error));
    }
    more.disabled = false;
  }

  async function markAll() {
    readAll.disabled = true;
    await post("/notifications/read").catch((error) => toast(words(error)));
    past = past.map(isRead);
    ctx.notices.refresh();
  }

  function row(notice) {
    return noticeRow(notice, async (id) => {
      await post(`/notifications/${id}/read`).catch((error) => toast(words(error)));
      past = past.map((one) => (one.id === id ? isRead(one) : one));
      ctx.notices.refresh();
    });
  }
}

const isRead = (one) => ({ ...one, readAt: one.readAt ?? new Date().toISOString() });

function noticeRow(notice, read) {
  const [state, times, receipts, body] = [
    h("span", { class: "unread-dot", title: "unread" }, h("span", { class: "unseen" }, "unread")),
    h("span", { class: "meta" }), h("ul", { class: "receipts" }), h("p", { class: "notice-body" }),
  ];
  const title = h("span", { class: "notice-title" });
  const mark = h("button", { type: "button", class: "text", onclick: press },
    "Mark read");
  const to = notice.approvalId ? "#/inbox" : `#/sessions/${encodeURIComponent(notice.sessionId)}`;
  const name = notice.sessionName ?? notice.sessionId?.slice(0, 8);
  const node = h("li", { class: "notice-row" }, state,
    h("div", { class: "notice-main" },
      h("p", { class: "notice-head" }, title, times),
      body,
      h("p", { class: "meta" }, name && h("a", { href: to }, visible(name, false)),
        " · ", visible(notice.provider ?? "", false), " · ", ago(notice.createdAt)),
      receipts),
    mark);
  return { node, update };

  /** The button goes with the press: the focus is on the next one, for whoever reads them all. */
  function press() {
    const isByKey = mark.matches(":focus-visible");
    const unread = [...node.parentElement.querySelectorAll(".unread > .text")];
    const at = unread.indexOf(mark);
    const next = unread[at + 1] ?? unread[at - 1] ?? node.querySelector("a");
    read(notice.id);
    next?.focus({ preventScroll: !isByKey });
  }

  function update(now) {
    show(title, visible(now.title ?? now.eventType, false));
    show(body, visible(now.body ?? "", false));
    body.hidden = !now.body;
    times.textContent = now.count > 1 ? ` × ${now.count}` : "";
    node.classList.toggle("unread", !now.readAt);
    state.hidden = Boolean(now.readAt);
    mark.hidden = Boolean(now.readAt);
    node.title = now.readAt ? `read ${whole(now.readAt)}` : "";
    show(receipts, (now.deliveries ?? []).map(receipt));
  }
}

function receipt({ channelName, state, tries, at, detail }) {
  return h("li", { title: at ? whole(at) : null }, visible(channelName, false), " ",
    badge(state, TONES[state] ?? "over"),
    tries > 1 && ` after ${tries} tries`,
    detail && [": ", visible(sentence(detail), false)]);
}
