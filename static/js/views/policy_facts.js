/** What a policy is called, what it is for, and which sessions it holds for. */

import { put } from "../lib/api.js";
import { field, form, select } from "../parts/field.js";
import { toast } from "../parts/toast.js";

/** The form; `saved()` draws the policy anew. */
export function facts(policy, saved) {
  const name = field("Name", { value: policy.name, autocomplete: "off" },
    "What verdicts and the audit log call it.");
  const about = field("What it is for", {
    value: policy.description ?? "", autocomplete: "off", required: false,
  });
  const priority = field("Priority", { type: "number", step: 1, value: policy.priority },
    "Only picks which of several rules that say the same is named.");
  const isOwned = policy.scope === "session";
  const scope = isOwned ? null : select("Holds for",
    [["global", "all sessions"], ["set", "where a set lists it"]], { value: policy.scope });
  return form("Save", async () => {
    await put(`/policies/${encodeURIComponent(policy.id)}`, {
      name: name.input.value, description: about.input.value,
      priority: Number(priority.input.value), ...(scope && { scope: scope.input.value }),
    });
    toast("Saved.");
    saved();
  }, name.node, about.node, priority.node, scope?.node ?? []);
}
