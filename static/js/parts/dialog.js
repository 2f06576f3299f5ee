/** Dialogs over the page. The browser keeps the focus inside, and gives it back at the end. */

import { h } from "../lib/dom.js";
import { words } from "./field.js";

let made = 0;

/**
 * Opens a dialog and returns `{ node, close(), hold() }`. Escape and a press beside it close it,
 * until `hold()`; `closed()` is called however it ends, and may be missing. The cursor is in the
 * first field.
 */
export function dialog(title, body, closed) {
  made += 1;
  const id = `dialog-${made}`;
  let held = false;
  const away = h("button", {
    type: "button", class: "quiet close", "aria-label": "Close", onclick: close,
  }, "✕");
  const node = h("dialog", {
    class: "dialog", "aria-labelledby": id, onclose: end, onclick: beside, oncancel: cancel,
  }, h("div", { class: "dialog-body" },
    h("header", { class: "dialog-head" }, h("h2", { id }, title), away), body));
  document.body.append(node);
  node.showModal();
  (node.querySelector("[autofocus]")
    ?? node.querySelector(":is(input, select, textarea):not([hidden])"))?.focus();
  return { node, close, hold };

  function hold() {
    held = true;
    away.hidden = true;
  }

  function cancel(event) {
    if (held) event.preventDefault();
  }

  function close() {
    node.close();
  }

  function end() {
    node.remove();
    closed?.();
  }

  // The body fills the dialog: what hits the element itself is its backdrop.
  function beside(event) {
    if (event.target === node && !held) close();
  }
}

/**
 * Asks before something that cannot be taken back. `act()` is what is asked about: while it runs
 * the dialog rests, what it throws is shown, and when it is done the dialog goes. With `word` that
 * has to be typed first. The way out has the focus, so that Enter alone does nothing.
 */
export function confirm({ title, text, action, word, act }) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const go = h("button", { type: "submit", class: "danger", disabled: Boolean(word) }, action);
  const typed = word && h("input", {
    id: "confirm-word", autocomplete: "off", spellcheck: "false",
    oninput: () => { go.disabled = typed.value.trim() !== word; },
  });
  const away = h("button", { type: "button", autofocus: true, onclick: () => asked.close() },
    "Cancel");
  const form = h("form", { class: "form", onsubmit: run },
    [text].flat().map((line) => h("p", {}, line)),
    word && h("div", { class: "field" },
      h("label", { for: "confirm-word" }, "Type ", h("code", {}, word), " to go on"), typed),
    problem, h("div", { class: "answers end" }, away, go));
  const asked = dialog(title, form);

  async function run(event) {
    event.preventDefault();
    go.disabled = true;
    problem.hidden = true;
    try {
      await act();
      asked.close();
    } catch (error) {
      problem.textContent = words(error);
      problem.hidden = false;
      go.disabled = false;
      (word ? typed : go).focus();
    }
  }
}
