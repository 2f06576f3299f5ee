/** One line of a session's activity; a tool call opens to all that is known of it. */

import { h, say } from "../../lib/dom.js";
import { oneLine } from "../../lib/hidden.js";
import { badge } from "../../parts/badge.js";
import { moment } from "../../parts/moment.js";
import { deciderOf } from "./timeline.js";

const TONES = { allow: "busy", ask: "ask", deny: "bad" };
const WORDS = { allow: "allowed", ask: "asked", deny: "denied" };

/** `{ node, update(entry) }`. */
export function entry(first) {
  return first.isCall ? call() : note();
}

function note() {
  const [title, text, at] = [h("b", {}), h("span", { class: "entry-text" }), moment()];
  const node = h("li", { class: "entry note-entry" }, h("div", { class: "entry-line" },
    h("span", {}), title, text, h("span", {}), at.node));
  return {
    node,
    update(now) {
      say(title, now.title);
      say(text, now.text);
      text.title = now.text;
      at.update(now.time);
      node.classList.toggle("bad-entry", now.isBad);
    },
  };
}

function call() {
  const verdict = badge("", "over");
  const [tool, text, by] = [h("b", {}), h("code", { class: "entry-text" }), h("span", {})];
  const [at, body] = [moment(), h("div", { class: "entry-body" })];
  const fold = h("details", {}, h("summary", { class: "entry-line" },
    verdict, tool, text, h("span", { class: "meta entry-by" }, by), at.node), body);
  let now = null;
  fold.addEventListener("toggle", () => fold.open && body.replaceChildren(...all(now)));
  return {
    node: h("li", { class: "entry" }, fold),
    update(known) {
      now = known;
      say(verdict, WORDS[now.verdict] ?? "seen");
      verdict.dataset.tone = TONES[now.verdict] ?? "over";
      say(tool, now.tool);
      say(text, now.text);
      say(by, [`by ${now.by}`, now.waited !== null && `after ${length(now.waited)}`,
        now.took !== null && `${now.failed ? "failed" : "ran"} ${length(now.took)}`]
        .filter(Boolean).join(" · "));
      at.update(now.time);
      if (fold.open) body.replaceChildren(...all(now));
    },
  };
}

/** Milliseconds as people say them. */
function length(ms) {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

const lines = (text) => text.split("\n").map(oneLine).join("\n");

function all({ row, answer }) {
  const args = typeof row.args === "object" ? JSON.stringify(row.args, null, 2) : row.args;
  return [
    h("pre", { tabindex: "0" }, lines(row.args?.command ?? args ?? "")),
    h("dl", { class: "facts" }, [
      ["First verdict", `${WORDS[row.decision] ?? row.decision} by ${deciderOf(row)}`],
      ["Why", row.reason],
      answer && ["Answer", `${WORDS[answer.decision]} by ${deciderOf(answer)}`],
      answer?.reason && ["In words", answer.reason],
      ["Effects", row.effects?.length ? row.effects.join(", ") : "none that is understood"],
      ["Directory", row.cwd],
    ].filter((fact) => fact?.[1]).map(([name, text]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, text)))),
    h("p", {}, h("a", { href: `#/audit/${row.seq}` }, `Row ${row.seq} of the audit log`)),
  ];
}
