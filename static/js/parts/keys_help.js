/** The keys that work on this page, in a dialog. */

import { h } from "../lib/dom.js";
import { known, shortcuts } from "../lib/shortcuts.js";
import { dialog } from "./dialog.js";

const SAID = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc" };

/** Makes `?` show them, everywhere. */
export function keysHelp() {
  shortcuts([{ keys: ["?"], label: "Show these keys", act: show }]);
}

function show() {
  dialog("Keys", h("dl", { class: "keys" }, known().map(({ keys, label }) => h("div", {},
    h("dt", {}, keys.map((key) => h("kbd", {}, SAID[key] ?? key))), h("dd", {}, label)))));
}
