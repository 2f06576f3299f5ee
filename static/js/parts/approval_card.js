/**
 * One question of an agent, or the same one asked several times: the call whole, what it would do,
 * why it is asked, and the answers.
 *
 * 1. No answer MUST be given by accident: no button has the focus by itself, none answers to one
 *    key from elsewhere, and none works before it has stood still for a moment.
 * 2. An answer MUST be bound to the call that is shown here.
 */

import { post } from "../lib/api.js";
import { h, icon, show } from "../lib/dom.js";
import { shortPath } from "../lib/format.js";
import { oneLine } from "../lib/hidden.js";
import { arming } from "./arming.js";
import { badge } from "./badge.js";
import { call } from "./call.js";
import { effects } from "./effects.js";
import { words } from "./field.js";
import { ago, until } from "./moment.js";
import { risks } from "./risk.js";
import { visible } from "./visible_text.js";

const REASON_CHARS = 500;
const HAND = "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM12 8v5M12 16h.01";

/** Label, what it posts, and with which fields. */
const ANSWERS = [
  ["Deny", "deny", {}],
  ["Approve once", "approve", {}],
  ["For 30 min", "approve", { forSeconds: 1800 }, "Approve for 30 min"],
  ["3 times", "approve", { times: 3 }, "Approve 3 times"],
];

/** The questions that this page has answered. */
export const answeredHere = new Set();

/**
 * `{ node, update(item) }`, where an item is an approval or `{ asks, ended? }`: identical ones,
 * and in words how they ended. `answered()` is called after an answer was taken, or was late. In
 * its own session's view (`isHere`) it need not say whose it is.
 */
export function approvalCard(item, answered, isHere = false) {
  const asksOf = (one) => one.asks ?? [one];
  const [first] = asksOf(item);
  let asks = [];
  const parts = answersOf(first);
  const count = h("span", { class: "badge", "data-tone": "ask", hidden: true });
  const over = h("p", { class: "ending", role: "status", hidden: true });
  const node = h("article", {
    class: "card approval", tabindex: "-1", "aria-labelledby": `asks-${first.id}`,
    "data-id": first.id, "data-session": first.sessionId,
  }, head(first, isHere, count), body(first), parts.node, over);
  node.style.setProperty("--session-hue", hue(first.sessionId));
  const guard = arming(node, parts.buttons);
  parts.buttons.forEach((button, at) =>
    button.addEventListener("click", guard.press(() => give(...ANSWERS[at].slice(1, 3)))));
  return { node, update };

  function update(next) {
    const now = asksOf(next);
    // More questions under the same button: it says so, and waits again.
    const known = new Set(asks.map(({ id }) => id));
    if (asks.length && now.some(({ id }) => !known.has(id))) guard.again();
    asks = now;
    count.hidden = asks.length < 2;
    count.textContent = `asked ${asks.length} times, answered as one`;
    if (next.ended) end(next.ended);
    else if (!over.hidden) reopen();
  }

  function reopen() {
    over.hidden = true;
    parts.node.hidden = false;
    parts.rest(false);
    node.classList.remove("over");
    guard.again();
  }

  function end(text) {
    if (!over.hidden && over.textContent === text) return;
    const hadFocus = parts.node.contains(document.activeElement);
    over.textContent = text;
    over.hidden = false;
    parts.node.hidden = true;
    node.classList.add("over");
    if (hadFocus) node.focus({ preventScroll: true });
  }

  async function give(answer, reach) {
    parts.rest(true);
    const said = { ...reach, ...(parts.reason() && { reason: parts.reason() }) };
    try {
      for (const ask of asks) await reply(ask, answer, said);
      answered();
    } catch (error) {
      parts.fail(words(error));
      if (error.status === 409) answered();
      parts.rest(false);
      guard.again();
    }
  }
}

async function reply({ id, boundSha256 }, answer, said) {
  // The news of it may be here before the reply is.
  answeredHere.add(id);
  try {
    // Bound to what is shown here: if the call is another by now, the daemon refuses.
    await post(`/approvals/${id}/${answer}`, { ...said, boundSha256 });
  } catch (error) {
    answeredHere.delete(id);
    throw error;
  }
}

function head(approval, isHere, count) {
  const name = approval.sessionName ?? approval.sessionId.slice(0, 8);
  const whose = [
    h("a", { class: "whose", href: `#/sessions/${encodeURIComponent(approval.sessionId)}` },
      visible(name, false)),
    " asks for ",
  ];
  return h("header", { class: "card-head" },
    h("div", { class: "card-title" }, icon(HAND),
      h("h2", { id: `asks-${approval.id}` }, isHere ? "Asks for " : whose,
        h("b", {}, visible(approval.toolName, false))),
      count, risks(approval.effects ?? [], approval.cwd).map((risk) => badge(risk, "ask"))),
    h("p", { class: "meta" }, approval.provider,
      approval.agentId && [" · subagent ", visible(approval.agentId, false)],
      approval.cwd && [" · in ", h("span", { title: oneLine(approval.cwd) },
        visible(shortPath(approval.cwd), false))],
      " · ", ago(approval.createdAt)));
}

function body(approval) {
  return h("div", { class: "call" }, call(approval.content),
    approval.argsWhole ? null : h("p", { class: "notice" },
      "What looks like a secret is hidden here, and is part of the call."),
    effects(approval.effects, approval.cwd),
    approval.reason && h("p", { class: "why" }, h("b", {}, "Why it asks: "),
      visible(approval.reason, false), rule(approval)));
}

function rule({ policyName, ruleId }) {
  const named = [policyName, ruleId].filter(Boolean).join(": ");
  return named && [" (", visible(named, false), ")"];
}

function answersOf(approval) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const reason = h("input", {
    id: `reason-${approval.id}`, maxlength: REASON_CHARS, autocomplete: "off",
  });
  const buttons = ANSWERS.map(([label, answer, , said]) => h("button", {
    type: "button", class: `answer ${answer}`, "aria-label": said ?? null, title: said ?? null,
  }, label));
  const [deny, ...approve] = buttons;
  const node = h("div", { class: "asked" },
    h("div", { class: "answers" },
      h("div", { class: "answer-group" }, deny),
      h("div", { class: "answer-group" }, approve),
      h("div", { class: "field" },
        h("label", { for: reason.id }, "Reason, which the agent reads (optional)"), reason)),
    problem, h("p", { class: "meta" }, ends(approval)));
  return {
    node, buttons,
    reason: () => reason.value.trim(),
    rest: (resting) => buttons.forEach((button) => { button.disabled = resting; }),
    fail(text) {
      show(problem, text);
      problem.hidden = false;
    },
  };
}

function ends(approval) {
  return ["Denied by itself ", until(approval.expiresAt), ". ",
    approval.dialog && "A dialog stands in the terminal too: the first answer counts. ",
    "Minutes and times are for this very call, in this session."];
}

/** A colour that stays with a session: what a terminal prints cannot have the frame. */
function hue(id) {
  return [...id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 360, 7);
}
