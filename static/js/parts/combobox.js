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
 * that `goesOn` is taken and looked into, as a directory is. `chosen(value)` is told of what was
 * taken or typed. Returns `{ node, input, hint }` as every field.
 */
export function combobox(label, props, hintText, { find, chosen }) {
  made += 1;
  const id = `options-${made}`;
  const box = field(label, {
    role: "combobox", "aria-controls": id, "aria-expanded": "false", "aria-autocomplete": "list",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...props,
  }, hintText);
  const frame = h("div", { class: "combobox" });
  box.input.replaceWith(frame);
  const options = new Options(box.input, id, label, { find, chosen });
  frame.append(box.input, options.node);
  return box;
}

/** The list below the field. */
class Options {
  #input;
  #id;
  #find;
  #chosen;
  #list;
  #note = h("p", { class: "options-note", hidden: true });
  #rows = [];
  #at = -1;
  #asked = 0;
  #timer = null;
  #isLooking = false;

  constructor(input, id, label, { find, chosen }) {
    this.#input = input;
    this.#id = id;
    this.#find = find;
    this.#chosen = chosen;
    this.#list = h("div", { class: "options", id, role: "listbox", "aria-label": label,
      hidden: true });
    this.node = h("div", { class: "options-box" }, this.#list, this.#note);
    input.addEventListener("input", () => this.#look(WAIT_MS));
    input.addEventListener("click", () => this.#look(0));
    input.addEventListener("keydown", (event) => this.#keys(event));
    input.addEventListener("blur", () => {
      this.#close();
      chosen(input.value);
    });
  }

  #look(wait) {
    clearTimeout(this.#timer);
    this.#isLooking = true;
    this.#timer = setTimeout(async () => {
      this.#asked += 1;
      const turn = this.#asked;
      const found = await this.#find(this.#input.value).catch(() => ({ rows: [] }));
      // What an earlier text meant comes too late, and so does all when the field was left.
      if (turn === this.#asked && document.activeElement === this.#input) this.#open(found);
    }, wait);
  }

  #open({ rows, note }) {
    this.#isLooking = false;
    this.#rows = rows;
    this.#at = -1;
    show(this.#list, rows.map((row, index) => this.#option(row, index)));
    this.#note.textContent = note ?? "";
    this.#note.hidden = !note;
    this.#list.hidden = rows.length === 0;
    this.#input.setAttribute("aria-expanded", String(rows.length > 0));
    this.#input.removeAttribute("aria-activedescendant");
  }

  #option(row, index) {
    return h("div", {
      class: "option", role: "option", id: `${this.#id}-${index}`, "aria-selected": "false",
      // The press must not take the focus out of the field.
      onpointerdown: (event) => event.preventDefault(), onclick: () => this.#take(row),
    }, h("span", { class: "option-label" }, row.label),
      row.hint && h("span", { class: "meta" }, row.hint));
  }

  #close() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.#open({ rows: [] });
  }

  #mark(next) {
    this.#list.children[this.#at]?.setAttribute("aria-selected", "false");
    this.#at = next;
    const row = this.#list.children[next];
    if (!row) return this.#input.removeAttribute("aria-activedescendant");
    row.setAttribute("aria-selected", "true");
    row.scrollIntoView({ block: "nearest" });
    return this.#input.setAttribute("aria-activedescendant", row.id);
  }

  #take(row) {
    this.#input.value = row.value;
    this.#close();
    this.#chosen(row.value);
    if (row.goesOn) this.#look(0);
  }

  #keys(event) {
    if (event.isComposing) return;
    const count = this.#rows.length;
    if (event.key === "Escape" && (count > 0 || this.#isLooking)) {
      // The dialog around it stays.
      event.preventDefault();
      event.stopPropagation();
      this.#close();
    } else if (event.key === "ArrowDown" && count === 0) {
      this.#look(0);
    } else if (count > 0 && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      // Over the end there is the text itself.
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.#mark((this.#at + 1 + step + count + 1) % (count + 1) - 1);
    } else if (["Enter", "Tab"].includes(event.key) && this.#at >= 0) {
      event.preventDefault();
      this.#take(this.#rows[this.#at]);
    }
  }
}
