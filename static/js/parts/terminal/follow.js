/**
 * Keeps one xterm.js at the end of a session's output, from a place in it on.
 *
 * The daemon knows where in the log this page stands; a page that comes back asks for what follows.
 * One that cannot keep up lets go: at the end of the output it takes a fresh picture of the screen,
 * in the past it asks again from where it stopped, so that nothing is missing there.
 */

import { GAP, gapEnd, OUTPUT, RESIZE, size, SNAPSHOT } from "../../lib/frames.js";
import { isNearlyFull, isReading } from "./screen.js";

/**
 * Bytes that xterm.js has not drawn yet. At the end of the output they are what a key waits for
 * before its echo is seen, on the way there only memory, and to who reads further up no use at all.
 */
const BEHIND_BYTES = { end: 1 << 20, past: 16 << 20, read: 64 << 10 };
/** xterm.js looks at the clock between two writes: of short lines a longer one takes a frame. */
const WRITE_BYTES = 8 << 10;

/**
 * Follows `session:ID:pty` with `term`. `from` is "screen" or `{ near: OFFSET }`; with `until` it is
 * in the past until it has drawn up to that offset, and then calls `arrived()`. `progress(offset)`
 * is called with each piece drawn, `held(is)` when the page lets go of the output because a person
 * reads further up, and takes it again, and `cleared()` when a picture has taken the place of all
 * that was there. Returns `{ offset(), resume(), stop() }`.
 */
export function follow(socket, id, term, { from, until = 0, arrived, progress, held, cleared }) {
  let place = from;
  let isPast = Boolean(arrived);
  let [hasBegun, drawn, undrawn] = [false, null, 0];
  let [isHeld, isOver] = [false, false];
  let drop = subscribe();
  return {
    /** How far it is drawn, or null. */
    offset: () => drawn,
    /** Goes on, where a person's reading had held it up. */
    resume,
    /** Lets go for good; what has come is drawn. */
    stop() {
      isOver = true;
      letGo();
    },
  };

  function subscribe() {
    return socket.subscribe(`session:${id}:pty`, { options: () => ({ from: place }), frame });
  }

  function letGo() {
    drop?.();
    drop = null;
  }

  function hold(is) {
    isHeld = is;
    held?.(is);
  }

  function resume() {
    if (!isHeld || isOver) return;
    hold(false);
    drop ??= subscribe();
  }

  function frame({ type, offset, bytes }) {
    if (type === RESIZE) {
      const { cols, rows } = size(bytes);
      // Behind what is not drawn yet, which was made for the size before.
      term.write("", () => term.resize(cols, rows));
    } else if (type === GAP) {
      term.write("\r\n\x1b[7m some output is gone \x1b[m\r\n");
      place = gapEnd(bytes);
    } else if (type === SNAPSHOT) {
      picture(offset, bytes);
    } else if (type === OUTPUT) {
      draw(offset, bytes);
    }
  }

  /** A picture takes the place of all that is there: not under the eyes of who reads that. */
  function picture(offset, bytes) {
    if (hasBegun && !isPast && isReading(term)) {
      letGo();
      hold(true);
      return;
    }
    if (hasBegun) cleared?.();
    // In the stream, so that the empty screen comes when its turn is.
    term.write("\x1bc");
    draw(offset, bytes);
  }

  function draw(offset, bytes) {
    hasBegun = true;
    undrawn += bytes.length;
    place = offset;
    let at = 0;
    for (; bytes.length - at > WRITE_BYTES; at += WRITE_BYTES) {
      term.write(bytes.subarray(at, at + WRITE_BYTES));
    }
    term.write(bytes.subarray(at), () => done(offset, bytes.length));
    if (drop) keepUp();
  }

  /** Lets go of what is more than can be drawn, or than a reader's lines would survive. */
  function keepUp() {
    if (isPast) {
      if (undrawn > BEHIND_BYTES.past) letGo();
    } else if (isReading(term)) {
      if (undrawn <= BEHIND_BYTES.read && !isNearlyFull(term)) return;
      letGo();
      hold(true);
    } else if (undrawn > BEHIND_BYTES.end) {
      letGo();
      place = "screen";
    }
  }

  function done(offset, length) {
    undrawn -= length;
    drawn = offset;
    progress?.(offset);
    if (undrawn === 0 && !drop && !isHeld && !isOver) drop = subscribe();
    if (!isPast || offset < until) return;
    isPast = false;
    arrived();
  }
}
