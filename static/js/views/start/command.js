/** The command line of a session, and how it is taken apart: no shell does that. */

import { h, show } from "../../lib/dom.js";
import { join, split } from "../../lib/shell.js";
import { field } from "../../parts/field.js";

/** `{ node, input, args() }` for any command. */
export function commandLine(args) {
  const { node, input, hint } = line("Command", {
    value: join(args ?? []), placeholder: "npm run dev", class: "code-line",
  });
  input.addEventListener("input", draw);
  draw();
  return { node, input, args: () => whole(input, split(input.value).words) };

  function draw() {
    const { words, problem, needsShell } = split(input.value);
    input.setCustomValidity(problem && `This is not finished: ${problem}`);
    if (problem) return show(hint, `Not finished: ${problem}.`);
    if (words.length === 0) return show(hint, "A program with its arguments, or a shell.");
    show(hint, "Runs ", words.map((word) => h("code", { class: "word" }, word || "\u00a0")),
      needsShell && [h("span", {}, ` ${needsShell} means nothing without a shell. `),
        h("button", { type: "button", class: "text", onclick: wrap }, "Run it in a shell")]);
  }

  function wrap() {
    input.value = join(["bash", "-c", input.value]);
    draw();
    input.focus();
  }
}

/** `{ node, input, args() }` for what an agent is given beside its own. */
export function extraArguments(args) {
  const { node, input, hint } = line("Arguments for the agent (optional)", {
    value: join(args ?? []), placeholder: "--model opus", class: "code-line", required: false,
  });
  input.addEventListener("input", draw);
  draw();
  return { node, input, args: () => whole(input, split(input.value).words) };

  function draw() {
    const { words, problem } = split(input.value);
    input.setCustomValidity(problem && `This is not finished: ${problem}`);
    if (problem) return show(hint, `Not finished: ${problem}.`);
    show(hint, words.length > 0 && "Given ",
      words.map((word) => h("code", { class: "word" }, word || "\u00a0")));
  }
}

function line(label, props) {
  return field(label, {
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...props,
  });
}

function whole(input, words) {
  if (input.validationMessage && input.value) throw new Error(input.validationMessage);
  return words;
}
