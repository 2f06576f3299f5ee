/** One question of an agent, whole, with the two answers. */

import { post } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { sentence, shortPath, span } from "../lib/format.js";
import { words } from "./field.js";

const REASON_CHARS = 500;

/**
 * `{ node, update(approval) }`; `answered()` is called after an answer was taken, or was late. In
 * its own session's view (`isHere`) it need not say whose it is.
 */
export function approvalCard(approval, answered, isHere = false) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const reason = h("input", {
    id: `reason-${approval.id}`, maxlength: REASON_CHARS, autocomplete: "off",
  });
  const buttons = ["approve", "deny"].map((answer) =>
    h("button", { class: answer, onclick: () => give(answer) }, sentence(answer)));
  const expires = h("span", {});
  const node = h("article", { class: "card approval", "aria-labelledby": `asks-${approval.id}` },
    head(approval, isHere),
    h("div", { class: "call" }, approval.content.map(piece)),
    approval.argsWhole ? null : h("p", { class: "notice" },
      "What looks like a secret is hidden here, and is part of the call."),
    approval.reason && h("p", { class: "why" }, sentence(approval.reason)),
    h("div", { class: "field" },
      h("label", { for: reason.id }, "Reason, which the agent reads (optional)"), reason),
    problem,
    h("div", { class: "answers" }, buttons, expires));
  return { node, update: () => { expires.textContent = ends(approval); } };

  async function give(answer) {
    buttons.forEach((button) => { button.disabled = true; });
    problem.hidden = true;
    try {
      // Bound to what is shown here: if the call is another by now, the daemon refuses.
      await post(`/approvals/${approval.id}/${answer}`, {
        boundSha256: approval.boundSha256, ...(reason.value.trim() && { reason: reason.value }),
      });
      answered();
    } catch (error) {
      problem.textContent = words(error);
      problem.hidden = false;
      if (error.status === 409) answered();
      buttons.forEach((button) => { button.disabled = false; });
    }
  }
}

function head(approval, isHere) {
  const name = approval.sessionName ?? approval.sessionId.slice(0, 8);
  const whose = [h("a", { href: `#/sessions/${approval.sessionId}` }, name), " asks for "];
  return h("header", { class: "card-head" },
    h("h2", { id: `asks-${approval.id}` }, isHere ? "Asks for " : whose, approval.toolName),
    h("p", { class: "meta" },
      [
        approval.provider, approval.cwd && shortPath(approval.cwd),
        `${span(approval.createdAt)} ago`,
      ].filter(Boolean).join(" · ")));
}

function ends(approval) {
  const there = approval.dialog ? " It can be answered in the terminal too." : "";
  return `Denied by itself in ${span(approval.expiresAt)}.${there}`;
}

function piece({ kind, name, text }) {
  if (kind === "diff") {
    return h("pre", { class: "diff", tabindex: "0" }, text.split("\n").map(line));
  }
  if (kind === "command") return h("pre", { class: "command", tabindex: "0" }, text);
  return h("div", { class: "piece" }, name && h("span", { class: "name" }, name),
    h("pre", { tabindex: "0" }, text));
}

function line(text) {
  const change = { "+": "added", "-": "removed" }[text[0]];
  return h("span", { class: change ?? "same" }, `${text}\n`);
}
