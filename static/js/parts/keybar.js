/** The keys that a phone's keyboard does not have. Shown where there is no real one. */

import { h } from "../lib/dom.js";

/** What is written on it, what the daemon calls it, and what it says to those who listen. */
const KEYS = [
  ["Esc", "escape", "Esc"], ["Tab", "tab", "Tab"], ["⇧Tab", "shift+tab", "Shift Tab"],
  ["^C", "ctrl+c", "Control C"], ["←", "left", "Left"], ["↑", "up", "Up"],
  ["↓", "down", "Down"], ["→", "right", "Right"], ["⏎", "enter", "Enter"],
];

/**
 * `{ node, ctrl() }`; `press(name)` sends a key. Ctrl stays down for the next key, or letter of the
 * keyboard, and `ctrl()` tells whether it was: asking lets it go.
 */
export function keybar(press) {
  const keep = { type: "button", onpointerdown: (event) => event.preventDefault() };
  const control = h("button", {
    ...keep, "aria-pressed": "false", onclick: () => hold(!isDown()),
  }, "Ctrl");
  // The terminal keeps the focus, and with it the phone keeps its keyboard open.
  const node = h("div", { class: "keybar", role: "toolbar", "aria-label": "Keys" }, control,
    KEYS.map(([text, name, said]) => h("button", {
      ...keep, "aria-label": said, onclick: () => press(ctrl() ? withCtrl(name) : name),
    }, text)));
  return { node, ctrl };

  function ctrl() {
    const was = isDown();
    hold(false);
    return was;
  }

  function isDown() {
    return control.getAttribute("aria-pressed") === "true";
  }

  function hold(is) {
    control.setAttribute("aria-pressed", String(is));
  }
}

const withCtrl = (name) => (name.startsWith("ctrl+") ? name : `ctrl+${name}`);
