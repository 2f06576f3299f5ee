/** What views have in common: a heading with actions, and what stands where there is no content. */

import { h, show } from "../lib/dom.js";
import { words } from "./field.js";

/** The heading of a view, and beside it what can be done here. */
export function head(title, ...actions) {
  return h("header", { class: "view-head" }, h("h1", {}, title),
    h("div", { class: "actions" }, actions));
}

/** Nothing there: what it would be, and how to get one. */
export function empty(title, ...more) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), more);
}

/** It is on its way. */
export function loading() {
  return h("p", { class: "loading", role: "status" }, "Loading…");
}

/** It could not be had; `again()` tries once more, and so does the frame when it is connected. */
export function failed(error, again) {
  return h("div", { class: "empty", role: "alert" },
    h("p", { class: "problem" }, words(error)),
    again && h("button", { type: "button", "data-again": true, onclick: again }, "Try again"));
}

/**
 * Fills `place` with what `load()` brings, as `draw(loaded)` makes it; meanwhile it says that it
 * loads, and where that fails, why. Returns how to do it again; what an older call brings after
 * that is dropped.
 */
export function fill(place, load, draw) {
  let calls = 0;
  let last = null;
  // A button that is switched off while it works loses the focus to nobody: it still has it here.
  place.addEventListener("focusin", (event) => { last = event.target; });
  place.addEventListener("focusout", (event) => { if (event.relatedTarget) last = null; });
  async function again() {
    calls += 1;
    const call = calls;
    if (!place.hasChildNodes()) show(place, loading());
    place.setAttribute("aria-busy", "true");
    try {
      const loaded = await load();
      if (call === calls) keepingFocus(place, last, () => show(place, draw(loaded)));
    } catch (error) {
      if (call === calls) show(place, failed(error, again));
    }
    if (call === calls) place.removeAttribute("aria-busy");
  }
  again();
  return again;
}

const STOPS = "a[href], button, input, select, textarea";

/** What stands anew in the place of what had the focus has it; else the heading has. */
function keepingFocus(place, last, act) {
  const had = document.activeElement === document.body ? last : document.activeElement;
  const at = [...place.querySelectorAll(STOPS)].indexOf(had);
  act();
  if (at < 0) return;
  const next = place.querySelectorAll(STOPS)[at];
  const same = next?.tagName === had.tagName && !next.disabled && next.offsetParent !== null;
  const target = same ? next : place.querySelector("h1, h2") ?? place;
  if (target.tabIndex < 0) target.tabIndex = -1;
  target.focus({ preventScroll: true });
}
