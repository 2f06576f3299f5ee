/** One policy: its rules as text, tried on a call and on the past before they are saved. */

import { get, put, remove } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { many } from "../lib/format.js";
import { badge } from "../parts/badge.js";
import { confirm } from "../parts/dialog.js";
import { words } from "../parts/field.js";
import { ago } from "../parts/moment.js";
import { fill, head } from "../parts/page.js";
import { replay } from "../parts/replay.js";
import { scopeWords, standing } from "../parts/rule_words.js";
import { tabs } from "../parts/tabs.js";
import { toast } from "../parts/toast.js";
import { trial } from "../parts/trial.js";
import { visible } from "../parts/visible_text.js";
import { facts } from "./policy_facts.js";
import { history } from "./policy_history.js";
import { rules } from "./policy_rules.js";

/** The view of the policy `id`. */
export function policy(ctx, id) {
  const path = `/policies/${encodeURIComponent(id)}`;
  const place = h("div", { class: "stack" });
  let draft = null;
  let at = "rules";
  const load = async () => (await get(path)).policy;
  const again = fill(place, load, draw);
  return {
    node: h("div", { class: "view" }, place), title: "Policy",
    destroy: () => draft?.keep(),
  };

  function draw(known) {
    const own = !known.builtIn && !known.repository;
    draft?.keep();
    draft = rules(known, again);
    // What is tried are the rules as they are typed.
    const typed = () => (draft.isChanged()
      ? { text: draft.text(), ...(own && { policyId: known.id }) } : null);
    const session = known.sessionId ?? "";
    const { bar, panels, select } = tabs("Policy", [
      { id: "rules", label: "Rules", make: () => draft.node },
      { id: "try", label: "Try a call", make: () =>
        trial(ctx, { draft: typed, sessionId: session }) },
      { id: "replay", label: "Replay the past", make: () =>
        replay(ctx, known.name, () => draft.text(), session) },
      own && { id: "history", label: "History", make: () => history(known) },
      own && { id: "facts", label: "Name and scope", make: () => facts(known, again) },
    ].filter(Boolean), (tab) => { at = tab; });
    select(at);
    const [word, tone, title] = standing(known);
    return [
      h("a", { href: "#/policies", class: "back-link" }, "← All policies"),
      head([visible(known.name, false), " ", badge(word, tone, title)], own && [
        h("button", { type: "button", onclick: () => flip(known) },
          known.enabled ? "Switch off" : "Switch on"),
        h("button", { type: "button", class: "danger", onclick: () => drop(known) }, "Delete"),
      ]),
      h("p", { class: "meta" }, about(known)),
      known.problem && h("p", { class: "alarm" }, "Its rules cannot be read, so all calls that it "
        + "might be about are denied: ", visible(known.problem, false)),
      bar, panels,
    ];
  }

  function about(known) {
    const sets = known.policySets.map(({ name }) => name).join(", ");
    return [
      visible(scopeWords(known, ctx.sessions.get()), false), known.builtIn ? "" :
        ` · version ${known.version}`, sets && [" · in ", visible(sets, false)],
      known.updatedAt && [" · changed ", ago(known.updatedAt)],
      known.description && [" · ", visible(known.description, false)],
    ];
  }

  async function flip(known) {
    await put(path, { enabled: !known.enabled }).catch((error) => toast(words(error)));
    again();
  }

  function drop(known) {
    const sets = known.policySets.map(({ name }) => name);
    confirm({
      title: `Delete the policy ${known.name}?`,
      text: [
        known.scope === "global" ? "It holds for all sessions, and no longer from their next call "
          + "on." : "From their next call on it holds no longer.",
        sets.length ? `It goes out of the sets ${sets.join(", ")}.` : "No set lists it.",
        "What it decided stays in the audit log.",
      ],
      action: "Delete policy",
      act: async () => {
        const gone = await remove(path);
        toast(`Deleted. It held for ${many(gone.sessionIds.length, "running session")}.`);
        draft.forget();
        location.hash = "#/policies";
      },
    });
  }
}
