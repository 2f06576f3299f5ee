/**
 * A command line as a shell would cut it into words, and back. It knows quotes and backslashes, and
 * nothing that needs a shell to happen: no variables, no wildcards, no pipes.
 */

const BARE = /^[\w@%+=:,./-]+$/;
/** What a backslash makes plain between double quotes. */
const ESCAPED = ['"', "\\", "$", "`"];
/** What a shell would do more with than pass it on; the one that runs here does not. */
const NEEDS_SHELL = /[|&;<>()$`*?[\]{}~#!]/;

/**
 * `{ words, problem, needsShell }`: `problem` says what is not finished, and `needsShell` is the
 * first character outside quotes that only a shell would obey.
 */
export function split(text) {
  const words = [];
  let word = null;
  let quote = "";
  let needsShell = "";
  for (let at = 0; at < text.length; at += 1) {
    const one = text[at];
    const next = text[at + 1];
    if (quote) {
      if (one === quote) quote = "";
      else if (quote === '"' && one === "\\" && ESCAPED.includes(next)) word += text[at += 1];
      else word += one;
    } else if (one === "'" || one === '"') {
      quote = one;
      word ??= "";
    } else if (one === "\\") {
      if (next === undefined) return { words, problem: "it ends with a backslash", needsShell };
      word = (word ?? "") + text[at += 1];
    } else if (/\s/.test(one)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      if (!needsShell && NEEDS_SHELL.test(one)) needsShell = one;
      word = (word ?? "") + one;
    }
  }
  if (word !== null) words.push(word);
  return { words, problem: quote ? `a quote (${quote}) is not closed` : "", needsShell };
}

/** The words as one line that `split` and every shell take apart again. */
export function join(words) {
  return words.map((word) => (BARE.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
