/** Looking for words in a terminal: a field above it, the matches in it, and how many there are. */

import { h, say } from "../../lib/dom.js";
import { toast } from "../toast.js";
import { token } from "./screen.js";

const MOST = 1000;

/**
 * `{ node, open(), use(term) }`; `ready()` is awaited before the first search, to have there what
 * can be found, and `back()` called when the search ends.
 */
export function find({ ready, back }) {
  const count = h("span", { class: "meta find-count", role: "status" });
  const field = h("input", {
    type: "search", "aria-label": "Find in the output", placeholder: "Find in the output",
    autocomplete: "off", spellcheck: "false", oninput: () => go(false), onkeydown: keys,
  });
  const exact = h("button", { type: "button", class: "quiet", "aria-pressed": "false",
    title: "Match capital letters", onclick: flip }, "Aa");
  const step = (label, text, forward) => h("button", {
    type: "button", class: "quiet", "aria-label": label, title: label, onclick: () => go(forward),
  }, text);
  const node = h("div", { class: "find", role: "search", hidden: true }, field, count, exact,
    step("The match above", "↑", false), step("The match below", "↓", true),
    h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: close }, "✕"));
  let [term, search, isReady] = [null, null, false];
  return { node, open, use };

  /** The terminal that is looked through from now on. */
  function use(next) {
    term = next;
    search = null;
  }

  async function open() {
    node.hidden = false;
    field.select();
    field.focus();
    if (isReady) return;
    isReady = true;
    say(count, "loading older output…");
    await ready();
    say(count, "");
    if (field.value) go(false);
  }

  function flip() {
    const is = exact.getAttribute("aria-pressed") !== "true";
    exact.setAttribute("aria-pressed", String(is));
    go(false);
  }

  async function addon() {
    if (search) return search;
    const { SearchAddon } = await import("/vendor/addon-search.mjs");
    search = new SearchAddon({ highlightLimit: MOST });
    term.loadAddon(search);
    search.onDidChangeResults(({ resultIndex, resultCount }) => {
      if (!field.value) return say(count, "");
      const many = resultCount >= MOST ? `${MOST} or more` : String(resultCount);
      say(count, resultIndex >= 0 ? `${resultIndex + 1} of ${many}` : resultCount ? many : "none");
    });
    return search;
  }

  /** From the end of the output upwards, as long as nobody goes down. */
  async function go(forward) {
    const loaded = await addon().catch(() => toast("The search could not be loaded."));
    if (!loaded) return;
    if (!field.value) loaded.clearDecorations();
    const options = {
      caseSensitive: exact.getAttribute("aria-pressed") === "true",
      decorations: {
        matchBackground: token("--screen-match"), matchOverviewRuler: token("--screen-match"),
        activeMatchBackground: token("--screen-match-on"),
        activeMatchColorOverviewRuler: token("--screen-match-on"),
      },
    };
    if (forward) loaded.findNext(field.value, options);
    else loaded.findPrevious(field.value, options);
  }

  function keys(event) {
    if (event.key === "Escape") return close();
    if (event.key !== "Enter") return;
    event.preventDefault();
    go(event.shiftKey);
  }

  function close() {
    search?.clearDecorations();
    term.clearSelection();
    node.hidden = true;
    back();
  }
}
