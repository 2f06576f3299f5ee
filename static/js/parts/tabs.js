/**
 * Tabs of one view (the pattern of the ARIA practices: one stop for Tab, arrows between them).
 * A panel is made when it is first shown, and kept: a terminal goes on behind another tab.
 */

import { h } from "../lib/dom.js";

/**
 * `rows` are `{ id, label, make() }`, where `make` returns a node; `chosen(id)` is told of each
 * change. Returns `{ bar, panels, select(id) }`.
 */
export function tabs(name, rows, chosen) {
  const made = new Map();
  const buttons = rows.map((row) => h("button", {
    type: "button", role: "tab", class: "tab", id: `tab-${row.id}`,
    "aria-controls": `panel-${row.id}`, onclick: () => select(row.id),
  }, row.label));
  const bar = h("div", { class: "tabs", role: "tablist", "aria-label": name, onkeydown: keys },
    buttons);
  const panels = h("div", { class: "panels" });
  let now = null;
  return { bar, panels, select };

  function select(id) {
    const wanted = rows.find((row) => row.id === id) ?? rows[0];
    if (wanted.id === now) return;
    now = wanted.id;
    if (!made.has(now)) {
      const panel = h("div", {
        role: "tabpanel", id: `panel-${now}`, "aria-labelledby": `tab-${now}`, class: "panel",
      }, wanted.make());
      made.set(now, panel);
      panels.append(panel);
    }
    made.forEach((panel, other) => { panel.hidden = other !== now; });
    rows.forEach((row, at) => {
      buttons[at].setAttribute("aria-selected", String(row.id === now));
      buttons[at].tabIndex = row.id === now ? 0 : -1;
    });
    // Where there is no room for all tabs, the chosen one is not the one that is cut off.
    const there = buttons[rows.indexOf(wanted)];
    requestAnimationFrame(() => there.scrollIntoView({ block: "nearest", inline: "nearest" }));
    chosen?.(now);
  }

  function keys(event) {
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = (to + rows.length) % rows.length;
    buttons[next].focus();
    select(rows[next].id);
  }
}
