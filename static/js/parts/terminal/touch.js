/** Fingers on a terminal: one scrolls, two make the letters larger. */

const TAP_PX = 8;

/**
 * Watches `host`; at the end of a pinch `size.font` is another one. `scroll(pixels, at)` is called
 * for what a finger scrolls beyond the host's own edges.
 */
export function touch(host, size, scroll) {
  let [last, moved, pinch] = [null, 0, null];
  host.addEventListener("touchstart", start, { passive: true });
  host.addEventListener("touchmove", move, { passive: false });
  host.addEventListener("touchend", end, { passive: true });
  host.addEventListener("touchcancel", end, { passive: true });

  function start(event) {
    moved = 0;
    last = event.touches[0];
    pinch = event.touches.length === 2
      ? { from: apart(event.touches), size: size.font, to: size.font } : null;
  }

  function move(event) {
    if (pinch && event.touches.length === 2) {
      event.preventDefault();
      pinch.to = pinch.size * apart(event.touches) / pinch.from;
      return;
    }
    const now = event.touches[0];
    if (!last || event.touches.length > 1) return;
    const [x, y] = [last.clientX - now.clientX, last.clientY - now.clientY];
    moved += Math.abs(x) + Math.abs(y);
    if (moved < TAP_PX) return;
    event.preventDefault();
    last = now;
    host.scrollLeft += x;
    drag(y, now);
  }

  /** Our own box first, which is larger than what is seen while the keyboard is up. */
  function drag(y, at) {
    const before = host.scrollTop;
    host.scrollTop += y;
    const left = y - (host.scrollTop - before);
    if (left) scroll(left, at);
  }

  function end() {
    if (pinch && Math.round(pinch.to) !== pinch.size) size.font = pinch.to;
    [last, pinch] = [null, null];
  }
}

function apart([a, b]) {
  return Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY));
}
