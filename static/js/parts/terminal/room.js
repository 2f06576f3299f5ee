/**
 * How large the terminal is here and in the session. The session's size follows whoever typed last;
 * a page that only watches shows that size, with smaller letters or by scrolling, and changes
 * nothing.
 */

import { FitAddon } from "/vendor/addon-fit.mjs";

const SETTLE_MS = 100;
const LEAST_FONT = 8;
const FONTS = { least: 7, most: 28, usual: 14, narrow: 12 };
const FONT = "codepiper.font";
const TOUCH = window.matchMedia("(pointer: coarse)");
const NARROW = window.matchMedia("(max-width: 700px)");

/** The size of letters that was chosen in this browser. */
export function fontSize() {
  const kept = Number(localStorage.getItem(FONT));
  const usual = NARROW.matches ? FONTS.narrow : FONTS.usual;
  return kept >= FONTS.least && kept <= FONTS.most ? kept : usual;
}

/**
 * Watches `host`, which holds the terminal. `ask(size)` is called for a size that this page would
 * have, `differs(actual)` with the session's size where that is another one, else with null.
 * `{ use(term), answered(ack), fit(), font(size), stop() }`.
 */
export function room(host, ask, differs) {
  let [term, fitting, font] = [null, null, fontSize()];
  let asked = null;
  let timer = null;
  const stops = [];
  const watching = new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(settle, SETTLE_MS);
  });
  watching.observe(host);
  return {
    use,
    /** The daemon has said whose size counts. */
    answered: () => compare(),
    /** Asks again, also for what was asked before. */
    fit() {
      asked = null;
      settle(true);
    },
    /** Other letters, and the size that goes with them. */
    font(size) {
      font = Math.min(Math.max(Math.round(size), FONTS.least), FONTS.most);
      localStorage.setItem(FONT, String(font));
      asked = null;
      settle(true);
    },
    fontSize: () => font,
    stop() {
      watching.disconnect();
      clearTimeout(timer);
      stops.forEach((stop) => stop());
    },
  };

  /** The terminal that stands in the host from now on. */
  function use(next) {
    term = next;
    fitting = new FitAddon();
    term.loadAddon(fitting);
    const listening = term.onResize(() => compare());
    stops.push(() => listening.dispose());
    settle();
  }

  /** What would fit in with letters of the chosen size, or null. */
  function here() {
    const found = term?.element?.isConnected && fitting.proposeDimensions();
    if (!(found?.cols > 1)) return null;
    const scale = term.options.fontSize / font;
    return { cols: Math.floor(found.cols * scale), rows: Math.floor(found.rows * scale) };
  }

  function settle(always = false) {
    const size = here();
    if (!size) return;
    // A keyboard that comes up on a phone takes room for a moment, and is no other window.
    const isKeyboard = TOUCH.matches && asked && asked.cols === size.cols;
    if (always || !(isKeyboard || (asked?.cols === size.cols && asked.rows === size.rows))) {
      asked = size;
      ask(size);
    }
    compare();
  }

  function compare() {
    const size = here();
    if (!size || !asked) return;
    const isOther = term.cols !== asked.cols || term.rows !== asked.rows;
    differs(isOther ? { cols: term.cols, rows: term.rows } : null);
    // Letters that cannot be read are worse than a line that has to be scrolled.
    const fits = isOther && term.cols > size.cols && !TOUCH.matches;
    const wanted = fits ? Math.max(LEAST_FONT, Math.floor(font * size.cols / term.cols)) : font;
    if (term.options.fontSize !== wanted) term.options.fontSize = wanted;
  }
}
