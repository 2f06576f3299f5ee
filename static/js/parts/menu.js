/**
 * A button with a menu behind it (the pattern of the ARIA practices): arrows move in it, Escape and
 * a press elsewhere close it, and the focus goes back to the button.
 */

import { h, show } from "../lib/dom.js";

const EDGE = 8;

/**
 * `rows()` is asked each time the menu opens, for `{ label, act(), danger?, disabled?, hint? }`,
 * and `null` for a line between them. Returns the button.
 */
export function menu(label, content, rows, props = {}) {
  const button = h("button", {
    type: "button", class: "quiet menu-button", "aria-haspopup": "menu", "aria-expanded": "false",
    "aria-label": label, title: label, onclick: open, onkeydown: down, ...props,
  }, content);
  return button;

  function down(event) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    open();
  }

  function open() {
    const node = h("div", {
      class: "menu", role: "menu", "aria-label": label, popover: "auto", onkeydown: keys,
      ontoggle: (event) => event.newState === "closed" && closed(node),
    });
    show(node, rows().map((row) => (row ? item(row, node) : h("hr", { role: "separator" }))));
    // Inside a dialog the rest of the page cannot be reached.
    (button.closest("dialog") ?? document.body).append(node);
    button.setAttribute("aria-expanded", "true");
    node.showPopover();
    place(node, button.getBoundingClientRect());
    items(node)[0]?.focus();
  }

  function item(row, node) {
    return h("button", {
      type: "button", role: "menuitem", tabindex: "-1", class: row.danger && "danger-text",
      disabled: row.disabled, title: row.hint,
      onclick: () => {
        node.hidePopover();
        row.act();
      },
    }, row.label);
  }

  function closed(node) {
    button.setAttribute("aria-expanded", "false");
    if (node.contains(document.activeElement) || document.activeElement === document.body) {
      button.focus({ preventScroll: true });
    }
    node.remove();
  }
}

const items = (node) => [...node.querySelectorAll("[role=menuitem]:not(:disabled)")];

function place(node, button) {
  const { width, height } = node.getBoundingClientRect();
  const below = button.bottom + height + EDGE < window.innerHeight;
  const left = Math.min(Math.max(EDGE, button.right - width), window.innerWidth - width - EDGE);
  const top = below ? button.bottom + 2 : Math.max(EDGE, button.top - height - 2);
  node.style.setProperty("left", `${left}px`);
  node.style.setProperty("top", `${top}px`);
}

function keys(event) {
  const all = items(event.currentTarget);
  const at = all.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (event.key === "Tab") event.currentTarget.hidePopover();
  if (to === undefined || all.length === 0) return letter(event, all, at);
  event.preventDefault();
  all[(to + all.length) % all.length].focus();
}

/** A letter goes to the next row that begins with it. */
function letter(event, all, at) {
  if (event.key.length !== 1 || event.ctrlKey || event.altKey || event.metaKey) return;
  const begins = (row) => row.textContent.toLowerCase().startsWith(event.key.toLowerCase());
  [...all.slice(at + 1), ...all.slice(0, at + 1)].find(begins)?.focus();
}
