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
      h("tbody", {}, rows(columns, items))));
}

/** Rows for a table that there is already; `attributes(item)` are those of a row. */
export function rows(columns, items, attributes = () => ({})) {
  // In a box of its own a cell's content is one thing beside the column's name.
  const cell = (column, item) => h("td", { class: column.class, "data-name": column.name },
    h("div", {}, column.cell(item)));
  return items.map((item) =>
    h("tr", attributes(item), columns.map((column) => cell(column, item))));
}
