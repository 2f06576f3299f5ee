/**
 * Whether the audit log is what it was.
 *
 * 1. The key MUST leave the page with the question, and stay nowhere.
 */

import { get, post } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { many, sentence } from "../lib/format.js";
import { dialog } from "../parts/dialog.js";
import { field, form } from "../parts/field.js";
import { fill } from "../parts/page.js";
import { visible } from "../parts/visible_text.js";

/** Asks for what was noted, checks, and says what was found. */
export function verifyDialog() {
  const key = field("Key", { type: "password", autocomplete: "off", required: false },
    "Shown once by codepiper audit key. It is sent for this check and kept nowhere.");
  const head = field("A head that was noted", {
    autocomplete: "off", spellcheck: "false", required: false, placeholder: "SEQ:HASH",
    class: "bare",
  }, "With it an older copy of the whole log would show.");
  const result = h("div", { class: "result", "aria-live": "polite" });
  const now = h("div", {});
  fill(now, () => get("/audit/head"), ({ head: text }) => h("div", { class: "head-now" },
    h("p", { class: "meta" }, "The newest row now. Note it somewhere else than on this machine:"),
    h("code", { class: "bare secret" }, text)));
  const ask = form("Verify", check, key.node, head.node);
  const { node } = dialog("Verify the audit log", [ask, result, now], forget);
  node.classList.add("wide");

  async function check() {
    show(result, h("p", { class: "meta" }, "Reading every row…"));
    const given = { key: key.input.value.trim(), noted: head.input.value.trim() };
    key.input.value = "";
    try {
      const report = await post("/audit/verify", {
        ...(given.key && { key: given.key }), ...(given.noted && { head: given.noted }),
      });
      show(result, said(report, given));
    } catch (error) {
      show(result);
      throw error;
    }
  }

  function forget() {
    key.input.value = "";
  }
}

function said(report, { key, noted }) {
  const { ok, rows, findings } = report;
  return [
    h("p", { class: ok ? "good" : "alarm" }, h("b", {}, ok
      ? `Every row fits the one before it: ${many(rows, "row")}.`
      : `The log was changed: ${many(findings.length, "place")} in ${many(rows, "row")}.`)),
    findings.length > 0 && h("ul", { class: "plain-list" }, findings.map(({ row, what, text }) =>
      h("li", {}, h("b", {}, sentence(what), " at ",
        h("a", { href: `#/audit/${row}` }, `row ${row}`), ": "), visible(text, false)))),
    h("ul", { class: "plain-list meta" }, limits(report, Boolean(key), Boolean(noted)).map((line) =>
      h("li", {}, line))),
  ];
}

/** What the check shows and what it cannot. */
function limits({ rows, keyed, key }, isKeyed, isNoted) {
  const lines = [];
  if (keyed) {
    lines.push(`The key marks rows ${keyed.from} to ${keyed.to}, and fixes all before them.`);
    if (rows > keyed.to) lines.push(`Rows from ${keyed.to + 1} on have another key.`);
  } else if (!isKeyed && key) {
    lines.push(`Checked without the key ${key}: whoever can write your files can have made all `
      + "rows anew.");
  } else if (!isKeyed) {
    lines.push("The log has no key: whoever can write your files can make all rows anew. Begin one "
      + "in a terminal: codepiper audit key");
  }
  if (!isNoted) {
    lines.push("An older copy of the whole log would not show: add a head that was noted "
      + "elsewhere.");
  }
  return lines;
}
