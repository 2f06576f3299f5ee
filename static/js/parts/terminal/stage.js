/**
 * Shows one xterm.js of a session, and can put another in its place that has more of the past: at
 * the same line, with what was selected, and with the focus.
 */

import { h } from "../../lib/dom.js";
import { toast } from "../toast.js";
import { Follower } from "./follow.js";
import { isAtTop, isReading, linesLeft, makeScreen, mostLines } from "./screen.js";

/** Lines that a terminal keeps of what it was there for. */
const LIVE_LINES = 10_000;
/** Bytes of older output, one step after the other. The last is all that a log keeps. */
const STEPS = [1 << 20, 8 << 20, 64 << 20];
/** As many steps as are worth waiting for before a search. */
export const ENOUGH = 2;
/** All that there are. */
export const EVERYTHING = STEPS.length;

/** See the head of this file. */
export class Stage {
  #host;
  #socket;
  #id;
  #told;
  #now = null;
  #next = null;
  #level = 0;
  #isWhole = false;
  #loading = null;
  #pixels = 0;

  /**
   * In `host`, for the session `id`. Of `told` are called: `enters(term)` for each terminal that is
   * shown, `font()` for the size of its letters, `notice(kind, text, action?)`.
   */
  constructor(host, socket, id, told) {
    this.#host = host;
    this.#socket = socket;
    this.#id = id;
    this.#told = told;
  }

  /** The xterm.js that is shown, or null. */
  get term() {
    return this.#now?.term ?? null;
  }

  /** Begins with a picture of the screen, for a session of this size. */
  open(cols, rows) {
    this.#now = this.#make(LIVE_LINES, cols, rows);
    this.#follow(this.#now, { from: "screen" });
    this.#enter(this.#now);
  }

  /** Scrolls by so many pixels; whole lines move, and the rest is kept for the next call. */
  scroll(pixels) {
    const { term } = this;
    this.#pixels += pixels;
    const lines = Math.trunc(this.#pixels * term.rows / term.element.clientHeight);
    this.#pixels -= lines * term.element.clientHeight / term.rows;
    if (lines < 0 && isAtTop(term)) this.more();
    term.scrollLines(lines);
  }

  /** Loads one step more than there is. */
  more() {
    return this.older(this.#level + 1);
  }

  /** Has what was before, up to `steps` back; two calls at once are one after the other. */
  async older(steps) {
    while (this.#loading) await this.#loading;
    const to = Math.min(steps, EVERYTHING);
    if (this.#isWhole || this.#level >= to || (this.#now?.out.offset ?? null) === null) return;
    this.#loading = this.#load(to);
    await this.#loading;
    this.#loading = null;
  }

  /** Takes all down. */
  close() {
    for (const one of [this.#now, this.#next]) leave(one);
    [this.#now, this.#next] = [null, null];
  }

  #make(lines, cols, rows) {
    const place = h("div", { class: "tty-place" });
    const hovered = (address) => { this.#host.title = address; };
    const fontSize = this.#told.font();
    return { term: makeScreen({ cols, rows, lines, fontSize, hovered }), place, out: null };
  }

  #follow(one, how) {
    one.out = new Follower(this.#socket, this.#id, one.term, {
      held: (is) => this.#held(is), cleared: () => this.#forget(), ...how,
    });
  }

  /** Puts it into the page, for the person to see and to type into. */
  #enter(one) {
    this.#host.append(one.place);
    one.term.open(one.place);
    // Down again, it takes up what it had let go of.
    one.term.onScroll(() => isReading(one.term) || one.out.resume());
    this.#told.enters(one.term);
  }

  #held(is) {
    this.#told.notice("held", is && "There is newer output below", is && {
      label: "Go there", act: () => this.term.scrollToBottom(),
    });
    if (!is) this.term.scrollToBottom();
  }

  /** A picture has taken the place of what was there. */
  #forget() {
    [this.#level, this.#isWhole] = [0, false];
  }

  /** Draws it out of sight, and shows it where the person is now. */
  async #load(to) {
    const { term, out } = this.#now;
    out.stop();
    await new Promise((done) => { term.write("", done); });
    const until = out.offset;
    const near = Math.max(0, until - STEPS[to - 1]);
    const say = (text) => this.#told.notice("older", text);
    say("Loading older output…");
    const next = this.#make(Math.max(mostLines(term.cols), LIVE_LINES), term.cols, term.rows);
    this.#next = next;
    await new Promise((arrived) => {
      const progress = (offset) => {
        const part = Math.floor(100 * (offset - near) / Math.max(1, until - near));
        if (this.#next) say(`Loading older output… ${Math.min(part, 100)} %`);
      };
      this.#follow(next, { from: { near }, until, arrived, progress });
    });
    if (!this.#next) return;
    [this.#level, this.#isWhole] = [to, near === 0];
    this.#swap(this.#now, next);
    say("");
  }

  #swap(old, fresh) {
    const { active } = old.term.buffer;
    const up = active.baseY - active.viewportY;
    const shift = fresh.term.buffer.active.baseY - active.baseY;
    const selected = old.term.getSelectionPosition();
    const hadFocus = old.place.contains(document.activeElement);
    [this.#now, this.#next] = [fresh, null];
    this.#enter(fresh);
    fresh.term.scrollLines(-up);
    if (selected) select(fresh.term, selected, shift);
    if (hadFocus) fresh.term.focus();
    leave(old);
    if (linesLeft(fresh.term) > 0) return;
    this.#isWhole = true;
    const lines = fresh.term.buffer.normal.length.toLocaleString();
    toast(`These are the last ${lines} lines. The whole log can be downloaded.`);
  }
}

function leave(one) {
  one?.out?.stop();
  one?.term.dispose();
  one?.place.remove();
}

function select(term, { start, end }, shift) {
  const length = (end.y - start.y) * term.cols + end.x - start.x;
  term.select(start.x, start.y + shift, length);
}
