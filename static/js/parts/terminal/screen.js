/**
 * One xterm.js, set up as every terminal here is: dark, silent towards programs, and with links
 * that only leave this page. It knows nothing of sockets.
 */

import { Unicode11Addon } from "/vendor/addon-unicode11.mjs";
import { WebLinksAddon } from "/vendor/addon-web-links.mjs";
import { Terminal } from "/vendor/xterm.mjs";

const WEB = ["http:", "https:"];
/** Bytes of one cell in xterm.js's memory. */
const CELL_BYTES = 12;
/** What a scrollback may take: 90,000 lines of 150 columns. */
const SCROLLBACK_BYTES = 160 << 20;
const MOST_LINES = 200_000;

/** The colour, typeface or size that the page has under this name. */
export const token = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** How many lines of this width the page can keep. */
export function mostLines(cols) {
  return Math.min(MOST_LINES, Math.floor(SCROLLBACK_BYTES / (CELL_BYTES * Math.max(cols, 40))));
}

/** A terminal of this size that keeps so many lines; it is not in the page yet. */
export function makeScreen({ cols, rows, fontSize, lines, hovered }) {
  const term = new Terminal({
    allowProposedApi: true,
    cols,
    rows,
    cursorBlink: true,
    fontFamily: token("--mono"),
    fontSize,
    scrollback: lines,
    linkHandler: {
      activate: (_, address) => visit(address),
      hover: (_, address) => hovered(address),
      leave: () => hovered(""),
    },
    theme: {
      background: token("--screen"), foreground: token("--screen-ink"),
      cursor: token("--screen-cursor"), selectionBackground: token("--screen-selection"),
      scrollbarSliderBackground: token("--screen-slider"),
      scrollbarSliderHoverBackground: token("--screen-slider-on"),
      scrollbarSliderActiveBackground: token("--screen-slider-on"),
    },
  });
  term.loadAddon(new Unicode11Addon());
  term.unicode.activeVersion = "11";
  term.loadAddon(new WebLinksAddon((_, address) => visit(address), {
    hover: (_, address) => hovered(address), leave: () => hovered(""),
  }));
  silence(term.parser);
  return term;
}

/** A program wrote this address: it may name a page elsewhere, and nothing of ours. */
function visit(text) {
  const address = URL.canParse(text) ? new URL(text) : null;
  if (!address || !WEB.includes(address.protocol) || address.host === location.host) return;
  window.open(address.href, "_blank", "noopener,noreferrer");
}

/** What programs ask their terminal the daemon has answered: a second answer would be typed. */
function silence(parser) {
  const nothing = () => true;
  const asks = (data) => data.includes("?");
  for (const id of [
    { final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" },
    { final: "n" }, { prefix: "?", final: "n" }, { prefix: ">", final: "q" }, { final: "t" },
    { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" },
  ]) parser.registerCsiHandler(id, nothing);
  for (const number of [4, 10, 11, 12]) parser.registerOscHandler(number, asks);
  parser.registerDcsHandler({ intermediates: "$", final: "q" }, nothing);
}

/** Whether a person has scrolled up in it. */
export const isReading = (term) => term.buffer.active.viewportY < term.buffer.active.baseY;

/** Whether a wheel scrolls it; a program may have taken the wheel, or the whole screen. */
export const isScrolled = (term) =>
  term.buffer.active.type === "normal" && term.modes.mouseTrackingMode === "none";

/** Whether it is scrolled up to the first line that it has. */
export const isAtTop = (term) => isScrolled(term) && term.buffer.active.viewportY === 0;

/** How many more lines fit in before the first ones fall out of it. */
export const linesLeft = (term) =>
  term.options.scrollback + term.rows - term.buffer.normal.length;
