/** What was changed about a policy, when, and by whom. */

import { get } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { sentence } from "../lib/format.js";
import { changed } from "../parts/call.js";
import { ago } from "../parts/moment.js";
import { fill } from "../parts/page.js";
import { ruleLineOf } from "../parts/rule_words.js";
import { visible } from "../parts/visible_text.js";

/** The list, the newest first. */
export function history({ id }) {
  const place = h("div", {});
  const load = async () => (await get(`/policies/${encodeURIComponent(id)}/history`)).history;
  fill(place, load, (rows) => h("ol", { class: "history" }, rows.reverse().map(row)));
  return place;
}

function row({ seq, timestamp, version, reason, client, added, removed }) {
  const lines = [
    ...(removed ?? []).map((rule) => ({ kind: "removed", text: ruleLineOf(rule) })),
    ...(added ?? []).map((rule) => ({ kind: "added", text: ruleLineOf(rule) })),
  ];
  return h("li", {},
    h("p", {}, h("b", {}, `Version ${version}`), ": ", visible(sentence(reason), false)),
    h("p", { class: "meta" }, ago(timestamp), client && [" · ", visible(client, false)], " · ",
      h("a", { href: `#/audit/${seq}` }, `row ${seq}`)),
    lines.length > 0 && h("div", {}, changed(lines)));
}
