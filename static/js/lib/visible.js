/**
 * Characters that a person does not see, or sees as something else, made visible. The daemon has
 * the same list for what it prints; this knows nothing of it.
 *
 * 1. Nothing of a text MUST be lost: the pieces say each character, or what it is and how often.
 */

/** A longer run of one character is told by its count: less room for breaks, more for indents. */
const RUNS = { unseen: 12, seen: 40 };

// Fillers and blanks that are neither white space nor control to Unicode come first.
const CLASS = "[\\u{ad}\\u{34f}\\u{61c}\\u{115f}\\u{1160}\\u{17b4}\\u{17b5}"
  + "\\u{180b}-\\u{180f}\\u{200b}-\\u{200f}\\u{202a}-\\u{202e}\\u{2060}-\\u{206f}\\u{2800}"
  + "\\u{3164}\\u{feff}\\u{ffa0}\\u{fff0}-\\u{fffb}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}"
  + "\\p{Cc}\\p{White_Space}]";
const HIDDEN = new RegExp(CLASS, "u");
/** The same but for what a tab, a newline and a blank are, for a search through a long text. */
const EACH_HIDDEN = new RegExp(`(?![\\t\\n ])${CLASS}`, "gu");

/** Letters that are drawn like Latin ones, where they stand beside Latin ones in one word. */
const FOREIGN = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u;
const LATIN = /[\p{Script=Latin}]/u;
const LETTER = /[\p{L}\p{M}]/u;

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

/** `text` on one line of plain words: what is hidden as `U+202E`, a newline as `⏎`. */
export function shown(text) {
  return pieces(text).map((piece) => piece.text).join("");
}

/**
 * `text` in pieces `{ kind, text, after }`: `plain`; `hidden` for one such character; `newline`,
 * whose `text` is the mark and `after` the break; `run` for one character that comes many times;
 * `foreign` for a letter of another alphabet among Latin ones.
 */
export function pieces(text) {
  const all = [];
  const strange = foreign(text);
  let plain = "";
  const flush = () => {
    if (plain) all.push({ kind: "plain", text: plain, after: "" });
    plain = "";
  };
  const put = (kind, said, after = "") => {
    flush();
    all.push({ kind, text: said, after });
  };
  for (let at = 0; at < text.length;) {
    const c = String.fromCodePoint(text.codePointAt(at));
    let count = 1;
    while (text.startsWith(c, at + count * c.length)) count += 1;
    const most = c === "\n" || isHidden(c) ? RUNS.unseen : RUNS.seen;
    if (count > most) put("run", `${name(c)} × ${count}`, c === "\n" ? "\n" : "");
    else if (c === "\n") for (let n = 0; n < count; n += 1) put("newline", "⏎", "\n");
    else if (isHidden(c)) for (let n = 0; n < count; n += 1) put("hidden", codePoint(c));
    else if (FOREIGN.test(c) && strange.has(at)) {
      count = 1;
      put("foreign", c);
    } else plain += c.repeat(count);
    at += count * c.length;
  }
  flush();
  return all;
}

function name(c) {
  if (c === "\n") return "⏎";
  if (c === "\t") return "tab";
  if (c === " ") return "blank";
  return isHidden(c) ? codePoint(c) : c;
}

/** Where such letters stand: in words that have Latin letters, too. */
function foreign(text) {
  const places = new Set();
  if (!FOREIGN.test(text)) return places;
  let [word, latin] = [[], false];
  const end = () => {
    if (latin) word.forEach((place) => places.add(place));
    [word, latin] = [[], false];
  };
  let at = 0;
  for (const c of text) {
    if (FOREIGN.test(c)) word.push(at);
    else if (LATIN.test(c)) latin = true;
    else if (!LETTER.test(c)) end();
    at += c.length;
  }
  end();
  return places;
}

/** What a person must know of `text` before believing their eyes: sentences, or none. */
export function warnings(text) {
  const hidden = first(text.matchAll(EACH_HIDDEN), ([c]) => codePoint(c));
  const letters = first(foreign(text), (at) => {
    const c = String.fromCodePoint(text.codePointAt(at));
    return `${c} is ${codePoint(c)}`;
  });
  const said = [];
  if (hidden.size) {
    said.push("Has characters that cannot be seen, or that change how the rest looks: "
      + `${few(hidden)}.`);
  }
  if (letters.size) {
    said.push("Has letters of another alphabet that look like Latin ones: "
      + `${few(letters)}.`);
  }
  return said;
}

/** The first few different ones, and one more where there are more. */
function first(all, say) {
  const found = new Set();
  for (const one of all) {
    found.add(say(one));
    if (found.size > 6) break;
  }
  return found;
}

const few = (set) => [...set].slice(0, 6).join(", ") + (set.size > 6 ? ", and more" : "");

/** Lines with equal neighbours taken together: `{ text, count }`. Short repeats stay apart. */
export function folded(lines, same = (a, b) => a === b) {
  const groups = [];
  for (const text of lines) {
    const last = groups.at(-1);
    if (last && same(last.text, text)) last.count += 1;
    else groups.push({ text, count: 1 });
  }
  const apart = ({ text, count }) => Array.from({ length: count }, () => ({ text, count: 1 }));
  return groups.flatMap((group) => (group.count > 4 ? [group] : apart(group)));
}

/** `text` in parts of at most `most` units, none ending inside a character. */
export function chunks(text, most) {
  const all = [];
  for (let from = 0; from < text.length;) {
    let end = Math.min(from + most, text.length);
    if (end < text.length && /[\ud800-\udbff]/.test(text[end - 1])) end -= 1;
    all.push(text.slice(from, end));
    from = end;
  }
  return all.length ? all : [""];
}
