/** Tells the daemon which session this page shows, so that it need not call somebody who looks. */

/** Says so until the returned function is called; while the page is hidden, nobody looks. */
export function looking(socket, id) {
  const say = (sessionId) => socket.send({ op: "looking", sessionId });
  const tell = () => say(document.visibilityState === "visible" ? id : null);
  const unwatch = socket.state.watch((state) => state === "open" && tell());
  document.addEventListener("visibilitychange", tell);
  return () => {
    unwatch();
    document.removeEventListener("visibilitychange", tell);
    say(null);
  };
}
