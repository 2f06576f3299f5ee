/**
 * Keeps one xterm.js at the end of a session's output, from a place in it on.
 *
 * The daemon knows where in the log this page stands; a page that comes back asks for what follows.
 * One that cannot keep up lets go: at the end of the output it takes a fresh picture of the screen,
 * in the past it asks again from where it stopped, so that nothing is missing there.
 */

import { GAP, gapEnd, OUTPUT, RESIZE, size, SNAPSHOT } from "../../lib/frames.js";
import { isReading, linesLeft } from "./screen.js";

/**
 * Bytes that xterm.js has not drawn yet. At the end of the output they are what a key waits for
 * before its echo is seen, on the way there only memory.
 */
const BEHIND_BYTES = { end: 1 << 20, past: 16 << 20 };
const NEW_LINE = 10;
/** xterm.js looks at the clock between two writes: of short lines a longer one takes a frame. */
const WRITE_BYTES = 8 << 10;

/** See the head of this file. */
export class Follower {
  #socket;
  #topic;
  #term;
  #told;
  #place;
  #until;
  #isPast;
  #drop = null;
  #hasBegun = false;
  #drawn = null;
  #undrawn = 0;
  #undrawnLines = 0;
  #isHeld = false;
  #isOver = false;

  /**
   * Follows session `id` with `term`. `from` is "screen" or `{ near: OFFSET }`; where `told` has
   * `arrived()`, it is in the past until it has drawn up to the offset `until`, and calls that
   * then. Of `told` are called, too: `progress(offset)` with each piece drawn, `held(is)` when the
   * page lets go of the output because a person reads further up, and takes it again, and
   * `cleared()` when a picture has taken the place of all that was there. Each may be missing.
   */
  constructor(socket, id, term, { from, until = 0, ...told }) {
    this.#socket = socket;
    this.#topic = `session:${id}:pty`;
    this.#term = term;
    this.#told = told;
    this.#place = from;
    this.#until = until;
    this.#isPast = Boolean(told.arrived);
    this.#subscribe();
  }

  /** How far it is drawn, or null. */
  get offset() {
    return this.#drawn;
  }

  /** Goes on, where a person's reading had held it up. */
  resume() {
    if (!this.#isHeld || this.#isOver) return;
    this.#hold(false);
    if (!this.#drop) this.#subscribe();
  }

  /** Lets go for good; what has come is drawn. */
  stop() {
    this.#isOver = true;
    this.#letGo();
  }

  #subscribe() {
    this.#drop = this.#socket.subscribe(this.#topic, {
      options: () => ({ from: this.#place }), frame: (frame) => this.#frame(frame),
    });
  }

  #letGo() {
    this.#drop?.();
    this.#drop = null;
  }

  #hold(is) {
    if (is) this.#letGo();
    this.#isHeld = is;
    this.#told.held?.(is);
  }

  #frame({ type, offset, bytes }) {
    const term = this.#term;
    if (type === RESIZE) {
      const { cols, rows } = size(bytes);
      // Behind what is not drawn yet, which was made for the size before.
      term.write("", () => term.resize(cols, rows));
    } else if (type === GAP) {
      term.write("\r\n\x1b[7m some output is gone \x1b[m\r\n");
      this.#place = gapEnd(bytes);
    } else if (type === SNAPSHOT) {
      this.#picture(offset, bytes);
    } else if (type === OUTPUT) {
      this.#draw(offset, bytes);
    }
  }

  /** A picture takes the place of all that is there: not under the eyes of who reads that. */
  #picture(offset, bytes) {
    if (this.#hasBegun && !this.#isPast && isReading(this.#term)) {
      this.#hold(true);
      return;
    }
    if (this.#hasBegun) this.#told.cleared?.();
    this.#hasBegun = false;
    // In the stream, so that the empty screen comes when its turn is.
    this.#term.write("\x1bc");
    this.#draw(offset, bytes);
  }

  #draw(offset, bytes) {
    const lines = this.#isPast ? 0 : linesIn(bytes, this.#term.cols);
    // The lines that somebody reads would fall out at the top.
    const room = linesLeft(this.#term) - this.#undrawnLines;
    if (this.#hasBegun && !this.#isPast && lines > room && isReading(this.#term)) {
      this.#hold(true);
      return;
    }
    this.#hasBegun = true;
    this.#undrawn += bytes.length;
    this.#undrawnLines += lines;
    this.#place = offset;
    let at = 0;
    for (; bytes.length - at > WRITE_BYTES; at += WRITE_BYTES) {
      this.#term.write(bytes.subarray(at, at + WRITE_BYTES));
    }
    this.#term.write(bytes.subarray(at), () => this.#done(offset, bytes.length, lines));
    const most = BEHIND_BYTES[this.#isPast ? "past" : "end"];
    if (!this.#drop || this.#undrawn <= most) return;
    this.#letGo();
    if (!this.#isPast) this.#place = "screen";
  }

  #done(offset, length, lines) {
    this.#undrawn -= length;
    this.#undrawnLines -= lines;
    this.#drawn = offset;
    this.#told.progress?.(offset);
    if (this.#undrawn === 0 && !this.#drop && !this.#isHeld && !this.#isOver) this.#subscribe();
    if (!this.#isPast || offset < this.#until) return;
    this.#isPast = false;
    this.#told.arrived();
  }
}

/** At most so many lines are in `bytes`. */
function linesIn(bytes, cols) {
  let count = Math.ceil(bytes.length / cols);
  for (const byte of bytes) count += byte === NEW_LINE;
  return count;
}
