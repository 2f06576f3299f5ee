/** A dry run: a call that is typed, and how it would be judged. Nothing runs, nothing is kept. */

import { post } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { explanation } from "./explanation.js";
import { field, form, select } from "./field.js";
import { isLive, nameOf } from "./state.js";

/**
 * The form and its result. `draft()` gives `{ text, policyId }` of rules that are not saved, or
 * null; `sessionId` is the session that is chosen at first.
 */
export function trial(ctx, { draft = () => null, sessionId = "" } = {}) {
  const result = h("div", { class: "result", "aria-live": "polite" });
  const sessions = (ctx.sessions.get() ?? []).filter((one) => isLive(one) || one.id === sessionId);
  const where = select("As in", [["", "a new session"],
    ...sessions.map((one) => [one.id, `session ${nameOf(one)}`])], { value: sessionId });
  const cwd = field("Its directory", { value: sessions[0]?.cwd ?? "/", spellcheck: "false",
    autocomplete: "off" });
  const tool = field("Tool", { value: "Bash", spellcheck: "false", autocomplete: "off" });
  const input = field("Command", { spellcheck: "false", autocomplete: "off", class: "bare mono",
    placeholder: "git push origin main" });
  const names = [cwd.node, tool.node];
  where.input.addEventListener("change", match);
  tool.input.addEventListener("input", match);
  match();
  return h("div", { class: "trial" },
    form("Try it", submit, h("div", { class: "form-row" }, where.node, names), input.node), result);

  function match() {
    cwd.node.hidden = where.input.value !== "";
    cwd.input.required = where.input.value === "";
    const isShell = tool.input.value.trim() === "Bash";
    input.node.querySelector("label").textContent = isShell ? "Command" : "Input, as JSON";
    input.input.placeholder = isShell ? "git push origin main" : "{\"file_path\": \"/etc/hosts\"}";
  }

  async function submit() {
    const name = tool.input.value.trim();
    const body = {
      tool: name,
      input: name === "Bash" ? { command: input.input.value } : parsed(input.input.value),
      ...(where.input.value ? { sessionId: where.input.value } : { cwd: cwd.input.value }),
      ...draft(),
    };
    const said = await post("/policies/explain", body);
    show(result, draft() && h("p", { class: "meta" }, "By the rules as you have typed them."),
      explanation(said.explanation));
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`the input is not JSON: ${error.message}`);
  }
}
