/** What a call would do, as a short list with a word where one is due. */

import { h } from "../lib/dom.js";
import { badge } from "./badge.js";
import { groups } from "./risk.js";
import { visible } from "./visible_text.js";

const SHOWN = 8;

/** The list; null where nothing is known. */
export function effects(list, cwd) {
  const found = groups(list ?? [], cwd);
  if (!found.length) return null;
  return h("dl", { class: "effects" }, found.map(({ kind, title, items }) => [
    h("dt", {}, title),
    h("dd", { "data-kind": kind }, some(items.map(item))),
  ]));
}

function item({ text, risk }) {
  return h("span", { class: "effect" }, h("code", {}, visible(text, false)),
    risk && badge(risk, "ask"));
}

function some(items) {
  if (items.length <= SHOWN) return items;
  const rest = h("details", { class: "more" },
    h("summary", {}, `${items.length - SHOWN} more`), items.slice(SHOWN));
  return [...items.slice(0, SHOWN), rest];
}
