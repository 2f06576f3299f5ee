/**
 * A field that offers what could be meant (the combobox pattern of the ARIA practices, with a list
 * that only suggests): arrows walk through the list while the cursor stays in the field, Enter or
 * Tab takes a row, Escape closes it.
 */

import { h, show } from "../lib/dom.js";
import { field } from "./field.js";

const WAIT_MS = 120;
let made = 0;

/**
 * `find(text)` is a promise of `{ rows, note? }`, and a row `{ value, label, hint?, goesOn? }`: one
 * that `goesOn` is taken and looked into, as a directory is. `chosen(value)` is told of what
 * was taken or typed. Returns `{ node, input, hint }` as every field.
 */
export function combobox(label, props, hintText, { find, chosen }) {
  made += 1;
  const id = `options-${made}`;
  const box = field(label, {
    role: "combobox", "aria-controls": id, "aria-expanded": "false", "aria-autocomplete": "list",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...props,
  }, hintText);
  const { input } = box;
  const options = h("div", { class: "options", id, role: "listbox", "aria-label": label,
    hidden: true });
  const note = h("p", { class: "options-note", hidden: true });
  const frame = h("div", { class: "combobox" });
  input.replaceWith(frame);
  frame.append(input, h("div", { class: "options-box" }, options, note));
  let [rows, at, asked, timer, isLooking] = [[], -1, 0, null, false];
  input.addEventListener("input", () => look(WAIT_MS));
  input.addEventListener("click", () => look(0));
  input.addEventListener("blur", () => {
    close();
    chosen(input.value);
  });
  input.addEventListener("keydown", keys);
  return box;

  function look(wait) {
    clearTimeout(timer);
    isLooking = true;
    timer = setTimeout(async () => {
      asked += 1;
      const turn = asked;
      const found = await find(input.value).catch(() => ({ rows: [] }));
      // What an earlier text meant comes too late, and so does all when the field was left.
      if (turn === asked && document.activeElement === input) open(found);
    }, wait);
  }

  function open(found) {
    isLooking = false;
    rows = found.rows;
    at = -1;
    show(options, rows.map((row, index) => h("div", {
      class: "option", role: "option", id: `${id}-${index}`, "aria-selected": "false",
      // The press must not take the focus out of the field.
      onpointerdown: (event) => event.preventDefault(), onclick: () => take(row),
    }, h("span", { class: "option-label" }, row.label),
      row.hint && h("span", { class: "meta" }, row.hint))));
    note.textContent = found.note ?? "";
    note.hidden = !found.note;
    options.hidden = rows.length === 0;
    input.setAttribute("aria-expanded", String(rows.length > 0));
    input.removeAttribute("aria-activedescendant");
  }

  function close() {
    clearTimeout(timer);
    asked += 1;
    open({ rows: [] });
  }

  function mark(next) {
    options.children[at]?.setAttribute("aria-selected", "false");
    at = next;
    const row = options.children[at];
    if (!row) return input.removeAttribute("aria-activedescendant");
    row.setAttribute("aria-selected", "true");
    row.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", row.id);
  }

  function take(row) {
    input.value = row.value;
    close();
    chosen(row.value);
    if (row.goesOn) look(0);
  }

  function keys(event) {
    if (event.isComposing) return;
    const count = rows.length;
    if (event.key === "Escape" && (count > 0 || isLooking)) {
      // The dialog around it stays.
      event.preventDefault();
      event.stopPropagation();
      return close();
    }
    if (event.key === "ArrowDown" && count === 0) return look(0);
    if (count === 0) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      // Over the end there is the text itself.
      const step = event.key === "ArrowDown" ? 1 : -1;
      mark((at + 1 + step + count + 1) % (count + 1) - 1);
    } else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) {
      event.preventDefault();
      take(rows[at]);
    }
  }
}
