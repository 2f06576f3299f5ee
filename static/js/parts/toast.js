/** A line at the edge of the page that says what just went wrong or right, and goes by itself. */

import { h } from "../lib/dom.js";

const READ_MS = 6000;
const place = h("div", { class: "toasts", role: "status", "aria-live": "polite" });

/**
 * Shows a text for a few seconds; what stands there already is not said twice. A `link` is `{ href,
 * label, pressed? }`.
 */
export function toast(text, link = null) {
  if ([...place.children].some((line) => line.firstChild.textContent === text)) return;
  if (!place.isConnected) document.body.append(place);
  const line = h("p", { class: "toast" }, h("span", {}, text), link && h("a", {
    href: link.href,
    onclick: () => {
      link.pressed?.();
      line.remove();
    },
  }, link.label));
  place.append(line);
  setTimeout(() => line.remove(), READ_MS);
}
