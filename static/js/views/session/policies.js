/** What decides in a session: the policies that hold, the sets that bring them, and its own one. */

import { get, post, put, remove } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { badge } from "../../parts/badge.js";
import { dialog } from "../../parts/dialog.js";
import { area, form, words } from "../../parts/field.js";
import { failed, fill } from "../../parts/page.js";
import { nameOf } from "../../parts/state.js";
import { toast } from "../../parts/toast.js";

const ELSE = { ask: "you are asked", deny: "it is denied", allow: "it is allowed" };

/** `{ node }` for a session. */
export function policies(ctx, session) {
  const path = `/sessions/${encodeURIComponent(session.id)}`;
  const [sets, all] = [h("div", {}), h("div", {})];
  const again = fill(all, () => get(`${path}/effective-policies`), (found) => [
    h("p", { class: "meta" }, `Deny beats ask, ask beats allow. What no rule covers: ${
      ELSE[found.defaultAction] ?? found.defaultAction}.`),
    found.policies.map(policy),
  ]);
  drawSets();
  const own = h("button", { type: "button", onclick: () => edit(session, path, again) },
    "Change its own policy");
  const plain = session.provider === "command" && h("p", { class: "notice" },
    "No policy decides in this session: it runs a command, which asks nobody. Its sandbox holds.");
  return {
    node: h("div", { class: "view policies-tab" }, plain,
      h("section", { class: "stack" }, h("h2", {}, "Policy sets"), sets),
      h("section", { class: "stack" },
        h("header", { class: "view-head" }, h("h2", {}, "What decides"), own), all)),
    shown: again,
  };

  async function drawSets() {
    try {
      const [known, applied] = await Promise.all([
        get("/policy-sets"), get(`${path}/policy-sets`),
      ]);
      const on = new Set(applied.policySets.map((set) => set.id));
      show(sets, h("ul", { class: "set-list" },
        known.policySets.map((set) => h("li", {}, choice(set, on.has(set.id))))));
    } catch (error) {
      show(sets, failed(error, drawSets));
    }
  }

  function choice(set, isOn) {
    const box = h("input", {
      type: "checkbox", id: `set-${set.id}`, checked: isOn, onchange: change,
      "aria-describedby": `about-${set.id}`,
    });
    return h("div", { class: "set" }, h("div", { class: "check" }, box,
      h("label", { for: box.id }, set.name)),
      h("p", { class: "meta", id: `about-${set.id}` }, set.description ?? ""));

    async function change() {
      box.disabled = true;
      const id = encodeURIComponent(set.id);
      try {
        if (box.checked) await post(`${path}/policy-sets`, { policySetId: set.id });
        else await remove(`${path}/policy-sets/${id}`);
        toast(`${set.name} ${box.checked ? "holds" : "no longer holds"} from the next call on.`);
      } catch (error) {
        box.checked = !box.checked;
        toast(words(error));
      }
      box.disabled = false;
      again();
    }
  }
}

/** Asks for the rules of the session's own policy; `saved()` is called when they hold. */
async function edit(session, path, saved) {
  const { policies: [known] } = await get(`${path}/policy`).catch((error) => {
    toast(words(error));
    return { policies: [null] };
  });
  if (known === null) return;
  const text = area("Rules", {
    class: "code-text", value: known ? linesOf(known) : "", rows: "12", spellcheck: "false",
  }, "One a line: allow shell git status *. Or the JSON form.");
  const asked = dialog(`Policy of ${nameOf(session)}`, form("Save", async () => {
    const checked = await post("/policies/check", { text: text.input.value });
    if (!checked.ok) throw new Error(checked.error);
    const name = known?.name ?? `of ${nameOf(session)}`;
    await put(`${path}/policy`, { policy: { name, rules: checked.rules } });
    asked.close();
    saved();
  }, h("p", {}, "These rules hold in this session alone, beside those of its sets."), text.node));
  asked.node.classList.add("wide");
}


const linesOf = (policy) => policy.lines ?? JSON.stringify(policy.rules, null, 2);

function policy(known) {
  const from = known.sessionId ? "its own" : known.repository ? "from the repository"
    : known.policySets.length ? known.policySets.map((set) => set.name).join(", ") : "everywhere";
  const count = Array.isArray(known.rules) ? known.rules.length : 0;
  return h("details", { class: "policy" },
    h("summary", {}, h("b", {}, known.name), " ", badge(from, "over", "Where it comes from"),
      h("span", { class: "meta" }, ` ${count} ${count === 1 ? "rule" : "rules"}`),
      known.problem && h("span", { class: "problem" }, ` ${known.problem}`)),
    known.description && h("p", { class: "meta" }, known.description),
    h("pre", { tabindex: "0" }, linesOf(known)),
    !known.sessionId && !known.repository && !known.builtIn
      && h("a", { href: `#/policies/${known.id}` }, "Open this policy"));
}
