/** A labelled input with a hint below it, and forms that say what went wrong. */

import { h } from "../lib/dom.js";
import { sentence, duration } from "../lib/format.js";

let made = 0;

/** `{ node, input, hint }`; `props` go to the input. A password gets a button that shows it. */
export function field(label, props, hintText = "") {
  made += 1;
  const [id, hintId] = [`field-${made}`, `hint-${made}`];
  const input = h("input", { id, "aria-describedby": hintId, required: true, ...props });
  const hint = h("p", { id: hintId, class: "hint" }, hintText);
  const box = props.type === "password" ? h("div", { class: "peek" }, input, peek(input)) : input;
  const node = h("div", { class: "field" }, h("label", { for: id }, label), box, hint);
  return { node, input, hint };
}

function peek(input) {
  const button = h("button", { type: "button", class: "quiet", "aria-pressed": "false",
    "aria-label": "Show what I type", onclick: flip }, "Show");
  return button;

  function flip() {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.textContent = shown ? "Show" : "Hide";
    button.setAttribute("aria-pressed", String(!shown));
    input.focus();
  }
}

/** A choice from a few: `options` are `[value, label]`; `{ node, input, hint }`. */
export function select(label, options, props = {}, hintText = "") {
  const { value, ...others } = props;
  const made = (box) => h("select", { ...box, ...others }, options.map(([known, text]) =>
    h("option", { value: known, selected: known === value }, text)));
  return labelled(label, made, hintText);
}

/** A text of several lines; `{ node, input, hint }`. */
export function area(label, props = {}, hintText = "") {
  const { value = "", ...others } = props;
  return labelled(label, (box) => h("textarea", { ...box, ...others }, value), hintText);
}

/** Yes or no; `{ node, input, hint }`. */
export function toggle(label, props = {}, hintText = "") {
  made += 1;
  const [id, hintId] = [`field-${made}`, `hint-${made}`];
  const input = h("input", { id, type: "checkbox", "aria-describedby": hintId, ...props });
  const hint = h("p", { id: hintId, class: "hint" }, hintText);
  const node = h("div", { class: "toggle" }, h("div", { class: "check" }, input,
    h("label", { for: id }, label)), hint);
  return { node, input, hint };
}

function labelled(label, make, hintText) {
  made += 1;
  const [id, hintId] = [`field-${made}`, `hint-${made}`];
  const input = make({ id, "aria-describedby": hintId });
  const hint = h("p", { id: hintId, class: "hint" }, hintText);
  const node = h("div", { class: "field" }, h("label", { for: id }, label), input, hint);
  return { node, input, hint };
}

/** The six digits of an authenticator. */
export function codeField(label, hintText) {
  return field(label, {
    class: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: "7",
    pattern: "[0-9]{3} ?[0-9]{3}", placeholder: "000000", title: "six digits",
  }, hintText);
}

/** The digits alone: authenticators show them in two groups. */
export const digits = (input) => input.value.replaceAll(" ", "");

/**
 * A form with one main button. `submit()` returns a promise; while it is open the button rests, and
 * what it throws is shown above the button.
 */
export function form(label, submit, ...children) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const button = h("button", { class: "primary" }, label);
  return h("form", { class: "form", onsubmit: run }, children, problem, button);

  async function run(event) {
    event.preventDefault();
    const isPressed = document.activeElement === button;
    button.disabled = true;
    problem.hidden = true;
    try {
      await submit();
    } catch (error) {
      problem.textContent = words(error);
      problem.hidden = false;
    }
    button.disabled = false;
    // A button that rests loses the focus; another place may have it by now.
    if (isPressed && document.activeElement === document.body) button.focus();
  }
}

/** An error for a person, with the wait where there is one. */
export function words(error) {
  const wait = error.retryAfter ? `: try again in ${duration(error.retryAfter)}` : "";
  return sentence(error.message + wait);
}

/** Password stores want a name to keep a password under. */
export function userName() {
  return h("input", {
    type: "text", autocomplete: "username", value: "codepiper", readonly: true, hidden: true,
  });
}
