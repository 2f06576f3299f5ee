/**
 * What all views look at, kept fresh over the socket: the sessions, the open approvals, the
 * notices. To fetch the whole list again is always right; messages only save it.
 */

import { get } from "./lib/api.js";
import { value } from "./lib/value.js";

/** Ended approvals that are remembered, for whoever has just looked at one. */
const ENDED = 50;
/** Notices that are kept; a view fetches what is older. */
const NOTICES = 100;
/** A list that could not be had is asked for again after this, while there is a connection. */
const RETRY_MS = 5000;
/** After so many lists that news had overtaken one is shown all the same. */
const TURNS = 3;

/**
 * `{ sessions, approvals, notices }`, values of lists that are null until they are known;
 * `ended`, approvals that have just come to their end, the newest last; and `unread`, `{
 * totalUnread, bySession }` of the notices, null until it is known. Each list has `refresh()`, and
 * `problem`, a value: why it could not be had.
 */
export function feed(socket) {
  const isOpen = (approval) => approval.status === "pending";
  const ended = value([]);
  return {
    ended,
    ...notices(socket),
    sessions: follow(socket, "sessions", {
      load: async () => (await get("/sessions")).sessions.sort(newestFirst),
      change: (known, { type, session }) => {
        const others = known.filter((other) => other.id !== session.id);
        return type === "session_removed" ? others : [session, ...others].sort(newestFirst);
      },
    }),
    approvals: follow(socket, "approvals", {
      load: async () => (await get("/approvals")).approvals,
      change: (known, { approval }) => {
        const others = known.filter((other) => other.id !== approval.id);
        return isOpen(approval) ? [...others, approval].sort((a, b) => a.id - b.id) : others;
      },
      heard({ approval }) {
        if (isOpen(approval)) return;
        const others = ended.get().filter((other) => other.id !== approval.id);
        ended.set([...others, approval].slice(-ENDED));
      },
    }),
  };
}

const newestFirst = (a, b) => b.createdAt.localeCompare(a.createdAt);

function notices(socket) {
  const unread = value(null);
  let asked = null;
  // Each message may change the counts; together they are asked for once.
  const count = () => {
    asked ??= setTimeout(async () => {
      asked = null;
      const reply = await get("/notifications/counts").catch(() => null);
      if (reply) unread.set(reply.counts);
    });
  };
  const read = (notice, { sessionId, id }) =>
    notice.readAt || (id && id !== notice.id) || (sessionId && sessionId !== notice.sessionId)
      ? notice : { ...notice, readAt: new Date().toISOString() };
  const list = follow(socket, "notifications", {
    load: async () => {
      const { notifications } = await get(`/notifications?limit=${NOTICES}`);
      count();
      return notifications;
    },
    change: (known, message) => {
      if (message.type === "notifications_read") return known.map((one) => read(one, message));
      const others = known.filter((other) => other.id !== message.notification.id);
      return [message.notification, ...others].sort((a, b) => b.id - a.id).slice(0, NOTICES);
    },
    heard: ({ counts }) => (counts ? unread.set(counts) : count()),
  });
  return { notices: list, unread };
}

function follow(socket, topic, { load, change, heard }) {
  const all = value(null);
  let loading = false;
  let stale = false;
  let again = null;
  all.problem = value(null);
  async function refresh() {
    stale = true;
    if (loading) return;
    loading = true;
    clearTimeout(again);
    // What came in while the list was on its way may be newer or older than the list. Where news
    // never pause, one that is a moment old is better than none.
    for (let turn = 1; stale; turn += 1) {
      stale = false;
      try {
        const loaded = await load();
        all.problem.set(null);
        if (!stale || turn % TURNS === 0) all.set(loaded);
      } catch (error) {
        all.problem.set(error);
      }
    }
    loading = false;
    // What stands there is old by then, and nothing else may come to say so.
    if (all.problem.get()) again = setTimeout(retry, RETRY_MS);
  }
  const retry = () => socket.state.get() === "open" && refresh();
  socket.subscribe(topic, {
    subscribed: refresh,
    told(message) {
      heard?.(message);
      if (loading) stale = true;
      // News of a list that could not be had are no list.
      else if (all.get() === null || all.problem.get()) refresh();
      else all.set(change(all.get(), message));
    },
  });
  // A small promise to whoever has just answered something: the list will say so.
  all.refresh = refresh;
  return all;
}
