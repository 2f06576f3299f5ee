/** How the daemon treats sessions, and how this page looks. */

import { get, put } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { choose, chosen, THEMES } from "../../lib/theme.js";
import { fill } from "../../parts/page.js";
import { choice, number, yesNo } from "../../parts/setting.js";

const MIB = 1 << 20;
const LEVELS = ["auto", "guard", "workspace", "strict", "keys-only", "off"]
  .map((level) => [level, level]);

/** The panel. */
export function general() {
  const place = h("div", {});
  fill(place, async () => [
    (await get("/settings/daemon")).settings, (await get("/policy-sets")).policySets,
  ], ([settings, sets]) => draw(settings, sets));
  return place;
}

function draw(known, sets) {
  const row = (key, label, hint) => ({ key, label, hint, value: known[key] });
  return [
    group("This browser", choice({
      label: "Appearance", value: chosen(), save: async (theme) => choose(theme),
    }, THEMES)),
    group("Tool calls",
      choice(row("defaultPolicyAction", "What no rule is about",
        "Asked means that it waits for you in the inbox."),
      [["ask", "is asked"], ["deny", "is denied"]]),
      choice({
        ...row("defaultPolicySet", "Policy set of new sessions"),
        value: known.defaultPolicySet ?? "",
        save: (id) => put("/settings/daemon", { defaultPolicySet: id || null }),
      }, [...sets.map((set) => [set.id, set.name]), ["", "none"]]),
      number(row("holdSeconds", "A call waits for an answer",
        "Where the agent has no dialog of its own; then it is denied."),
      { unit: "seconds", least: 1, most: 600 }),
      yesNo(row("proveGate", "Prove the gate first",
        "An agent's program is started only after its hooks were seen to hold it back."))),
    group("Sessions",
      choice(row("sandbox", "Sandbox of sessions that name none",
        "auto is guard, or the best that this host has; with another one a session that cannot "
        + "have it does not start."), LEVELS),
      number(row("maxSessions", "Sessions at once"), { unit: "sessions", least: 1, most: 1000 }),
      number(row("sessionLogBytes", "Output kept of a session",
        "Counts from its next start; the oldest goes first."),
      { unit: "MiB", size: MIB, least: 8, most: MIB }),
      yesNo(row("maskOutput", "Hide secrets in terminals",
        "Viewers see [secret NAME] for what a session got from its env sets."))),
  ];
}

/** Settings that belong together. */
export function group(title, ...rows) {
  return h("section", { class: "group" }, h("h2", {}, title), rows);
}
