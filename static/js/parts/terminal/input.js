/** What a person types, pastes and presses, on its way to a session. */

import { pasteParts } from "../../lib/paste.js";
import { toast } from "../toast.js";

/** The daemon takes 60 inputs a second: what is typed faster goes out together. */
const INPUT_GAP_MS = 20;
/** What the agents take for a new line in their prompt: Alt and Enter. */
const NEW_LINE = "\x1b\r";

/** Sends input of one session over `socket`: `{ type(data), key(name), paste(text), claim() }`. */
export function input(socket, sessionId) {
  let pastes = 0;
  const send = (message) => socket.send({ sessionId, ...message });
  return {
    type: paced((data) => send({ op: "pty_input", data })),
    key: (key) => send({ op: "pty_key", key }),
    /** As one paste; false where it is too much. */
    paste(text) {
      const parts = pasteParts(text);
      if (parts === null) {
        toast("That is too much for one paste. Put it into a file.");
        return false;
      }
      // What makes random ids is there only over TLS or on loopback; a number is enough.
      const requestId = `paste-${pastes += 1}`;
      return parts.every((data, chunkIndex) => send({
        op: "pty_paste", requestId, chunkIndex, chunkCount: parts.length, data,
      }));
    },
    /** Makes this page the one whose size counts, as typing does. */
    claim: () => send({ op: "pty_input", data: "" }),
  };
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

/**
 * Looks at each key before xterm.js does; false keeps it from there. `ways` are `{ leave(), find(),
 * older(), newLine(data) }`.
 */
export function keyHandler(term, isAgent, ways) {
  return (event) => {
    const { key, ctrlKey, shiftKey, altKey, metaKey } = event;
    const isDown = event.type === "keydown";
    const act = (way) => {
      event.preventDefault();
      if (isDown) way();
      return false;
    };
    // Tab belongs to the program, so there has to be another way out by keyboard.
    if (ctrlKey && shiftKey && key === "ArrowUp") return act(ways.leave);
    if (ctrlKey && shiftKey && key.toLowerCase() === "f") return act(ways.find);
    // With a selection Ctrl-C copies, as everywhere in a browser.
    if (ctrlKey && key.toLowerCase() === "c" && term.hasSelection()) return false;
    if (shiftKey && key === "PageUp" && isDown) ways.older();
    if (!isAgent || altKey || metaKey) return true;
    if (shiftKey && key === "Enter") return act(() => ways.newLine(NEW_LINE));
    // Nobody is there to wake an agent that has stopped itself.
    if (ctrlKey && !shiftKey && key.toLowerCase() === "z") {
      return act(() => toast("Ctrl+Z would stop the agent for good. Freeze it from the menu."));
    }
    return true;
  };
}
