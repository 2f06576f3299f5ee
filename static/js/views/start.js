/** Starting a session: what runs, where, with what, and what it may. */

import { get, post } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { DURATIONS, MEANING } from "../parts/danger.js";
import { dialog } from "../parts/dialog.js";
import { field, form, select, toggle } from "../parts/field.js";
import { fill } from "../parts/page.js";
import { printed } from "../parts/session_actions.js";
import { commandLine, extraArguments } from "./start/command.js";
import { directory } from "./start/directory.js";
import { fence } from "./start/fence.js";
import { keep, kept } from "./start/kept.js";
import { envSets, policySets } from "./start/sets.js";

const NAME_CHARS = 80;
const BILLING = {
  subscription: "subscription: the agent's own login pays",
  api: "api: the key in its environment pays",
};

/** Opens the dialog; a session that has started is shown. */
export function start(ctx) {
  const place = h("div", { class: "start dense" });
  const asked = dialog("Start a session", place);
  asked.node.classList.add("wide");
  fill(place, load, (known) => choose(ctx, known, asked));
}

async function load() {
  const [providers, sandbox, grants, env, policy] = await Promise.all([
    get("/providers"), get("/sandbox"), get("/sandbox/grants"), get("/env-sets"),
    get("/policy-sets"),
  ]);
  return {
    providers: providers.providers, sandbox, grants: grants.grants, envSets: env.envSets,
    policySets: policy.policySets,
  };
}

/** The row of providers, and below it what the chosen one wants to know. */
function choose(ctx, known, asked) {
  const body = h("div", {});
  const usable = known.providers.filter((one) => one.installed !== false);
  const last = kept().provider;
  const first = usable.find(({ id }) => id === last)
    ?? usable.find(({ id }) => id !== "command") ?? usable[0];
  const rows = known.providers.map((one) => h("label", { class: "provider" },
    h("input", {
      type: "radio", name: "provider", value: one.id, checked: one === first,
      disabled: one.installed === false, onchange: () => pick(one),
    }),
    h("span", {}, h("b", {}, one.label), h("span", { class: "meta", title: one.problem },
      one.installed === false ? "not installed" : one.version ?? one.problem ?? about(one)))));
  pick(first);
  // On the field, not on the way out of the dialog.
  requestAnimationFrame(() => body.querySelector("input")?.focus());
  return [h("fieldset", { class: "providers" }, h("legend", { class: "unseen" }, "What runs"),
    rows), body];

  function pick(provider) {
    show(body, fields(ctx, known, provider, asked));
  }
}

function about(provider) {
  return provider.id === "command" ? "a shell, a server, a script" : "installed";
}

function fields(ctx, known, provider, asked) {
  const last = kept(provider.id);
  const isAgent = provider.id !== "command";
  const parts = {
    cwd: directory(ctx.sessions.get() ?? [], last.cwd),
    line: isAgent ? extraArguments(last.args) : commandLine(last.args),
    name: field("Name (optional)", { required: false, maxlength: NAME_CHARS, autocomplete: "off" }),
    env: envSets(known.envSets, last.envSetIds),
    fence: fence(known.sandbox, known.grants, last),
    ...(isAgent && agentParts(known, provider, last)),
  };
  const output = h("div", {});
  const submit = form("Start", () => run(ctx, provider, parts, asked, output),
    isAgent ? parts.cwd.node : parts.line.node, isAgent ? null : parts.cwd.node, parts.name.node,
    h("details", { class: "fold" }, h("summary", {}, "Sandbox, variables, policy and more"),
      h("div", { class: "form more" }, parts.fence.node, parts.env.node, parts.policy?.node,
        isAgent && parts.line.node, parts.billing?.node, parts.settings?.node,
        parts.danger?.node)),
    output);
  return submit;
}

function agentParts(known, provider, last) {
  return {
    policy: policySets(known.policySets, last.policySetIds),
    billing: select("Who pays", (provider.billingModes ?? Object.keys(BILLING))
      .map((mode) => [mode, BILLING[mode] ?? mode]), { value: last.billingMode }),
    settings: provider.supportsProjectSettings !== false && toggle(
      "Read the repository's own settings", { checked: last.projectSettings ?? false },
      "Its hooks then run too. They are code that no policy decides about."),
    danger: provider.capabilities.supportsDangerousMode && dangerPart(),
  };
}

/** Two answers before it is on: that it is wanted, and that its meaning was read. Never kept. */
function dangerPart() {
  const on = toggle("Dangerous mode", { onchange: flip });
  const long = select("For how long", DURATIONS, { value: "1800" });
  const sure = toggle("I have read this, and want it");
  const more = h("div", { class: "alarm-box", hidden: true }, MEANING.map((line) =>
    h("p", {}, line)), long.node, sure.node);
  return {
    node: h("div", { class: "form" }, on.node, more),
    seconds: () => (on.input.checked ? Number(long.input.value) : undefined),
  };

  function flip() {
    more.hidden = !on.input.checked;
    sure.input.required = on.input.checked;
  }
}

async function run(ctx, provider, parts, asked, output) {
  const choices = {
    cwd: parts.cwd.input.value.trim(), args: parts.line.args(), envSetIds: parts.env.ids(),
    policySetIds: parts.policy?.ids(), billingMode: parts.billing?.input.value,
    projectSettings: parts.settings?.input?.checked,
    ...parts.fence.value(),
  };
  show(output, h("p", { class: "meta", role: "status" }, provider.gateProof === "none"
    ? "Starting. The first start of a program tries its gate, which takes some seconds…"
    : "Starting…"));
  let started;
  try {
    started = await post("/sessions", {
      provider: provider.id, ...choices, dangerousSeconds: parts.danger?.seconds?.(),
      ...(parts.name.input.value.trim() && { name: parts.name.input.value.trim() }),
    });
  } catch (error) {
    // What the program had said; the words themselves stand above the button.
    show(output, error.body?.output && printed(error));
    output.scrollIntoView({ block: "end" });
    throw error;
  }
  const { grants, rememberGrants, ...lasting } = choices;
  keep(provider.id, { ...lasting, grants });
  asked.close();
  ctx.sessions.refresh();
  location.hash = `#/sessions/${started.session.id}`;
}
