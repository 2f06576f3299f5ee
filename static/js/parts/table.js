/**
 * A table whose rows are cards where there is no room for columns; each cell then carries the
 * column's name.
 */

import { h } from "../lib/dom.js";

/**
 * `columns` are `{ name, cell(item), class? }`, where `cell` returns a text, a node or a list;
 * `caption` is read to those who do not see the table.
 */
export function table(caption, columns, items) {
  return h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: "table" },
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map((column) =>
        h("th", { scope: "col", class: column.class }, column.name)))),
      h("tbody", {}, items.map((item) => h("tr", {}, columns.map((column) =>
        h("td", { class: column.class, "data-name": column.name }, column.cell(item))))))));
}
