/** What a session may reach: its sandbox, and what is let into it. */

import { h, show } from "../../lib/dom.js";
import { select, toggle } from "../../parts/field.js";

const ABOUT = {
  off: "No sandbox: it can do whatever your user can.",
  "keys-only": "It cannot touch codepiper's own files; all else is open.",
  guard: "It sees neither codepiper's files, nor other sessions, nor other programs' sockets.",
  workspace: "As guard, and it writes only to its project and temporary files.",
  strict: "As workspace, and it reads only what is listed, and reaches only web ports.",
};

/** `{ node, value() }` of `{ sandbox, grants, rememberGrants }`; what is usual is left out. */
export function fence({ levels, auto, setting }, known, last) {
  const usual = setting && setting !== "auto" ? setting : auto;
  const rows = [["", usual ? `As set for all (${usual})` : "As set for all"],
    ...levels.map(({ level, available }) =>
      [level, available ? level : `${level}: not on this host`])];
  const choice = select("Sandbox", rows, { value: last.sandbox ?? "", onchange: tell });
  for (const { level, available } of levels) {
    const option = [...choice.input.options].find((one) => one.value === level);
    if (option) option.disabled = !available;
  }
  const grants = known.map((grant) => toggle(grant.name, {
    checked: last.grants?.includes(grant.name) ?? false, onchange: tell,
  }, grant.gives));
  const remember = toggle("Grant it to this project from now on");
  remember.node.hidden = true;
  const node = h("div", { class: "form" }, choice.node,
    h("details", { class: "fold", open: (last.grants ?? []).length > 0 },
      h("summary", {}, "Let something in"),
      h("div", { class: "form" }, grants.map((one) => one.node), remember.node)));
  tell();
  return { node, value };

  function tell() {
    const level = choice.input.value || usual;
    const row = levels.find((one) => one.level === choice.input.value);
    show(choice.hint, row?.why ?? ABOUT[level] ?? "");
    remember.node.hidden = chosen().length === 0;
  }

  function chosen() {
    return known.filter((_, at) => grants[at].input.checked).map(({ name }) => name);
  }

  function value() {
    const names = chosen();
    return {
      ...(choice.input.value && { sandbox: choice.input.value }),
      ...(names.length && { grants: names }),
      ...(names.length && remember.input.checked && { rememberGrants: true }),
    };
  }
}
