/**
 * Tells the daemon which session this page shows, so that it need not call somebody who looks.
 *
 * 1. A page that nobody has touched for a while MUST NOT count as looked at: what is left open on
 *    an empty desk would keep every question from its person's phone.
 */

const IDLE_MS = 10 * 60_000;
const CHECK_MS = 30_000;
const STIRS = ["pointerdown", "pointermove", "wheel", "keydown"];

/** Says so until the returned function is called; while the page is hidden, nobody looks. */
export function looking(socket, id) {
  let stirred = Date.now();
  let there = true;
  const say = (sessionId) => socket.send({ op: "looking", sessionId });
  const tell = () => say(there && document.visibilityState === "visible" ? id : null);
  const stir = () => {
    stirred = Date.now();
    if (there) return;
    there = true;
    tell();
  };
  const turned = () => {
    if (document.visibilityState === "visible") [stirred, there] = [Date.now(), true];
    tell();
  };
  const checking = setInterval(() => {
    if (!there || Date.now() - stirred < IDLE_MS) return;
    there = false;
    tell();
  }, CHECK_MS);
  const unwatch = socket.state.watch((state) => state === "open" && tell());
  document.addEventListener("visibilitychange", turned);
  STIRS.forEach((name) => document.addEventListener(name, stir, { capture: true, passive: true }));
  return () => {
    unwatch();
    clearInterval(checking);
    document.removeEventListener("visibilitychange", turned);
    STIRS.forEach((name) => document.removeEventListener(name, stir, { capture: true }));
    say(null);
  };
}
