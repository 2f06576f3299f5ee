/** Why a call is judged as it is: the verdict, the parts of the call, and what each rule says. */

import { h } from "../lib/dom.js";
import { sentence } from "../lib/format.js";
import { verdict } from "./rule_words.js";
import { visible } from "./visible_text.js";

/** The whole of an `explanation`. */
export function explanation(said) {
  return h("div", { class: "explanation" },
    h("p", { class: "verdict", "data-decision": said.decision }, verdict(said.decision),
      h("b", {}, visible(sentence(said.reason ?? ""), false))),
    said.policy && h("p", { class: "meta" }, "Decided by ", visible(said.policy, false), ": ",
      visible(said.rule ?? "", false), said.version ? `, version ${said.version}` : ""),
    said.notUnderstood
      ? h("p", { class: "notice" }, "Not understood, because ", visible(said.notUnderstood, false),
        ". No rule that allows is about such a call.")
      : parts(said.parts ?? []),
    rules(said.rules ?? []),
    h("p", { class: "meta" },
      said.leftOut > 0 && `${said.leftOut} more rules are about nothing in it. `,
      "What no rule is about: ", said.default, "."));
}

function parts(all) {
  if (!all.length) return null;
  return h("section", {}, h("h3", {}, "What it does"), h("ul", { class: "parts-list" },
    all.map(({ name, effects }) => h("li", {}, h("code", {}, visible(name, false)),
      effects.length > 0 && h("ul", {}, effects.map((effect) =>
        h("li", {}, h("code", {}, visible(effect, false)))))))));
}

function rules(all) {
  const isAbout = ({ about }) => about.length > 0;
  const [about, others] = [all.filter(isAbout), all.filter((rule) => !isAbout(rule))];
  if (!all.length) return null;
  return h("section", {}, h("h3", {}, "Rules"),
    about.length ? h("ul", { class: "considered" }, about.map(rule))
      : h("p", { class: "meta" }, "No rule is about it."),
    others.length > 0 && h("details", {},
      h("summary", {}, `${others.length} ${others.length === 1 ? "rule is" : "rules are"
      } about something else`),
      h("ul", { class: "considered" }, others.map(rule))));
}

const part = (text, at) => [at > 0 && ", ", h("code", {}, visible(text, false))];

function rule({ policy, rule: name, action, decides, about, whyNot, tightens }) {
  return h("li", { class: decides ? "decides" : null },
    verdict(action),
    h("span", { class: "rule-name" }, visible(policy, false), ": ", visible(name, false)),
    about.length ? h("span", {}, "is about ", about.map(part))
      : h("span", { class: "meta" }, visible(whyNot ?? "", false)),
    tightens && h("span", { class: "meta" }, "the repository's"),
    decides && h("b", {}, "decides"));
}
