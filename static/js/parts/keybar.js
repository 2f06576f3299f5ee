/** The keys that a phone's keyboard does not have. Shown where there is no real one. */

import { h } from "../lib/dom.js";

/** What is written on it, what the daemon calls it, and what it says to those who listen. */
const KEYS = [
  ["Esc", "escape", "Escape"], ["Tab", "tab", "Tab"], ["⇧Tab", "shift+tab", "Shift Tab"],
  ["^C", "ctrl+c", "Control C"], ["↑", "up", "Up"], ["↓", "down", "Down"],
  ["←", "left", "Left"], ["→", "right", "Right"],
];

/** The bar; `press(name)` sends a key. */
export function keybar(press) {
  return h("div", { class: "keybar", role: "toolbar", "aria-label": "Keys" },
    KEYS.map(([text, name, said]) => h("button", {
      "aria-label": said,
      // The terminal keeps the focus, and with it the phone keeps its keyboard open.
      onpointerdown: (event) => event.preventDefault(),
      onclick: () => press(name),
    }, text)));
}
