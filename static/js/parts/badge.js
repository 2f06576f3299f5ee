/** A word in a rounded box. Its tone is a colour beside the word, never in its place. */

import { h } from "../lib/dom.js";

/** `tone` is busy, ask, bad or over; `title` explains the word. */
export function badge(word, tone = "over", title = null) {
  return h("span", { class: "badge", "data-tone": tone, title }, word);
}
