/** Dangerous mode: what it means, for how long, and the two answers that it takes. */

import { put } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { dialog } from "./dialog.js";
import { form, select, toggle } from "./field.js";
import { nameOf } from "./state.js";

/** For how long it can be on, in seconds. */
export const DURATIONS = [["300", "5 minutes"], ["1800", "30 minutes"], ["7200", "2 hours"]];

/** What it means, in the words that are shown wherever it is offered. */
export const MEANING = [
  "Whatever policy would ask you about is allowed without asking: commands, edits, the net.",
  "What policy denies stays denied, codepiper's own files stay protected, and each call is still "
    + "written to the audit log.",
];

/** Asks, and lifts the session's policy. */
export function danger(session, refresh) {
  const long = select("For how long", DURATIONS, { value: "1800" });
  const sure = toggle("I have read this, and want it", { required: true });
  const asked = dialog(`Dangerous mode for ${nameOf(session)}`,
    form("Stop asking me", async () => {
      const seconds = Number(long.input.value);
      await put(`/sessions/${session.id}/dangerous`, { seconds });
      asked.close();
      refresh();
    }, MEANING.map((line) => h("p", {}, line)), long.node, sure.node));
  asked.node.querySelector("button.primary").className = "danger";
}
