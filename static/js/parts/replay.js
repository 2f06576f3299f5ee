/** What rules would have said of the calls on record. Nothing is decided and nothing is kept. */

import { post } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { many } from "../lib/format.js";
import { form, select, toggle } from "./field.js";
import { verdict } from "./rule_words.js";
import { nameOf } from "./state.js";
import { table } from "./table.js";
import { visible } from "./visible_text.js";

const SINCE = [["1d", "a day"], ["7d", "a week"], ["30d", "30 days"], ["", "all on record"]];

/** The form and its result; `text()` gives the rules of the policy `name`, as they are typed. */
export function replay(ctx, name, text, sessionId = "") {
  const result = h("div", { class: "result", "aria-live": "polite" });
  const since = select("Calls of the last", SINCE, { value: "7d" });
  const session = select("In", [["", "all sessions"], ...(ctx.sessions.get() ?? [])
    .map((one) => [one.id, `session ${nameOf(one)}`])], { value: sessionId });
  const standard = toggle("Together with the set standard");
  return h("div", { class: "trial" },
    form("Replay", submit, h("div", { class: "form-row" }, since.node, session.node),
      standard.node), result);

  async function submit() {
    const said = await post("/policies/replay", {
      name, text: text(),
      ...(since.input.value && { since: since.input.value }),
      ...(session.input.value && { sessionId: session.input.value }),
      withStandard: standard.input.checked,
    });
    show(result, report(said));
  }
}

function report({ summary, changed }) {
  const { rows, counts, inexact, leftOut } = summary;
  const calls = (count) => many(count, "call");
  if (!rows) return h("p", {}, "No call is on record there.");
  return [
    h("p", { class: "verdict" }, h("b", {}, changed.length
      ? `${calls(rows)} judged again; some would be decided differently.`
      : `${calls(rows)} judged again; none would be decided differently.`)),
    h("ul", { class: "counts" }, Object.entries(counts).flatMap(([was, row]) =>
      Object.entries(row).map(([would, count]) => h("li", { class: was === would ? "meta" : null },
        verdict(was), " → ", verdict(would), ` ${calls(count)}`)))),
    inexact > 0 && h("p", { class: "meta" }, `${calls(inexact)} of them inexact: the input is not `
      + "on record as it was, or the session is gone."),
    changed.length > 0 && table("Calls that would be decided differently", COLUMNS,
      [...changed].reverse()),
    leftOut > 0 && h("p", { class: "meta" }, `${leftOut} older rows would change, too.`),
  ];
}

const COLUMNS = [
  { name: "Row", class: "tight", cell: ({ seq }) => h("a", { href: `#/audit/${seq}` }, seq) },
  { name: "Times", class: "number tight", cell: ({ times }) => times },
  { name: "Was", class: "tight", cell: ({ was }) => verdict(was) },
  { name: "Would be", class: "tight", cell: ({ would, reason }) =>
    h("span", { title: reason }, verdict(would)) },
  { name: "Call", class: "call-cell", cell: ({ call, inexact }) => [
    h("span", { class: "call-line" }, visible(call, false)),
    inexact && h("span", { class: "meta" }, "inexact")] },
  { name: "By", cell: ({ by }) => visible(by ?? "no rule", false) },
];
