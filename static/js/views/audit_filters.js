/** Which rows of the audit log are wanted. The choice stays while the page is open. */

import { h } from "../lib/dom.js";
import { KINDS } from "../parts/audit_words.js";
import { field, select } from "../parts/field.js";
import { nameOf } from "../parts/state.js";

const SETTLE_MS = 300;
const TEXT_CHARS = 200;
let last = {};

/**
 * `{ node, query(), isSet(), isPast(), clear(), destroy() }`; `changed()` is called when other
 * rows are wanted. `isPast` says that rows of now are not.
 */
export function filters(ctx, changed) {
  const inputs = {
    text: field("Text", { type: "search", maxlength: TEXT_CHARS, required: false,
      placeholder: "command, reason, rule" }).input,
    decision: select("Decision", [["", "any"], ["allow", "allow"], ["ask", "ask"],
      ["deny", "deny"]]).input,
    kind: select("Kind", [["", "all"], ...KINDS]).input,
    sessionId: select("Session", [["", "all"]]).input,
    tool: field("Tool", { type: "search", required: false, placeholder: "Bash" }).input,
    from: field("From", { type: "datetime-local", required: false }).input,
    to: field("To", { type: "datetime-local", required: false }).input,
  };
  let timer = null;
  const stop = ctx.sessions.watch((all) => offer(inputs.sessionId, all ?? []));
  for (const [name, input] of Object.entries(inputs)) {
    if (last[name]) input.value = last[name];
    input.addEventListener("input", soon);
  }
  const reset = h("button", { type: "button", class: "text", onclick: clear }, "Show all");
  const node = h("form", {
    class: "row-filters", role: "search", "aria-label": "Rows", onsubmit: (event) => {
      event.preventDefault();
      tell();
    },
  }, Object.values(inputs).map((input) => input.closest(".field")), reset);
  reset.hidden = !isSet();
  return { node, query, isSet, isPast, clear, destroy };

  function destroy() {
    clearTimeout(timer);
    stop();
  }

  function query() {
    const time = (text) => text && new Date(text).toISOString();
    const { from, to, ...others } = values();
    return { ...others, from: time(from), to: time(to) };
  }

  function values() {
    return Object.fromEntries(Object.entries(inputs).map(([name, { value }]) =>
      [name, value.trim()]));
  }

  function isSet() {
    return Object.values(values()).some(Boolean);
  }

  function isPast() {
    return Boolean(inputs.to.value) && new Date(inputs.to.value) < new Date();
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(tell, SETTLE_MS);
  }

  function tell() {
    clearTimeout(timer);
    last = values();
    reset.hidden = !isSet();
    changed();
  }

  function clear() {
    Object.values(inputs).forEach((input) => { input.value = ""; });
    tell();
    inputs.text.focus();
  }
}

/** Sessions that the list does not have yet; one that is gone can still be asked for. */
function offer(input, all) {
  const there = new Set([...input.options].map(({ value }) => value));
  input.append(...all.filter(({ id }) => !there.has(id)).map((one) =>
    h("option", { value: one.id }, nameOf(one))));
  if (last.sessionId && !input.value) input.value = last.sessionId;
}
