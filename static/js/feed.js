/**
 * What all views look at, kept fresh over the socket: the sessions and the open approvals. To fetch
 * the whole list again is always right; messages only save it.
 */

import { get } from "./lib/api.js";
import { value } from "./lib/value.js";

/** `{ sessions, approvals }`, values of lists that are null until they are known. */
export function feed(socket) {
  const isOpen = (approval) => approval.status === "pending";
  return {
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
    }),
  };
}

const newestFirst = (a, b) => b.createdAt.localeCompare(a.createdAt);

function follow(socket, topic, { load, change }) {
  const all = value(null);
  let loading = false;
  let stale = false;
  async function refresh() {
    stale = true;
    if (loading) return;
    loading = true;
    // What came in while the list was on its way may be newer or older than the list.
    while (stale) {
      stale = false;
      const loaded = await load().catch(() => all.get());
      if (!stale) all.set(loaded);
    }
    loading = false;
  }
  socket.subscribe(topic, {
    subscribed: refresh,
    told(message) {
      if (loading) stale = true;
      else all.set(change(all.get() ?? [], message));
    },
  });
  // A small promise to whoever has just answered something: the list will say so.
  all.refresh = refresh;
  return all;
}
