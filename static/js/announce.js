/**
 * Tells whoever has the page open of new notices: in the page while it is looked at, else by the
 * system, where a person has switched that on and the browser allows it. Which notices there are,
 * and when none is wanted, is the daemon's business.
 */

import { get, post } from "./lib/api.js";
import { oneLine } from "./lib/hidden.js";
import { toast } from "./parts/toast.js";

/** How long a notice is news: what is older was there before the page, or came while it slept. */
const NEWS_MS = 60_000;

/** Follows the notices of `ctx` for as long as the page lives. */
export function announce(ctx) {
  let newest = null;
  ctx.notices.watch((all) => {
    if (all === null) return;
    const known = newest;
    newest = Math.max(known ?? 0, ...all.map((notice) => notice.id));
    if (known === null) return;
    const isNews = (notice) => notice.id > known && !notice.readAt
      && Date.now() - Date.parse(notice.createdAt) < NEWS_MS;
    all.filter(isNews).forEach(tell);
  });
  ctx.unread.watch((counts) => badge(counts?.totalUnread ?? 0));
}

/** Where a notice leads to. */
const addressOf = (notice) =>
  (notice.approvalId ? "#/inbox" : `#/sessions/${notice.sessionId}`);

function tell(notice) {
  if (document.visibilityState !== "visible") return void bySystem(notice).catch(() => {});
  const there = [addressOf(notice), `#/sessions/${notice.sessionId}`];
  if (there.some((address) => location.hash.startsWith(address))) return;
  toast(oneLine(notice.body), {
    href: addressOf(notice), label: "Show", pressed: () => read(notice),
  });
}

async function bySystem(notice) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const { settings } = await get("/settings/daemon");
  if (!settings.systemNotificationsEnabled) return;
  // Neither has a mark for what cannot be seen; a session's name or a directory's may have that.
  const title = oneLine(notice.title);
  const options = {
    body: oneLine(notice.body), icon: "/icon.svg", tag: `${notice.sessionId} ${notice.eventType}`,
  };
  try {
    const told = new Notification(title, options);
    told.onclick = () => {
      window.focus();
      location.hash = addressOf(notice);
      told.close();
      read(notice);
    };
  } catch {
    // Phones take notices from a service worker only, which there is over HTTPS.
    const worker = await navigator.serviceWorker?.getRegistration();
    await worker?.showNotification(title, options);
  }
}

function read(notice) {
  // It is shown as unread until it is known to be read.
  post(`/notifications/${notice.id}/read`, { readSource: "notice" }).catch(() => {});
}

/** The number on the icon of an installed page; browsers that have none leave it away. */
function badge(count) {
  if (count) navigator.setAppBadge?.(count).catch(() => {});
  else navigator.clearAppBadge?.().catch(() => {});
}
