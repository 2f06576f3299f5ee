/** Text of strangers as nodes: what would not be seen stands there by name. */

import { h } from "../lib/dom.js";
import { pieces, warnings } from "../lib/visible.js";

const TITLES = {
  hidden: "a character that cannot be seen",
  run: "one character, so many times",
  foreign: "a letter of another alphabet",
  newline: "a new line",
};

/** The nodes of `text`; with `breaks` its new lines are marked and broken, else only marked. */
export function visible(text, breaks = true) {
  return pieces(text).map((piece) => {
    if (piece.kind === "plain") return piece.text;
    const mark = h("span", { class: `mark ${piece.kind}`, title: TITLES[piece.kind] }, piece.text);
    return [mark, breaks ? piece.after : ""];
  });
}

/** What a person must know before believing their eyes; null where there is nothing. */
export function eyes(text) {
  const said = warnings(text);
  return said.length ? h("p", { class: "notice" }, said.join(" ")) : null;
}
