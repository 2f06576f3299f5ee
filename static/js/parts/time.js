/** How long ago something was, with the moment itself for who wants to know. */

import { h, say } from "../lib/dom.js";
import { moment, span } from "../lib/format.js";

/** A `<time>` that follows: `{ node, update(at) }`; `words(span)` makes "3 min ago" of "3 min". */
export function time(at = null, words = (text) => `${text} ago`) {
  const node = h("time", {});
  let shown = null;
  if (at) update(at);
  return { node, update };

  function update(now) {
    say(node, now ? words(span(now)) : "");
    if (now === shown) return;
    shown = now;
    if (!now) return;
    node.dateTime = now;
    node.title = moment(now);
  }
}
