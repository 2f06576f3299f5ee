/** What happened in a session: each tool call with its verdict, and what else its hooks told. */

import { get, withQuery } from "../../lib/api.js";
import { h, list, show } from "../../lib/dom.js";
import { oncePerFrame } from "../../lib/paint.js";
import { empty, failed, loading } from "../../parts/page.js";
import { entry } from "./entry.js";
import { timeline } from "./timeline.js";

const PAGE = 100;
const GROUPS = [
  ["all", "All", () => true],
  ["calls", "Tool calls", (one) => one.isCall],
  ["denied", "Denied", (one) => one.verdict === "deny"],
];

/** `{ node, destroy() }` for a session. */
export function activity(ctx, { id }) {
  const seen = past(id);
  const rows = h("ol", { class: "timeline" });
  const place = h("div", {}, loading());
  const more = h("button", { type: "button", hidden: true, onclick: older }, "Show older");
  const chips = GROUPS.map(([name, label]) => h("button", {
    type: "button", class: "chip", "aria-pressed": String(name === "all"),
    onclick: () => pick(name),
  }, label));
  const follow = list(rows, ({ key }) => key, entry);
  const soon = oncePerFrame(draw);
  let group = "all";
  const unsubscribe = ctx.socket.subscribe(`session:${id}:events`, {
    subscribed: refresh,
    told({ data }) {
      seen.add(data);
      soon();
      // The row behind a decision or an answer has more than the event.
      if (data.source === "decision" || data.type.startsWith("approval")) refresh();
    },
  });
  return {
    node: h("div", { class: "activity" },
      h("div", { class: "chips", role: "group", "aria-label": "What is shown" }, chips),
      place, rows, more),
    destroy: unsubscribe,
  };

  async function refresh() {
    try {
      await seen.newer();
      soon();
    } catch (error) {
      if (!seen.isLoaded()) show(place, failed(error, refresh));
    }
  }

  async function older() {
    more.disabled = true;
    await seen.older().catch((error) => show(place, failed(error)));
    more.disabled = false;
    draw();
  }

  function pick(name) {
    group = name;
    chips.forEach((chip, at) => chip.setAttribute("aria-pressed", String(GROUPS[at][0] === name)));
    draw();
  }

  function draw() {
    if (!seen.isLoaded()) return;
    const wanted = GROUPS.find(([name]) => name === group)[2];
    const items = seen.entries().filter(wanted);
    follow(items);
    more.hidden = !seen.hasMore();
    show(place, items.length === 0 && empty(
      group === "all" ? "Nothing has happened yet." : "Nothing of that kind here.",
      h("p", {}, "Tool calls of an agent appear here, with what was decided and by which rule.")));
  }
}

/** What is loaded of a session's events and audit rows: the newest, and page by page older ones. */
function past(id) {
  const [events, rows] = [new Map(), new Map()];
  const ends = { events: false, rows: false };
  let [loaded, busy, again] = [false, false, false];
  return {
    add, older, newer,
    isLoaded: () => loaded,
    hasMore: () => !(ends.events && ends.rows),
    entries: () => timeline([...events.values()], [...rows.values()], cut()),
  };

  function add(event) {
    events.set(event.id, event);
  }

  async function page(before) {
    const path = `/sessions/${encodeURIComponent(id)}/events`;
    const [first, second] = await Promise.all([
      ends.events && before ? null
        : get(withQuery(path, { limit: PAGE, order: "desc", before: before?.event })),
      ends.rows && before ? null
        : get(withQuery("/audit", { sessionId: id, limit: PAGE, before: before?.row })),
    ]);
    first?.events.forEach(add);
    second?.entries.forEach((row) => rows.set(row.seq, row));
    const isFull = second === null || second.entries.length === PAGE;
    return { events: first === null || first.hasMore, rows: isFull };
  }

  /** The newest of both; one at a time, and once more for who asked meanwhile. */
  async function newer() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      do {
        again = false;
        const more = await page(null);
        if (!loaded) Object.assign(ends, { events: !more.events, rows: !more.rows });
        loaded = true;
      } while (again);
    } finally {
      busy = false;
    }
  }

  async function older() {
    const known = { ...ends };
    const more = await page({
      event: events.size ? Math.min(...events.keys()) : null,
      row: rows.size ? Math.min(...rows.keys()) : null,
    });
    ends.events = known.events || !more.events;
    ends.rows = known.rows || !more.rows;
  }

  /** The later of the two times at which what is loaded begins: before it one half is missing. */
  function cut() {
    const first = [
      ends.events ? 0 : Math.min(...[...events.values()].map((e) => Date.parse(e.timestamp))),
      ends.rows ? 0 : Math.min(...[...rows.values()].map((row) => row.atMs)),
    ];
    return Math.max(...first.filter(Number.isFinite), 0);
  }
}
