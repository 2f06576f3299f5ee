/** Times that stay right while they are on the page: "12 min ago", and the whole in the title. */

import { h } from "../lib/dom.js";
import { span } from "../lib/format.js";

const TICK_MS = 10_000;
const FORMS = {
  ago: (time) => `${span(time)} ago`,
  until: (time) => (Date.parse(time) > Date.now() ? `in ${span(time)}` : "now"),
};
let ticking = null;

/** How long ago, `<time>`. */
export const ago = (time) => moment(time, "ago");

/** How long until then. */
export const until = (time) => moment(time, "until");

/** The time as it stands in the person's own time zone. */
export const whole = (time) =>
  new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });

/** A `<time>` with these words. */
export function timed(time, text) {
  return h("time", { datetime: time, title: whole(time) }, text);
}

function moment(time, form) {
  ticking ??= setInterval(tick, TICK_MS);
  const node = timed(time, FORMS[form](time));
  node.dataset.form = form;
  return node;
}

function tick() {
  for (const node of document.querySelectorAll("time[data-form]")) {
    const text = FORMS[node.dataset.form](node.dateTime);
    if (node.textContent !== text) node.textContent = text;
  }
}
