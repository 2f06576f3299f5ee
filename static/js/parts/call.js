/**
 * A tool call, whole, as the daemon has taken it apart: commands, paths, changes, other fields.
 *
 * 1. Nothing MUST be left out for good: what is folded away says how much it is, and opens.
 */

import { h } from "../lib/dom.js";
import { many } from "../lib/format.js";
import { changes, counts, hunks } from "../lib/diff.js";
import { chunks, folded } from "../lib/visible.js";
import { eyes, visible } from "./visible_text.js";

/** Lines, and characters, that are drawn at once; the rest comes on demand. */
const AT_ONCE = { lines: 400, chars: 20_000 };
/** A longer line is drawn in parts. */
const LONG = 4000;
/** From so many lines on a box scrolls, and says how long it is. */
const TALL = 18;
/** Up to so many characters a field stands beside its name. */
const SHORT = 160;
const SIGNS = { added: "+", removed: "−", same: " ", head: " " };
const SAID = { added: "added: ", removed: "removed: " };

/** The pieces of an approval's `content`. */
export function call(content) {
  return content.map(piece);
}

function piece({ kind, name, text }) {
  switch (kind) {
    case "command": return command(text);
    case "path": return text.length > LONG ? field("path", text)
      : h("p", { class: "call-path" }, visible(text, false), eyes(text));
    case "diff": return change(text);
    default: return field(name, text);
  }
}

function field(name, text) {
  const label = name && h("span", { class: "name" }, visible(name, false));
  if (text.length <= SHORT && !text.includes("\n")) {
    return h("div", { class: "piece short" }, label, h("code", {}, visible(text, false)),
      eyes(text));
  }
  return h("div", { class: "piece" }, label, eyes(text), lined(folded(text.split("\n")), plain));
}

/** A command line; new lines in it are marked, as they end a command. */
export function command(text) {
  const lines = folded(text.split("\n"));
  const draw = (line, at) => h("span", { class: "line" }, visible(line.text), often(line),
    !line.cut && at < lines.length - 1 && visible("\n"));
  return h("div", { class: "piece" }, eyes(text), lined(lines, draw, "command"));
}

const plain = (line) => h("span", { class: "line" }, visible(line.text), often(line), "\n");

const often = ({ count = 1 }) =>
  count > 1 && h("span", { class: "mark run" }, ` × ${count} lines`);

function change(text) {
  const lines = changes(text);
  return h("div", { class: "piece" }, tally(lines), eyes(text), changed(lines));
}

/** How many lines come and go. */
export function tally(lines) {
  const { added, removed } = counts(lines);
  const part = (kind, sign, count) =>
    h("span", { class: kind, title: `${many(count, "line")} ${kind}` }, `${sign}${count}`);
  return h("p", { class: "tally" },
    part("added", "+", added), " ", part("removed", "−", removed), " lines");
}

/** A comparison, what stays folded away from its changes. */
export function changed(lines) {
  const same = (a, b) => a.kind === b.kind && a.kind !== "fold" && a.text === b.text;
  const drawn = folded(hunks(lines), same).map(({ text: line, count }) => ({ ...line, count }));
  return lined(drawn, (line) => (line.kind === "fold" ? fold(line) : changedLine(line)), "diff");
}

function changedLine(line) {
  const { kind, text } = line;
  return h("span", { class: `line ${kind}` },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[kind]),
    SAID[kind] && h("span", { class: "unseen" }, SAID[kind]),
    h("span", {}, visible(text), often(line)), "\n");
}

function fold({ lines }) {
  const button = h("button", { type: "button", class: "fold", onclick: open },
    `${lines.length} lines that stay`);
  return button;

  function open() {
    button.replaceWith(...lines.map((line) => changedLine(line)));
  }
}

/** A box of lines: the first ones at once, the rest when asked for. */
function lined(whole, draw, kind = "plain") {
  const lines = whole.flatMap(parts);
  const box = h("pre", { class: `lines ${kind}`, tabindex: "0" });
  const foot = h("div", { class: "lines-foot" });
  const more = h("button", { type: "button", class: "text", onclick: () => add() });
  const tall = h("button", { type: "button", class: "text", onclick: grow });
  let done = 0;
  add();
  if (lines.length > TALL) {
    foot.append(h("span", {}, many(whole.length, "line")), tall);
    tall.textContent = "Show without scrolling";
  }
  return [box, foot.hasChildNodes() && foot];

  function add() {
    const from = done;
    for (let chars = 0; done < lines.length && done - from < AT_ONCE.lines; done += 1) {
      if (chars > AT_ONCE.chars) break;
      box.append(draw(lines[done], done));
      chars += lines[done].text?.length ?? 0;
    }
    if (done < lines.length) {
      more.textContent = `Show more: ${many(lines.length - done, "line")} below`;
      foot.append(more);
    } else more.remove();
  }

  function grow() {
    box.classList.add("whole");
    tall.remove();
  }
}

/** A line that is very long in parts, of which all but the last one are `cut`. */
function parts(line) {
  if (line.kind === "fold" || line.text.length <= LONG) return [line];
  const all = chunks(line.text, LONG);
  return all.map((text, at) => ({ ...line, text, cut: at < all.length - 1 }));
}
