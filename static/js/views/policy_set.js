/** One set of policies: what is in it, and which sessions have it. */

import { get, post, put, remove } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { many } from "../lib/format.js";
import { badge } from "../parts/badge.js";
import { confirm } from "../parts/dialog.js";
import { words } from "../parts/field.js";
import { empty, fill, head } from "../parts/page.js";
import { isLive, nameOf } from "../parts/state.js";
import { table } from "../parts/table.js";
import { toast } from "../parts/toast.js";
import { visible } from "../parts/visible_text.js";

/** The view of the set `id`. */
export function policySet(ctx, id) {
  const path = `/policy-sets/${encodeURIComponent(id)}`;
  const place = h("div", { class: "stack" });
  const load = async () => {
    const [{ policySet: set }, { policies }] = await Promise.all([get(path), get("/policies")]);
    return { set, policies };
  };
  const again = fill(place, load, draw);
  return { node: h("div", { class: "view" }, place), title: "Policy set" };

  function draw({ set, policies }) {
    const act = (call) => call.then(again, (error) => toast(words(error)));
    return [
      h("a", { href: "#/policies/sets", class: "back-link" }, "← All sets"),
      head([visible(set.name, false), " ", set.isDefault && badge("new sessions get it", "busy"),
        set.builtIn && badge("built in")], !set.builtIn && h("button", {
        type: "button", class: "danger", onclick: () => drop(set),
      }, "Delete set")),
      set.description && h("p", { class: "meta" }, visible(set.description, false)),
      members(set, policies, act),
      holders(set, act),
    ];
  }

  function members(set, policies, act) {
    const others = policies.filter((policy) => policy.scope !== "session"
      && !set.policies.some((known) => known.id === policy.id));
    const pick = h("select", { id: "add-policy", "aria-label": "A policy to put in" },
      others.map((policy) => h("option", { value: policy.id }, policy.name)));
    const columns = [
      { name: "Name", class: "name-cell", cell: (policy) => h("a", {
        href: `#/policies/${encodeURIComponent(policy.id)}` }, visible(policy.name, false)) },
      { name: "Rules", class: "number tight", cell: ({ rules }) => rules.length },
      { name: "", class: "tight", cell: (policy) => !set.builtIn && h("button", {
        type: "button", class: "small", "aria-label": `Take out ${policy.name}`,
        onclick: () => act(remove(`${path}/policies/${encodeURIComponent(policy.id)}`)),
      }, "Take out") },
    ];
    return h("section", {}, h("h2", {}, "Policies in it"),
      set.policies.length ? table("Policies in the set", columns, set.policies)
        : empty("No policy is in it.", h("p", {}, "A set without policies changes nothing.")),
      !set.builtIn && others.length > 0 && h("div", { class: "default-line" }, pick, h("button", {
        type: "button", class: "small",
        onclick: () => act(post(`${path}/policies`, { policyId: pick.value })),
      }, "Put it in")));
  }

  function holders(set, act) {
    const all = ctx.sessions.get() ?? [];
    const known = (one) => all.find((session) => session.id === one) ?? { id: one };
    const having = set.sessionIds.map(known).sort((a, b) => isLive(b) - isLive(a));
    const others = all.filter((one) => isLive(one) && !set.sessionIds.includes(one.id));
    const pick = h("select", { id: "add-session", "aria-label": "A session to give it to" },
      others.map((one) => h("option", { value: one.id }, nameOf(one))));
    const at = (session) => `/sessions/${encodeURIComponent(session)}/policy-sets`;
    return h("section", {}, h("h2", {}, "Sessions that have it"),
      having.length ? h("ul", { class: "holders" }, having.map((one) => h("li", {},
        h("span", {}, h("a", { href: `#/sessions/${encodeURIComponent(one.id)}` },
          visible(nameOf(one), false)), !isLive(one) && h("span", { class: "meta" }, " ended")),
        h("button", {
          type: "button", class: "small", "aria-label": `Take off ${nameOf(one)}`,
          onclick: () => act(remove(`${at(one.id)}/${encodeURIComponent(set.id)}`)),
        }, "Take off")))) : h("p", { class: "meta" }, "None."),
      others.length > 0 && h("div", { class: "default-line" }, pick, h("button", {
        type: "button", class: "small",
        onclick: () => act(post(at(pick.value), { policySetId: set.id })),
      }, "Give it to this session")),
      !set.isDefault && h("button", { type: "button", class: "text", onclick: () =>
        act(put("/settings/daemon", { defaultPolicySet: set.id })) },
      "Give it to new sessions, too"));
  }

  function drop(set) {
    const count = set.sessionIds.length;
    confirm({
      title: `Delete the set ${set.name}?`,
      text: [
        count ? `From their next call on, ${many(count, "session")} do without it.`
          : "No session has it.",
        "The policies in it stay.",
      ],
      action: "Delete set",
      act: async () => {
        await remove(path);
        location.hash = "#/policies/sets";
      },
    });
  }
}
