/** Policies, sets of them, and a place to try a call. */

import { get, post, put } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { badge } from "../parts/badge.js";
import { dialog } from "../parts/dialog.js";
import { area, field, form, select, words } from "../parts/field.js";
import { ago } from "../parts/moment.js";
import { empty, fill, head } from "../parts/page.js";
import { scopeWords, standing } from "../parts/rule_words.js";
import { isLive, nameOf } from "../parts/state.js";
import { table } from "../parts/table.js";
import { tabs } from "../parts/tabs.js";
import { toast } from "../parts/toast.js";
import { trial } from "../parts/trial.js";
import { visible } from "../parts/visible_text.js";

const TABS = ["policies", "sets", "try"];

/** Whether `id` names a tab of this view; every other one is a policy's. */
export const isTab = (id) => TABS.includes(id);

/** The view, at one of its tabs. */
export function policies(ctx, tab = "policies") {
  const { bar, panels, select: choose } = tabs("Policies", [
    { id: "policies", label: "Policies", make: () => list(ctx) },
    { id: "sets", label: "Sets", make: () => sets(ctx) },
    { id: "try", label: "Try a call", make: () => h("section", {},
      h("p", { class: "meta" }, "Says how a call would be judged. Nothing runs."), trial(ctx)) },
  ], (id) => history.replaceState(null, "", id === "policies" ? "#/policies" : `#/policies/${id}`));
  choose(tab);
  return {
    node: h("div", { class: "view" }, head("Policies",
      h("button", { type: "button", onclick: () => newSet() }, "New set"),
      h("button", { type: "button", class: "primary", onclick: () => newPolicy(ctx) },
        "New policy")), bar, panels),
    title: "Policies",
  };
}

function list(ctx) {
  const place = h("div", {});
  const again = fill(place, async () => (await get("/policies")).policies, (all) => {
    if (!all.length) {
      return empty("No policies of your own yet.", h("p", {}, "New sessions get the set that is "
        + "the default, see Sets; a policy of your own allows, asks or denies more."));
    }
    return table("Policies", columns(ctx, again), all);
  });
  return h("section", {}, fallback(), place);
}

function columns(ctx, again) {
  return [
    { name: "Name", class: "name-cell", cell: (policy) => [
      h("a", { href: `#/policies/${encodeURIComponent(policy.id)}` }, visible(policy.name, false)),
      policy.description && h("div", { class: "meta" }, visible(policy.description, false))] },
    { name: "Holds for", cell: (policy) =>
      visible(scopeWords(policy, ctx.sessions.get()), false) },
    { name: "Rules", class: "number tight", cell: ({ rules }) => rules.length },
    { name: "Sets", cell: ({ policySets }) => policySets.map((set, at) => [at > 0 && ", ",
      h("a", { href: setHref(set.id) }, visible(set.name, false))]) },
    { name: "Changed", class: "tight", cell: ({ updatedAt }) => updatedAt && ago(updatedAt) },
    { name: "State", class: "tight", cell: (policy) => flip(policy, again) },
  ];
}

const setHref = (id) => `#/policies/set/${encodeURIComponent(id)}`;

function flip(policy, again) {
  const [word, tone, title] = standing(policy);
  const button = h("button", {
    type: "button", class: "small", "aria-label": `${policy.enabled ? "Switch off" : "Switch on"} ${
      policy.name}`, onclick: change,
  }, policy.enabled ? "Switch off" : "Switch on");
  return h("div", { class: "actions" }, badge(word, tone, title), button);

  async function change() {
    button.disabled = true;
    await put(`/policies/${encodeURIComponent(policy.id)}`, { enabled: !policy.enabled })
      .catch((error) => toast(words(error)));
    again();
  }
}

/** What becomes of a call that no rule is about. */
function fallback() {
  const choice = h("select", { id: "default-action", disabled: true, onchange: change },
    h("option", { value: "ask" }, "asked"), h("option", { value: "deny" }, "denied"));
  get("/settings/daemon").then(tell, (error) => toast(words(error)));
  return h("div", { class: "default-line" },
    h("label", { for: choice.id }, "What no rule is about is"), choice);

  function tell({ settings }) {
    choice.value = settings.defaultPolicyAction;
    choice.disabled = false;
  }

  async function change() {
    choice.disabled = true;
    try {
      tell(await put("/settings/daemon", { defaultPolicyAction: choice.value }));
      toast(`What no rule is about is ${choice.value === "ask" ? "asked" : "denied"} from now on.`);
    } catch (error) {
      toast(words(error));
      tell(await get("/settings/daemon"));
    }
    choice.focus();
  }
}

function sets() {
  const place = h("div", {});
  const again = fill(place, async () => (await get("/policy-sets")).policySets, (all) => [
    table("Policy sets", [
      { name: "Name", class: "name-cell", cell: (set) => [
        h("a", { href: setHref(set.id) }, visible(set.name, false)),
        set.description && h("div", { class: "meta" }, visible(set.description, false))] },
      { name: "Policies", class: "number tight", cell: ({ policyCount }) => policyCount },
      { name: "Sessions", class: "number tight", cell: ({ sessionCount }) => sessionCount },
      { name: "", class: "tight", cell: ({ builtIn }) => builtIn && badge("built in") },
      { name: "New sessions", class: "tight", cell: (set) => (set.isDefault
        ? badge("get this one", "busy") : h("button", {
          type: "button", class: "small", "aria-label": `Make default: ${set.name}`,
          onclick: () => makeDefault(set.id),
        }, "Make default")) },
    ], all),
    all.some(({ isDefault }) => isDefault)
      ? h("button", { type: "button", class: "text", onclick: () => makeDefault(null) },
        "Give new sessions no set")
      : h("p", { class: "notice" }, "New sessions get no set: what no policy of yours allows is "
        + "asked, or denied as the default says."),
  ]);
  return h("section", {}, h("p", { class: "meta" },
    "A set is a named list of policies. Sessions that run keep the sets that they have."), place);

  async function makeDefault(id) {
    await put("/settings/daemon", { defaultPolicySet: id }).catch((error) => toast(words(error)));
    again();
  }
}

function newPolicy(ctx) {
  const name = field("Name", { autocomplete: "off", autofocus: true },
    "What verdicts and the audit log call it.");
  const about = field("What it is for", { autocomplete: "off", required: false });
  const running = (ctx.sessions.get() ?? []).filter(isLive);
  const scope = select("Holds for", [["global", "all sessions"], ["set", "where a set lists it"],
    ...running.map((one) => [`session ${one.id}`, `session ${nameOf(one)}`])], {},
  "A session's own policy goes with it.");
  const opened = dialog("New policy", form("Make it", async () => {
    const [word, sessionId] = scope.input.value.split(" ");
    const { policy } = await post("/policies", {
      name: name.input.value, description: about.input.value, scope: word, rules: [],
      ...(sessionId && { sessionId }),
    });
    opened.close();
    location.hash = `#/policies/${encodeURIComponent(policy.id)}`;
  }, name.node, about.node, scope.node));
}

function newSet() {
  const name = field("Name", { autocomplete: "off", autofocus: true });
  const about = area("What it is for", { rows: 2 });
  const place = h("div", {});
  const box = (policy) => {
    const input = h("input", { type: "checkbox", id: `pick-${policy.id}`, value: policy.id });
    return h("div", { class: "check" }, input,
      h("label", { for: input.id }, visible(policy.name, false)));
  };
  fill(place, async () => (await get("/policies")).policies, (all) => {
    const own = all.filter(({ scope }) => scope !== "session");
    if (!own.length) return h("p", { class: "meta" }, "No policies yet; put some in later.");
    return h("fieldset", { class: "picks" }, h("legend", {}, "Policies in it"), own.map(box));
  });
  const opened = dialog("New set", form("Make it", async () => {
    const policyIds = [...place.querySelectorAll("input:checked")].map(({ value }) => value);
    const { policySet } = await post("/policy-sets", {
      name: name.input.value, description: about.input.value.trim(), policyIds,
    });
    opened.close();
    location.hash = setHref(policySet.id);
  }, name.node, about.node, place));
}
