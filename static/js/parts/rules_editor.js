/**
 * Rules as text, checked by the daemon while they are typed: an error stands at its line, and what
 * each rule says beside it.
 */

import { post } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { sentence } from "../lib/format.js";
import { words } from "./field.js";
import { ruleAbout } from "./rule_words.js";
import { visible } from "./visible_text.js";

const SETTLE_MS = 300;
const ROWS = { least: 10, most: 28 };

/**
 * `{ node, input, checked(), set(text) }`: `checked()` is a promise of what `POST /policies/check`
 * says of the text as it is then; `changed(reply)` is told of each check, and of each key with
 * null. `below` stands under the text.
 */
export function rulesEditor(text, { name, readonly = false, changed = () => {}, below = null }) {
  const numbers = h("div", { class: "line-numbers", "aria-hidden": "true" });
  const strip = h("div", { class: "wrong-line", hidden: true });
  const input = h("textarea", {
    class: "code-text", wrap: "off", spellcheck: "false", autocomplete: "off",
    autocapitalize: "off", "aria-label": "Rules", "aria-describedby": "rules-problem",
    readonly, oninput: typed, onscroll: follow,
  }, text);
  const problem = h("p", { class: "problem", id: "rules-problem", role: "status" });
  const about = h("div", { class: "rules-about" });
  let wrong = null;
  let timer = null;
  let calls = 0;
  number();
  check();
  return {
    node: h("div", { class: "rules-editor" },
      h("div", { class: "editor-side" },
        h("div", { class: "editor" }, numbers, strip, input), problem, below), about),
    input, checked: check, set,
  };

  function set(next) {
    input.value = next;
    number();
    return check();
  }

  function typed() {
    number();
    changed(null);
    clearTimeout(timer);
    timer = setTimeout(check, SETTLE_MS);
  }

  async function check() {
    clearTimeout(timer);
    calls += 1;
    const call = calls;
    try {
      const said = await post("/policies/check", { text: input.value, name });
      if (call === calls) tell(said);
      return said;
    } catch (error) {
      if (call === calls) {
        mark(null);
        show(problem, words(error));
      }
      return { ok: false, error: error.message };
    }
  }

  function tell(said) {
    if (said.ok) {
      mark(null);
      show(problem);
      show(about, explained(said));
    } else {
      mark(said.line ?? null);
      show(problem, fault(said));
      about.classList.add("stale");
    }
    about.classList.toggle("stale", !said.ok);
    input.setAttribute("aria-invalid", String(!said.ok));
    changed(said);
  }

  function fault({ error, line, column, rule }) {
    const at = column ? `, column ${column}` : "";
    const place = line ? `Line ${line}${at}` : rule && `Rule ${rule}`;
    return [
      line ? h("button", { type: "button", class: "text", onclick: () => go(line, column ?? 1) },
        place) : place,
      place && ": ", visible(line || !place ? sentence(error) : error, false),
    ];
  }

  function go(line, column) {
    const before = input.value.split("\n").slice(0, line - 1);
    const at = before.reduce((sum, row) => sum + row.length + 1, 0);
    const row = input.value.split("\n")[line - 1] ?? "";
    // Columns count characters, a text area counts units.
    const from = at + [...row].slice(0, column - 1).join("").length;
    input.focus();
    input.setSelectionRange(from, at + row.length);
  }

  function number() {
    const count = input.value.split("\n").length;
    if (numbers.childElementCount !== count) {
      show(numbers, Array.from({ length: count }, (_, at) => h("span", {}, at + 1)));
    }
    input.rows = Math.min(Math.max(count + 1, ROWS.least), ROWS.most);
    mark(wrong);
  }

  function mark(line) {
    wrong = line;
    [...numbers.children].forEach((one, at) => one.classList.toggle("wrong", at + 1 === line));
    strip.hidden = line === null;
    follow();
  }

  function follow() {
    numbers.style.setProperty("--scroll", `${-input.scrollTop}px`);
    strip.style.setProperty("--scroll", `${-input.scrollTop}px`);
    strip.style.setProperty("--line", String((wrong ?? 1) - 1));
  }
}

function explained({ about, warnings }) {
  return [
    warnings?.length > 0 && h("ul", { class: "notice warnings" },
      warnings.map((text) => h("li", {}, visible(sentence(text), false)))),
    about.length ? h("ol", { class: "about-list" }, about.map(ruleAbout))
      : h("p", { class: "meta" }, "No rules: it decides nothing."),
  ];
}
