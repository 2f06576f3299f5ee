/** A setting of the daemon's that is saved as soon as it is changed, and says so. */

import { put } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { words } from "./field.js";

const SAID_MS = 3000;
let made = 0;

/** One of a few: `options` are `[value, label]`. */
export function choice(row, options) {
  return setting(row, (value, props) => h("select", props, options.map(([known, label]) =>
    h("option", { value: known, selected: known === value }, label))), (input) => input.value);
}

/** Yes or no. */
export function yesNo(row) {
  return setting(row, (value, props) => h("input", {
    ...props, type: "checkbox", role: "switch", class: "switch", checked: value,
  }),
    (input) => input.checked);
}

/** A number in a `unit` that the daemon counts as `size`. */
export function number(row, { unit, size = 1, least, most }) {
  return setting(row, (value, props) => h("span", { class: "with-unit" },
    h("input", {
      ...props, type: "number", inputmode: "numeric", min: least, max: most, required: true,
      value: Math.round(value / size),
    }), h("span", { class: "unit" }, unit)), (input) => Math.round(input.value * size));
}

/**
 * `row` is `{ key, label, hint?, value, save? }`; `save(value)` returns a promise, and stores one
 * of the daemon's settings unless it is given. What is refused goes back to what it was.
 */
function setting(row, control, read) {
  made += 1;
  const id = `setting-${made}`;
  const said = h("p", { class: "said", role: "status" });
  const box = control(row.value, { id, "aria-describedby": `${id}-hint`, onchange: change });
  const input = box.matches("input, select") ? box : box.querySelector("input");
  const save = row.save ?? ((value) => put("/settings/daemon", { [row.key]: value }));
  let stored = shown();
  let timer = null;
  return h("div", { class: "setting" },
    h("div", { class: "setting-words" }, h("label", { for: id }, row.label),
      h("p", { class: "hint", id: `${id}-hint` }, row.hint), said), box);

  async function change() {
    if (!input.reportValidity()) return;
    const wanted = shown();
    input.disabled = true;
    try {
      await save(read(input));
      stored = wanted;
      tell("Saved", "good");
    } catch (error) {
      if (input.type === "checkbox") input.checked = stored;
      else input.value = stored;
      tell(words(error), "bad");
    }
    input.disabled = false;
    input.focus();
  }

  function shown() {
    return input.type === "checkbox" ? input.checked : input.value;
  }

  function tell(text, tone) {
    clearTimeout(timer);
    said.textContent = text;
    said.dataset.tone = tone;
    if (tone === "good") timer = setTimeout(() => { said.textContent = ""; }, SAID_MS);
  }
}
