/**
 * Variables in a text, by the same grammar as `codepiper env-set` reads files:
 *
 *     line   = [ comment | [ "export" ] NAME "=" value ]
 *     value  = 'anything but a quote', as it is, also over several lines
 *            | "anything but a quote", the same, with \n \t \r \" and \\
 *            | anything up to the end of the line, without the blanks around it
 *
 * Nothing is put in place of `$NAME`. A name that comes twice is an error.
 *
 * 1. An error MUST name the line, and MUST NOT show what stands in it.
 */

const ESCAPES = { n: "\n", t: "\t", r: "\r", "\"": "\"", "\\": "\\" };

/** An error with its `line`, from 1. */
export class EnvFileError extends Error {
  constructor(line, text) {
    super(`line ${line}: ${text}`);
    this.line = line;
  }
}

/** A Map from names to values; throws [`EnvFileError`]. */
export function parse(text) {
  const vars = new Map();
  let rest = text.startsWith("\u{feff}") ? text.slice(1) : text;
  let line = 1;
  while (rest) {
    const [first, after] = cut(rest, "\n");
    if (first.trim() === "" || first.trim().startsWith("#")) {
      rest = after;
      line += 1;
      continue;
    }
    const wrong = (what) => new EnvFileError(line, what);
    const at = first.indexOf("=");
    if (at < 0) throw wrong("no = in it; a line is NAME=VALUE, or begins with #");
    const name = nameOf(first.slice(0, at));
    if (!name || /\s/u.test(name)) throw wrong("what stands before the = is no name");
    if (vars.has(name)) throw wrong(`"${name}" is there twice; leave one of them out`);
    const from = rest.slice(at + 1).replace(/^[ \t]+/u, "");
    const { value, taken } = valueOf(from, wrong);
    const [left, then] = cut(from.slice(taken), "\n");
    if (left.trim()) throw wrong("something stands behind the closing quote");
    line += from.slice(0, taken).split("\n").length;
    vars.set(name, value);
    rest = then;
  }
  return vars;
}

function nameOf(before) {
  const name = before.trim();
  return name.startsWith("export ") ? name.slice(7).trimStart() : name;
}

function valueOf(from, wrong) {
  if (from[0] === "'" || from[0] === "\"") return quoted(from, wrong);
  const [value] = cut(from, "\n");
  return { value: value.trimEnd(), taken: value.length };
}

function quoted(from, wrong) {
  const quote = from[0];
  let value = "";
  for (let at = 1; at < from.length; at += 1) {
    const c = from[at];
    if (c === quote) return { value, taken: at + 1 };
    if (c !== "\\" || quote === "'") {
      value += c;
      continue;
    }
    at += 1;
    if (!(from[at] in ESCAPES)) {
      throw wrong("after a \\ comes n, t, r, \" or another \\; 'x' takes it as it is");
    }
    value += ESCAPES[from[at]];
  }
  throw wrong("the quote is not closed");
}

function cut(text, sign) {
  const at = text.indexOf(sign);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
