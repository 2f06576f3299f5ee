/**
 * Registers the page that is shown while the daemon cannot be reached. Over HTTPS alone: one of a
 * port of localhost would wait there for the next server that a person starts on it.
 */

const WORKER = "/sw.js";

/** Does so where it is allowed; without it everything else works. */
export function registerOffline() {
  if (location.protocol !== "https:" || !navigator.serviceWorker) return;
  // Pages may load no script whose address is made at run time; this one name may have one policy.
  const address = window.trustedTypes
    ? window.trustedTypes.createPolicy("worker", { createScriptURL: () => WORKER })
      .createScriptURL(WORKER)
    : WORKER;
  navigator.serviceWorker.register(address).catch(() => {});
}
