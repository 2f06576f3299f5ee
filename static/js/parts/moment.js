/** Times that stay right while they are on the page: "12 min ago", and the whole in the title. */

import { h, say } from "../lib/dom.js";
import { span } from "../lib/format.js";

const TICK_MS = 10_000;
const FORMS = {
  age: (time) => span(time),
  ago: (time) => `${span(time)} ago`,
  until: (time) => (Date.parse(time) > Date.now() ? `in ${span(time)}` : "now"),
};
let ticking = null;

/** How long ago, `<time>`. */
export const ago = (at) => fixed(at, "ago");

/** How long until then. */
export const until = (at) => fixed(at, "until");

/** The time as it stands in the person's own time zone. */
export const whole = (time) =>
  new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });

/** A `<time>` with these words. */
export function timed(time, text) {
  return h("time", { datetime: time, title: whole(time) }, text);
}

/**
 * A `<time>` whose moment may change: `{ node, update(at) }`, where `at` may be null. `form` is
 * `ago`, `until`, or `age` for the span alone.
 */
export function moment(form = "ago") {
  ticking ??= setInterval(tick, TICK_MS);
  const node = h("time", { "data-form": form });
  return { node, update };

  function update(at) {
    if (at && at !== node.dateTime) {
      node.dateTime = at;
      node.title = whole(at);
    }
    say(node, at ? FORMS[form](at) : "");
  }
}

function fixed(at, form) {
  const { node, update } = moment(form);
  update(at);
  return node;
}

function tick() {
  for (const node of document.querySelectorAll("time[data-form]:not(:empty)")) {
    say(node, FORMS[node.dataset.form](node.dateTime));
  }
}
