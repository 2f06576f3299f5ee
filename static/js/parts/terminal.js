/**
 * A session's terminal: xterm.js at the end of a topic of the socket.
 *
 * The daemon owns the terminal: it answers the programs' queries, says how large it is, and knows
 * where in the log this page stands. The page opens on a picture of the screen; what was before
 * that is drawn out of sight when somebody wants it, and then takes the picture's place.
 */

import { h } from "../lib/dom.js";
import { Find } from "./terminal/find.js";
import { input, keyHandler } from "./terminal/input.js";
import { Room } from "./terminal/room.js";
import { isAtTop, isScrolled } from "./terminal/screen.js";
import { ENOUGH, EVERYTHING, Stage } from "./terminal/stage.js";
import { touch } from "./terminal/touch.js";

/** What can be typed together with Ctrl. */
const CTRL = /^[a-z@[\]\\^_ ]$/i;
const TOUCH = window.matchMedia("(pointer: coarse)");

/**
 * `session` is as the API shows it. `told` are `notice(kind, text, action?)` for what is said over
 * the terminal, where no text takes it back, `isLive()`, and `ctrl()`, true where the next letter
 * is meant together with Ctrl. Returns the node and what can be done.
 */
export function terminal(socket, session, told) {
  const host = h("div", { class: "tty" });
  const send = input(socket, session.id);
  const size = new Room(host, (wanted) => {
    if (told.isLive()) socket.send({ op: "resize", sessionId: session.id, ...wanted });
  }, (found) => differs(told, found, fit));
  const stage = new Stage(host, socket, session.id, {
    enters, font: () => size.font, notice: told.notice,
  });
  const find = new Find({ ready: () => stage.older(ENOUGH), back: focus });
  const stops = [socket.state.watch(connected), socket.hear("resize_ack", () => size.compare())];
  const above = () => stage.term && isAtTop(stage.term) && stage.more();
  host.addEventListener("paste", (event) => pasted(send, event), true);
  host.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && above(), { passive: true });
  touch(host, size, (pixels, at) => drag(stage, host, pixels, at));
  // The size of a letter is known once the terminal stands in the page.
  requestAnimationFrame(() => {
    if (!host.isConnected) return;
    stage.open(session.ptyCols, session.ptyRows);
    // On a phone the focus would bring the keyboard up, over half of what was asked for.
    if (!TOUCH.matches) focus();
  });
  return {
    node: h("div", { class: "tty-box" }, host, find.node),
    send, fit, focus, selectAll,
    find: () => find.open(),
    font: (by) => { size.font += by; },
    older: () => stage.older(EVERYTHING),
    selection: () => stage.term?.getSelection() ?? "",
    destroy() {
      stops.forEach((stop) => stop());
      size.stop();
      stage.close();
    },
  };

  function enters(term) {
    term.options.disableStdin = socket.state.get() !== "open";
    term.onData((data) => typed(send, data, told.ctrl()));
    term.attachCustomKeyEventHandler(keyHandler(term, session.provider !== "command", {
      leave: () => host.closest("main").querySelector("h1, a, button")?.focus(),
      find: () => find.open(),
      older: above,
      newLine: send.type,
    }));
    size.use(term);
    find.use(term);
  }

  function connected(state) {
    if (stage.term) stage.term.options.disableStdin = state !== "open";
    if (state === "open") size.fit();
  }

  function fit() {
    size.fit();
    send.claim();
  }

  function focus() {
    stage.term?.focus();
  }

  async function selectAll() {
    await stage.older(ENOUGH);
    stage.term.selectAll();
    focus();
    return stage.term.getSelection();
  }
}

function pasted(send, event) {
  event.preventDefault();
  event.stopPropagation();
  send.paste(event.clipboardData.getData("text/plain"));
}

/** Says whose size the session has, where it is not this page's. */
function differs(told, found, fit) {
  const actual = told.isLive() ? found : null;
  told.notice("size", actual && `Sized by another viewer: ${actual.cols} × ${actual.rows}`,
    actual && { label: "Fit to me", act: fit });
}

function typed(send, data, withCtrl) {
  if (!withCtrl || !CTRL.test(data)) send.type(data);
  else send.key(`ctrl+${data === " " ? "space" : data.toLowerCase()}`);
}

/** Scrollback scrolls; to a program that has the whole screen a finger is a wheel. */
function drag(stage, host, pixels, { clientX, clientY }) {
  if (!stage.term) return;
  if (isScrolled(stage.term)) {
    stage.scroll(pixels);
    return;
  }
  host.querySelector(".xterm-screen")?.dispatchEvent(new WheelEvent("wheel", {
    deltaY: pixels, bubbles: true, cancelable: true, clientX, clientY,
  }));
}
