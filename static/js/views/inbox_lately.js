/** The newest answers, whoever gave them: a few rows of the audit log. */

import { get, withQuery } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { badge } from "../parts/badge.js";
import { callLine, deciders } from "../parts/audit_words.js";
import { ago } from "../parts/moment.js";
import { empty, fill } from "../parts/page.js";
import { table } from "../parts/table.js";
import { visible } from "../parts/visible_text.js";

const SHOWN = 10;
/** Answers that come together are fetched once. */
const SETTLE_MS = 400;

/** `{ node, destroy() }`. */
export function lately(ctx) {
  const place = h("div", {});
  const load = async () => {
    const query = { kind: "answer", limit: SHOWN };
    return (await get(withQuery("/audit", query))).entries.reverse();
  };
  const again = fill(place, load, draw);
  let timer = null;
  const stop = ctx.ended.watch((ended) => {
    if (!ended.length) return;
    clearTimeout(timer);
    timer = setTimeout(again, SETTLE_MS);
  });
  return {
    node: h("section", { class: "lately" }, h("h2", {}, "Lately answered"), place),
    destroy() {
      stop();
      clearTimeout(timer);
    },
  };

  function draw(entries) {
    if (!entries.length) return empty("No question has been answered yet.");
    const name = ({ sessionId }) =>
      ctx.sessions.get()?.find(({ id }) => id === sessionId)?.name ?? sessionId?.slice(0, 8) ?? "";
    return table("Lately answered", [
      { name: "When", class: "tight", cell: ({ timestamp }) => ago(timestamp) },
      { name: "Session", cell: (entry) => visible(name(entry), false) },
      { name: "Call", class: "call-cell", cell: (entry) => h("a", {
        href: `#/audit/${entry.seq}`, class: "call-line",
      }, visible(callLine(entry), false)) },
      { name: "Answer", class: "tight", cell: ({ decision }) =>
        (decision === "allow" ? badge("approved", "busy") : badge("denied", "bad")) },
      { name: "By", cell: (entry) => visible(deciders(entry), false) },
    ], entries);
  }
}
