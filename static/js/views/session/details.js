/** All facts about a session. */

import { h, show } from "../../lib/dom.js";
import { bytes } from "../../lib/format.js";
import { join } from "../../lib/shell.js";
import { whole } from "../../parts/moment.js";
import { copied } from "../../parts/session_actions.js";
import { isLive } from "../../parts/state.js";
import { download } from "./download.js";

/** `{ node, update(session) }`. */
export function details(ctx, first) {
  const [node, commands] = [h("dl", { class: "facts" }), h("div", { class: "stack" })];
  let drawn = "";
  return {
    node: h("div", { class: "view details-tab" }, node,
      h("p", {}, h("button", { type: "button", onclick: () => download(first) },
        "Download the whole log")), commands),
    update(session) {
      const rows = facts(session).filter(([, value]) => value !== null && value !== "");
      // What says the same stays, with what is selected in it.
      const now = JSON.stringify(rows);
      if (now === drawn) return;
      drawn = now;
      show(node, rows.map(fact));
      show(commands, inTerminal(session));
    },
  };
}

function fact([name, value, copies]) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, h("span", {}, value),
    copies && h("button", { type: "button", class: "text", "aria-label": `Copy ${name}`,
      onclick: () => copied(value) }, "Copy")));
}

function facts(session) {
  const { launch, providerSession } = session.metadata;
  const cage = session.sandbox;
  return [
    ["Id", session.id, true],
    ["Agent's conversation", providerSession.id, true],
    ["Directory", session.cwd, true],
    ["Program", session.program, true],
    ["Arguments", session.args.length ? join(session.args) : "none", session.args.length > 0],
    ["Process", session.pid && isLive(session) ? String(session.pid) : null],
    ["Started", whole(session.createdAt)],
    ["Ended", session.endedAt ? whole(session.endedAt) : null],
    ["Exit", exitOf(session)],
    ["Why it ended", isLive(session) ? null : session.reason ?? null],
    ["Runs", session.epoch > 1 ? `${session.epoch}, the earlier ones were resumed` : null],
    ["Sandbox", sandbox(cage)],
    ["Granted to it", cage.grants.length ? cage.grants.join(", ") : "nothing"],
    ["Gate", gate(session)],
    ["Billing", session.provider === "command" ? null : launch.billingMode],
    ["Project settings", session.provider === "command" ? null
      : launch.projectSettings ? "the repository's own settings and hooks are read" : "not read"],
    ["Variables", launch.envNames.length ? launch.envNames.join(", ") : "none beside the usual"],
    ["Turns", session.provider === "command" ? null : String(session.turns)],
    ["Terminal", `${session.ptyCols} × ${session.ptyRows}`],
    ["Output", bytes(session.logBytes) + (session.logDegraded ? ", with gaps: disk full" : "")],
    ["Transcript", session.transcriptPath ?? null, true],
  ];
}

function exitOf({ exitCode, exitSignal }) {
  if (exitSignal !== undefined) return `signal ${exitSignal}`;
  return exitCode === undefined ? null : `code ${exitCode}`;
}

function sandbox({ requested, verified, partial }) {
  const lacks = partial.length ? `, without ${partial.join(", ")}` : "";
  return `${verified ?? "none"}${lacks} (asked for: ${requested}); checked from inside`;
}

function gate({ provider, guarded, gateProof }) {
  if (provider === "command") return null;
  const proof = {
    proven: "proven on this version", unclear: "its proof is unclear", none: "not proven",
    disproved: "it does not hold on this version",
  }[gateProof] ?? gateProof;
  return `${guarded ? "every call is decided by policy" : "its hooks have not reported"}; ${proof}`;
}

function inTerminal(session) {
  const short = session.id.slice(0, 8);
  const lines = [
    isLive(session) && ["In a terminal of your own", `codepiper attach ${short}`],
    !isLive(session) && ["Go on with it", `codepiper resume ${short}`],
    session.metadata.providerSession.id
      && ["Another session with a copy of its conversation", `codepiper fork ${short}`],
  ].filter(Boolean);
  return [h("h2", {}, "By command line"), lines.map(([label, command]) => h("div", {},
    h("p", { class: "meta" }, label), h("div", { class: "copy-line" },
      h("pre", { tabindex: "0" }, command),
      h("button", { type: "button", onclick: () => copied(command) }, "Copy"))))];
}
