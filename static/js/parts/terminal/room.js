/**
 * How large the terminal is here and in the session. The session's size follows whoever typed last;
 * a page that only watches shows that size, with smaller letters or by scrolling, and changes
 * nothing.
 */

import { FitAddon } from "/vendor/addon-fit.mjs";

const SETTLE_MS = 100;
const LEAST_FONT = 8;
const FONTS = { least: 7, most: 28, usual: 14, narrow: 12 };
const FONT = "codepiper.font";
const TOUCH = window.matchMedia("(pointer: coarse)");
const NARROW = window.matchMedia("(max-width: 700px)");

/** The size of letters that was chosen in this browser. */
function keptFont() {
  const kept = Number(localStorage.getItem(FONT));
  const usual = NARROW.matches ? FONTS.narrow : FONTS.usual;
  return kept >= FONTS.least && kept <= FONTS.most ? kept : usual;
}

/** See the head of this file. */
export class Room {
  #host;
  #ask;
  #differs;
  #font = keptFont();
  #term = null;
  #fitting = null;
  #asked = null;
  #timer = null;
  #watching;

  /**
   * Watches `host`, which holds the terminal. `ask(size)` is called for a size that this page would
   * have, `differs(actual)` with the session's size where that is another one, else with null.
   */
  constructor(host, ask, differs) {
    this.#host = host;
    this.#ask = ask;
    this.#differs = differs;
    this.#watching = new ResizeObserver(() => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#settle(), SETTLE_MS);
    });
    // Its own edge: scroll bars in it come and go with the session's size, which is not its own.
    this.#watching.observe(host, { box: "border-box" });
  }

  /** The terminal that stands in the host from now on. */
  use(term) {
    this.#term = term;
    this.#fitting = new FitAddon();
    term.loadAddon(this.#fitting);
    // It ends with the terminal.
    term.onResize(() => this.compare());
    term.onCursorMove(() => this.#showCursor());
    this.#settle();
  }

  /** Asks again, also for what was asked before. */
  fit() {
    this.#asked = null;
    this.#settle();
  }

  /** The size of letters, in pixels. */
  get font() {
    return this.#font;
  }

  /** Other letters, and the size that goes with them. */
  set font(size) {
    this.#font = Math.min(Math.max(Math.round(size), FONTS.least), FONTS.most);
    localStorage.setItem(FONT, String(this.#font));
    this.fit();
  }

  /** Compares the session's size with that of this page. */
  compare() {
    const [term, size, asked] = [this.#term, this.#here(), this.#asked];
    if (!size || !asked) return;
    const isOther = term.cols !== asked.cols || term.rows !== asked.rows;
    this.#differs(isOther ? { cols: term.cols, rows: term.rows } : null);
    // Letters that cannot be read are worse than a line that has to be scrolled.
    const scales = isOther && term.cols > size.cols && !TOUCH.matches;
    const scaled = Math.max(LEAST_FONT, Math.floor(this.#font * size.cols / term.cols));
    const wanted = scales ? scaled : this.#font;
    if (term.options.fontSize !== wanted) term.options.fontSize = wanted;
  }

  /** Watches no more. */
  stop() {
    this.#watching.disconnect();
    clearTimeout(this.#timer);
  }

  /** What would fit in with letters of the chosen size, or null. */
  #here() {
    const term = this.#term;
    const found = term?.element?.isConnected && this.#fitting.proposeDimensions();
    if (!(found?.cols > 1)) return null;
    const scale = term.options.fontSize / this.#font;
    return { cols: Math.floor(found.cols * scale), rows: Math.floor(found.rows * scale) };
  }

  #settle() {
    const [size, asked] = [this.#here(), this.#asked];
    if (!size) return;
    // A keyboard that comes up on a phone takes room for a moment, and is no other window.
    const isSame = asked?.cols === size.cols && (TOUCH.matches || asked.rows === size.rows);
    if (!isSame) {
      this.#asked = size;
      this.#ask(size);
    }
    this.compare();
    this.#showCursor();
  }

  /** While a keyboard covers a part of the terminal, the cursor's line stays above it. */
  #showCursor() {
    const [host, term] = [this.#host, this.#term];
    if (!TOUCH.matches || host.scrollHeight <= host.clientHeight) return;
    const row = term.element.clientHeight / term.rows;
    host.scrollTop = (term.buffer.active.cursorY + 2) * row - host.clientHeight;
  }
}
