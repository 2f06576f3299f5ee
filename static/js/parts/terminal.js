/**
 * A session's terminal: xterm.js at the end of a topic of the socket.
 *
 * The daemon owns the terminal: it answers the programs' queries, says how large it is, and knows
 * where in the log this page stands. A page that cannot keep up lets go and takes a fresh picture.
 */

import { FitAddon } from "/vendor/addon-fit.mjs";
import { Unicode11Addon } from "/vendor/addon-unicode11.mjs";
import { WebLinksAddon } from "/vendor/addon-web-links.mjs";
import { Terminal } from "/vendor/xterm.mjs";
import { h } from "../lib/dom.js";
import { GAP, gapEnd, OUTPUT, RESIZE, size, SNAPSHOT } from "../lib/frames.js";
import { pasteParts } from "../lib/paste.js";
import { toast } from "./toast.js";

const SCROLLBACK_LINES = 10_000;
/** Bytes that xterm.js has not drawn yet, from where on a new picture is sooner there. */
const BEHIND_BYTES = 8 << 20;
/** The daemon takes 60 inputs a second: what is typed faster goes out together. */
const INPUT_GAP_MS = 20;
const RESIZE_GAP_MS = 100;
const TOUCH = window.matchMedia("(pointer: coarse)");
const NARROW = window.matchMedia("(max-width: 700px)");

/** `{ node, key(name), focus(), destroy() }` for a session. */
export function terminal(socket, session) {
  const term = open(session);
  const fit = new FitAddon();
  term.loadAddon(fit);
  const host = h("div", { class: "tty" });
  const id = session.id;
  const place = follow(socket, id, term);
  const type = paced((data) => socket.send({ op: "pty_input", sessionId: id, data }));
  term.onData(type);
  term.attachCustomKeyEventHandler((event) => keys(event, term, host));
  host.addEventListener("paste", (event) => paste(event, socket, id), true);
  const watching = new ResizeObserver(settled(() => ask()));
  const unwatch = socket.state.watch((state) => {
    term.options.disableStdin = state !== "open";
    if (state === "open") ask();
  });
  // The size of a letter is known once the terminal stands in the page.
  requestAnimationFrame(() => {
    term.open(host);
    watching.observe(host);
    // On a phone the focus would bring the keyboard up, over half of what was asked for.
    if (!TOUCH.matches) term.focus();
  });

  function ask() {
    const room = host.isConnected && fit.proposeDimensions();
    if (!(room?.cols > 1)) return;
    socket.send({ op: "resize", sessionId: id, cols: room.cols, rows: room.rows });
  }

  return {
    node: host,
    key: (name) => socket.send({ op: "pty_key", sessionId: id, key: name }),
    focus: () => term.focus(),
    destroy() {
      place.drop();
      unwatch();
      watching.disconnect();
      term.dispose();
    },
  };
}

function open(session) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const term = new Terminal({
    allowProposedApi: true,
    cols: session.ptyCols,
    rows: session.ptyRows,
    cursorBlink: true,
    fontFamily: colour("--mono"),
    fontSize: NARROW.matches ? 12 : 14,
    scrollback: SCROLLBACK_LINES,
    theme: {
      background: colour("--screen"), foreground: colour("--screen-ink"),
      cursor: colour("--screen-cursor"), selectionBackground: colour("--screen-selection"),
    },
  });
  term.loadAddon(new Unicode11Addon());
  term.unicode.activeVersion = "11";
  term.loadAddon(new WebLinksAddon((_, address) => {
    window.open(address, "_blank", "noopener,noreferrer");
  }));
  silence(term.parser);
  return term;
}

/** What programs ask their terminal the daemon has answered: a second answer would be typed. */
function silence(parser) {
  const nothing = () => true;
  const asks = (data) => data.includes("?");
  for (const id of [
    { final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" },
    { final: "n" }, { prefix: "?", final: "n" }, { prefix: ">", final: "q" }, { final: "t" },
    { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" },
  ]) parser.registerCsiHandler(id, nothing);
  for (const number of [4, 10, 11, 12]) parser.registerOscHandler(number, asks);
  parser.registerDcsHandler({ intermediates: "$", final: "q" }, nothing);
}

/** Keeps `term` at the end of the session's output. */
function follow(socket, id, term) {
  let from = "screen";
  let undrawn = 0;
  let drop = subscribe();

  function subscribe() {
    return socket.subscribe(`session:${id}:pty`, { options: () => ({ from }), frame });
  }

  function frame({ type, offset, bytes }) {
    if (type === RESIZE) {
      const { cols, rows } = size(bytes);
      // Behind what is not drawn yet, which was made for the size before.
      term.write("", () => term.resize(cols, rows));
      return;
    }
    if (type === GAP) {
      term.write("\r\n\x1b[7m some output is gone \x1b[m\r\n");
      from = gapEnd(bytes);
      return;
    }
    // A picture is painted on an empty screen. In the stream, so that it comes when its turn is.
    if (type === SNAPSHOT) term.write("\x1bc");
    if (type === OUTPUT || type === SNAPSHOT) {
      draw(bytes);
      from = offset;
    }
  }

  function draw(bytes) {
    undrawn += bytes.length;
    term.write(bytes, () => {
      undrawn -= bytes.length;
      if (undrawn === 0 && !drop) drop = subscribe();
    });
    if (undrawn > BEHIND_BYTES && drop) {
      drop();
      drop = null;
      from = "screen";
    }
  }

  return { drop: () => drop?.() };
}

function keys(event, term, host) {
  const pressed = event.type === "keydown" && event.ctrlKey && event.key;
  // Tab belongs to the program, so there has to be another way out by keyboard.
  if (pressed === "ArrowUp" && event.shiftKey) {
    event.preventDefault();
    host.closest("main").querySelector("h1, a, button")?.focus();
    return false;
  }
  // With a selection Ctrl-C copies, as everywhere in a browser.
  return !(pressed === "c" && term.hasSelection());
}

/** Numbers them; what makes random ids is there only over TLS or on loopback. */
let pastes = 0;

function paste(event, socket, sessionId) {
  event.preventDefault();
  event.stopPropagation();
  const parts = pasteParts(event.clipboardData.getData("text/plain"));
  if (parts === null) return toast("That is too much for one paste. Put it into a file.");
  const requestId = `paste-${pastes += 1}`;
  for (const [chunkIndex, data] of parts.entries()) {
    socket.send({
      op: "pty_paste", sessionId, requestId, chunkIndex, chunkCount: parts.length, data,
    });
  }
}

/** Sends the first piece at once, and what comes within the gap after it together. */
function paced(send) {
  let waiting = "";
  let timer = null;
  function flush() {
    timer = null;
    if (!waiting) return;
    send(waiting);
    waiting = "";
    timer = setTimeout(flush, INPUT_GAP_MS);
  }
  return (data) => {
    waiting += data;
    if (timer === null) flush();
  };
}

function settled(act) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, RESIZE_GAP_MS);
  };
}
