/**
 * A session's terminal: xterm.js at the end of a topic of the socket.
 *
 * The daemon owns the terminal: it answers the programs' queries, says how large it is, and knows
 * where in the log this page stands. The page opens on a picture of the screen; what was before
 * that is drawn out of sight when somebody wants it, and then takes the picture's place.
 */

import { h } from "../lib/dom.js";
import { follow } from "./terminal/follow.js";
import { find } from "./terminal/find.js";
import { input, keyHandler } from "./terminal/input.js";
import { room } from "./terminal/room.js";
import { isAtTop, isFull, isReading, makeScreen, mostLines } from "./terminal/screen.js";
import { touch } from "./terminal/touch.js";
import { toast } from "./toast.js";

/** Lines that a terminal keeps of what it was there for. */
const LIVE_LINES = 10_000;
/** Bytes of older output, one step after the other. The last is all that a log keeps. */
const STEPS = [1 << 20, 8 << 20, 64 << 20];
const TOUCH = window.matchMedia("(pointer: coarse)");

/**
 * `session` is as the API shows it. `told` are `notice(kind, text, action?)` for what is said above
 * the terminal, where an empty text takes it back, and `ctrl()`, true where the next letter is meant
 * together with Ctrl. Returns the node and what can be done.
 */
export function terminal(socket, session, told) {
  const host = h("div", { class: "tty" });
  const send = input(socket, session.id);
  const isOver = () => !host.isConnected;
  let [now, next] = [null, null];
  let [level, isWhole, loading] = [0, false, null];
  const size = room(host, ask, differs);
  const search = find({ ready: () => older(2), back: () => now.term.focus() });
  const stops = [
    socket.state.watch((state) => {
      if (now) now.term.options.disableStdin = state !== "open";
      if (state === "open") size.fit();
    }),
    socket.hear("resize_ack", ({ sessionId }) => sessionId === session.id && size.answered()),
  ];
  host.addEventListener("paste", paste, true);
  host.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && above(), { passive: true });
  touch(host, size);
  // The size of a letter is known once the terminal stands in the page.
  requestAnimationFrame(() => {
    if (isOver()) return;
    now = make(LIVE_LINES, session.ptyCols, session.ptyRows);
    now.out = follow(socket, session.id, now.term, {
      from: "screen", held, cleared: forget,
    });
    enter(now);
    // On a phone the focus would bring the keyboard up, over half of what was asked for.
    if (!TOUCH.matches) now.term.focus();
  });

  return {
    node: h("div", { class: "tty-box" }, host, search.node),
    send,
    find: search.open,
    fit,
    font: (by) => size.font(size.fontSize() + by),
    focus: () => now?.term.focus(),
    older: () => older(STEPS.length),
    selection: () => now?.term.getSelection() ?? "",
    async selectAll() {
      await older(2);
      now.term.selectAll();
      now.term.focus();
      return now.term.getSelection();
    },
    destroy() {
      stops.forEach((stop) => stop());
      size.stop();
      for (const one of [now, next]) leave(one);
      [now, next] = [null, null];
    },
  };

  function make(lines, cols, rows) {
    const place = h("div", { class: "tty-place" });
    const term = makeScreen({
      cols, rows, lines, fontSize: size.fontSize(), hovered: (address) => { host.title = address; },
    });
    return { term, place, out: null };
  }

  /** Puts it into the page, for the person to see and to type into. */
  function enter(one) {
    const { term, place } = one;
    host.append(place);
    term.open(place);
    term.options.disableStdin = socket.state.get() !== "open";
    term.onData((data) => (told.ctrl() && /^[a-z@[\]\\^_ ]$/i.test(data)
      ? send.key(data === " " ? "ctrl+space" : `ctrl+${data.toLowerCase()}`) : send.type(data)));
    term.attachCustomKeyEventHandler(keyHandler(term, session.provider !== "command", {
      leave: () => host.closest("main").querySelector("h1, a, button")?.focus(),
      find: search.open,
      older: above,
      newLine: send.type,
    }));
    // Down again, it takes up what it had let go of.
    term.onScroll(() => isReading(term) || one.out.resume());
    size.use(term);
    search.use(term);
  }

  function leave(one) {
    one?.out?.stop();
    one?.term.dispose();
    one?.place.remove();
  }

  function ask({ cols, rows }) {
    socket.send({ op: "resize", sessionId: session.id, cols, rows });
  }

  function differs(actual) {
    told.notice("size", actual && `Sized by another viewer: ${actual.cols} × ${actual.rows}`,
      actual && { label: "Fit to me", act: fit });
  }

  function fit() {
    size.fit();
    send.claim();
  }

  function held(is) {
    told.notice("held", is && "There is newer output below", is && {
      label: "Go there", act: () => now.term.scrollToBottom(),
    });
    if (!is) now.term.scrollToBottom();
  }

  /** The person wants to go further up than there is. */
  function above() {
    if (now && isAtTop(now.term)) older(level + 1);
  }

  /** A picture has taken the place of what was there. */
  function forget() {
    [level, isWhole] = [0, false];
  }

  /** Has what was before, up to `upTo` steps back; two calls at once are one after the other. */
  async function older(upTo) {
    while (loading) await loading;
    const to = Math.min(upTo, STEPS.length);
    if (!now?.out || isWhole || level >= to || now.out.offset() === null) return;
    loading = load(to);
    await loading;
    loading = null;
  }

  /** Draws it out of sight, and shows it where the person is now. */
  async function load(to) {
    const { term, out } = now;
    out.stop();
    await new Promise((done) => { term.write("", done); });
    const until = out.offset();
    const near = Math.max(0, until - STEPS[to - 1]);
    told.notice("older", "Loading older output…");
    next = make(Math.max(mostLines(term.cols), LIVE_LINES), term.cols, term.rows);
    await new Promise((arrived) => {
      const progress = (offset) => {
        const part = Math.floor(100 * (offset - near) / Math.max(1, until - near));
        if (next) told.notice("older", `Loading older output… ${Math.min(part, 100)} %`);
      };
      next.out = follow(socket, session.id, next.term, {
        from: { near }, until, arrived, progress, held, cleared: forget,
      });
    });
    [level, isWhole] = [to, near === 0];
    if (next) swap();
  }

  function swap() {
    const [old, fresh] = [now, next];
    const { buffer } = old.term;
    const up = buffer.active.baseY - buffer.active.viewportY;
    const selected = old.term.getSelectionPosition();
    const hadFocus = old.place.contains(document.activeElement);
    const shift = fresh.term.buffer.active.baseY - buffer.active.baseY;
    [now, next] = [fresh, null];
    enter(fresh);
    fresh.term.scrollLines(-up);
    if (selected) select(fresh.term, selected, shift);
    if (hadFocus) fresh.term.focus();
    leave(old);
    const isCut = isFull(fresh.term);
    isWhole ||= isCut;
    const lines = fresh.term.buffer.normal.length.toLocaleString();
    told.notice("older", "");
    if (isCut) toast(`These are the last ${lines} lines. The whole log can be downloaded.`);
  }

  function paste(event) {
    event.preventDefault();
    event.stopPropagation();
    send.paste(event.clipboardData.getData("text/plain"));
  }
}

function select(term, { start, end }, shift) {
  const length = (end.y - start.y) * term.cols + end.x - start.x;
  term.select(start.x, start.y + shift, length);
}
