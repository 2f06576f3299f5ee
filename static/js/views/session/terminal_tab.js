/** The terminal of a session with all that stands around it: tools, notices, keys, prompt box. */

import { h, icon, say, show } from "../../lib/dom.js";
import { compose } from "../../parts/compose.js";
import { keybar } from "../../parts/keybar.js";
import { menu } from "../../parts/menu.js";
import { copied } from "../../parts/session_actions.js";
import { isLive } from "../../parts/state.js";
import { terminal } from "../../parts/terminal.js";
import { toast } from "../../parts/toast.js";

const GLASS = "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.5 15.5L20 20";

/** `{ node, update(session), shown(), destroy() }`; its tools go into `tools`. */
export function terminalTab(ctx, session, tools) {
  let now = session;
  const notices = notes();
  const keys = keybar((name) => term.send.key(name));
  const term = terminal(ctx.socket, session, {
    notice: notices.set, ctrl: keys.ctrl, isLive: () => isLive(now),
  });
  const prompt = compose(session.id, {
    paste: term.send.paste, queues: session.provider !== "command",
  });
  show(tools,
    h("button", { type: "button", class: "quiet icon-button", onclick: term.find,
      "aria-label": "Find in the output", title: "Find in the output (Ctrl+Shift+F)" },
    icon(GLASS)),
    menu("Terminal", "Aa", rows));
  const stop = phone();
  term.node.append(notices.node);
  const node = h("div", { class: "screen" }, term.node,
    h("p", { class: "way-out" }, "Ctrl+Shift+↑ leaves the terminal by keyboard"),
    h("div", { class: "below" }, keys.node, prompt));
  return {
    node,
    update(known) {
      now = known;
      node.classList.toggle("over", !isLive(known));
    },
    shown: term.focus,
    destroy() {
      stop();
      term.destroy();
    },
  };

  async function keep() {
    const { download } = await import("./download.js");
    download(now);
  }

  function rows() {
    const chosen = term.selection();
    return [
      { label: "Copy selection", disabled: !chosen, act: () => copied(chosen) },
      { label: "Select all", hint: "Loads older output first", act: selectAll },
      { label: "Load older output", act: term.older },
      { label: "Download the whole log", act: keep },
      null,
      { label: "Fit to me", disabled: !isLive(now), act: term.fit,
        hint: "The session takes the size of this window" },
      { label: "Larger letters", act: () => term.font(1) },
      { label: "Smaller letters", act: () => term.font(-1) },
    ];
  }

  async function selectAll() {
    const text = await term.selectAll();
    const lines = text.split("\n").length.toLocaleString();
    toast(`${lines} lines are selected; Ctrl+C copies them.`);
  }
}

/** Lines above the terminal, one of each kind: `{ node, set(kind, text, action) }`. */
function notes() {
  const node = h("div", { class: "notes", role: "status" });
  const known = new Map();
  return { node, set };

  function set(kind, text, action) {
    const line = known.get(kind);
    if (!text) {
      line?.remove();
      known.delete(kind);
    } else if (line) {
      say(line.firstChild, text);
    } else {
      const made = h("p", { class: "note" }, h("span", {}, text),
        action && h("button", { type: "button", class: "text", onclick: action.act },
          action.label));
      known.set(kind, made);
      node.append(made);
    }
  }
}

/**
 * What can be seen is less than the window while a phone's keyboard is up: the page keeps to it,
 * and gives up what is not needed while typing. Returns how to stop.
 */
function phone() {
  const { visualViewport: seen } = window;
  const root = document.documentElement;
  if (!seen) return () => {};
  let tallest = seen.height;
  function fit() {
    // Turned, or another window: no keyboard is wider than before.
    if (seen.width !== fit.width) tallest = seen.height;
    fit.width = seen.width;
    tallest = Math.max(tallest, seen.height);
    root.style.setProperty("--seen", `${Math.round(seen.height)}px`);
    root.classList.toggle("typing", seen.height < 0.75 * tallest && seen.scale === 1);
  }
  fit();
  seen.addEventListener("resize", fit);
  return () => {
    seen.removeEventListener("resize", fit);
    root.style.removeProperty("--seen");
    root.classList.remove("typing");
  };
}
