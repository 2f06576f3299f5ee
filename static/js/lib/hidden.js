/**
 * Which characters a person does not see, and a text for one line in which they are named. The
 * daemon has the same list for what it prints; this knows nothing of it.
 */

// Fillers and blanks that are neither white space nor control to Unicode come first.
const CLASS = "[\\u{ad}\\u{34f}\\u{61c}\\u{115f}\\u{1160}\\u{17b4}\\u{17b5}"
  + "\\u{180b}-\\u{180f}\\u{200b}-\\u{200f}\\u{202a}-\\u{202e}\\u{2060}-\\u{206f}\\u{2800}"
  + "\\u{3164}\\u{feff}\\u{ffa0}\\u{fff0}-\\u{fffb}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}"
  + "\\p{Cc}\\p{White_Space}]";
const HIDDEN = new RegExp(CLASS, "u");
/** The same but for what a tab, a newline and a blank are, for a search through a long text. */
export const EACH_HIDDEN = new RegExp(`(?![\\t\\n ])${CLASS}`, "gu");

/**
 * Whether `c` shows nothing, moves the cursor, turns the line around, or looks like a blank and is
 * none. A tab, a newline and a blank are what they look like.
 */
export function isHidden(c) {
  if (c === "\t" || c === "\n" || (c >= " " && c <= "~")) return false;
  return HIDDEN.test(c);
}

/** `U+202E`. */
export function codePoint(c) {
  return `U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * A text for one line of a list: "ab‹U+202E›txt", and a newline as `⏎`. Programs set out their
 * lines with blanks that do not break; those stay blanks here.
 */
export function oneLine(text) {
  return text.replace(EACH_HIDDEN, (c) => (c === "\u00a0" ? " " : `‹${codePoint(c)}›`))
    .replaceAll("\n", "⏎").replaceAll("\t", " ");
}
