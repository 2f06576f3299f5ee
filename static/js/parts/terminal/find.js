/** Looking for words in a terminal: a field above it, the matches in it, and how many there are. */

import { h, say } from "../../lib/dom.js";
import { toast } from "../toast.js";
import { token } from "./screen.js";

const MOST = 1000;

/** See the head of this file; `node` is the field with its buttons. */
export class Find {
  #ready;
  #back;
  #term = null;
  #search = null;
  #isReady = false;
  #count = h("span", { class: "meta find-count", role: "status" });
  #field = h("input", {
    type: "search", "aria-label": "Find in the output", placeholder: "Find in the output",
    autocomplete: "off", spellcheck: "false", oninput: () => this.#go(false),
    onkeydown: (event) => this.#keys(event),
  });
  #exact = button("Match capital letters", "Aa", () => this.#flip(), { "aria-pressed": "false" });
  node = h("div", { class: "find", role: "search", hidden: true },
    this.#field, this.#count, this.#exact,
    button("The match above", "↑", () => this.#go(false)),
    button("The match below", "↓", () => this.#go(true)),
    button("Close", "✕", () => this.#close()));

  /**
   * `ready()` is awaited before the first search, to have there what can be found, and `back()`
   * called when the search ends.
   */
  constructor({ ready, back }) {
    this.#ready = ready;
    this.#back = back;
  }

  /** The terminal that is looked through from now on. */
  use(term) {
    this.#term = term;
    this.#search = null;
  }

  /** Shows the field, with the cursor in it. */
  async open() {
    this.node.hidden = false;
    this.#field.select();
    this.#field.focus();
    if (this.#isReady) return;
    this.#isReady = true;
    say(this.#count, "loading…");
    await this.#ready();
    say(this.#count, "");
    if (this.#field.value) this.#go(false);
  }

  #close() {
    this.#search?.clearDecorations();
    this.#term?.clearSelection();
    this.node.hidden = true;
    this.#back();
  }

  #flip() {
    this.#exact.setAttribute("aria-pressed", String(!this.#isExact()));
    this.#go(false);
  }

  #isExact() {
    return this.#exact.getAttribute("aria-pressed") === "true";
  }

  async #addon() {
    const { SearchAddon } = await import("/vendor/addon-search.mjs");
    if (this.#search) return;
    this.#search = new SearchAddon({ highlightLimit: MOST });
    this.#term.loadAddon(this.#search);
    this.#search.onDidChangeResults((found) => say(this.#count, this.#words(found)));
  }

  #words({ resultIndex, resultCount }) {
    if (!this.#field.value) return "";
    const many = resultCount >= MOST ? `${MOST} or more` : String(resultCount);
    if (resultIndex >= 0) return `${resultIndex + 1} of ${many}`;
    return resultCount ? many : "none";
  }

  /** From the end of the output upwards, as long as nobody goes down. */
  async #go(isDown) {
    try {
      if (!this.#search) await this.#addon();
    } catch {
      return toast("The search could not be loaded.");
    }
    const options = { caseSensitive: this.#isExact(), decorations: colours() };
    if (!this.#field.value) this.#search.clearDecorations();
    return isDown ? this.#search.findNext(this.#field.value, options)
      : this.#search.findPrevious(this.#field.value, options);
  }

  #keys(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") this.#close();
    if (event.key !== "Enter") return;
    event.preventDefault();
    this.#go(event.shiftKey);
  }
}

function button(label, text, act, props = {}) {
  return h("button", {
    type: "button", class: "quiet", "aria-label": label, title: label, onclick: act, ...props,
  }, text);
}

function colours() {
  const [match, active] = [token("--screen-match"), token("--screen-match-on")];
  return {
    matchBackground: match, matchOverviewRuler: match,
    activeMatchBackground: active, activeMatchColorOverviewRuler: active,
  };
}
