/**
 * Texts in pieces in which what a person does not see, or sees as something else, is marked; which
 * characters those are, hidden.js knows.
 *
 * 1. Nothing of a text MUST be lost: the pieces say each character, or what it is and how often.
 */

import { codePoint, EACH_HIDDEN, isHidden } from "./hidden.js";

/** A longer run of one character is told by its count: less room for breaks, more for indents. */
const RUNS = { unseen: 12, seen: 40 };

/** Letters that are drawn like Latin ones, where they stand beside Latin ones in one word. */
const FOREIGN = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u;
const LATIN = /[\p{Script=Latin}]/u;
const LETTER = /[\p{L}\p{M}]/u;

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
