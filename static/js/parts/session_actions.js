/** What can be done to a session from its row and from its own view. */

import { copy } from "../lib/clipboard.js";
import { get, post, put, remove } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { confirm, dialog } from "./dialog.js";
import { field, form, select, words } from "./field.js";
import { fill } from "./page.js";
import { isLive, nameOf } from "./state.js";
import { toast } from "./toast.js";

const NAME_CHARS = 80;

/** Rows for a menu; `ctx` is the dashboard's, and `gone()` is called after a removal. */
export function actionsOf(ctx, session, gone) {
  const path = `/sessions/${session.id}`;
  const refresh = () => ctx.sessions.refresh();
  const now = (part, said) => () => done(post(`${path}/${part}`), said, refresh);
  const renaming = { label: "Rename…", act: () => rename(session, refresh) };
  const copying = { label: "Copy id", act: () => copied(session.id) };
  if (!isLive(session)) {
    return [
      { label: "Resume", act: () => resume(session, refresh) }, renaming, copying, null,
      { label: "Remove…", danger: true, act: () => removing(session, refresh, gone) },
    ];
  }
  const lifted = Boolean(session.dangerousUntil);
  return [
    renaming, copying, { label: "Notices…", act: () => notices(session) }, null,
    session.frozen
      ? { label: "Thaw", act: now("thaw", "It goes on.") }
      : { label: "Freeze", act: now("freeze", "Frozen: its processes stand still.") },
    session.provider !== "command" && (lifted
      ? { label: "End dangerous mode", act: () => done(remove(`${path}/dangerous`),
        "Policy decides again.", refresh) }
      : { label: "Dangerous mode…", danger: true, act: () => lift(session, refresh) }),
    null,
    { label: "Stop…", danger: true, act: () => stop(session, refresh) },
    { label: "Kill…", danger: true, act: () => kill(session, refresh) },
  ].filter((row) => row !== false);
}

/** Waits for a call, and says how it went. */
export async function done(call, said, refresh) {
  try {
    await call;
    if (said) toast(said);
  } catch (error) {
    toast(words(error));
  }
  refresh?.();
}

/** Copies a text and says so. */
export async function copied(text) {
  toast(await copy(text) ? "Copied." : "This browser does not let the page copy.");
}

/** Asks for another name. */
export function rename(session, refresh) {
  const name = field("Name", {
    value: session.name ?? "", maxlength: NAME_CHARS, required: false, autocomplete: "off",
  }, "Without one it is called by its id.");
  const asked = dialog(`Rename ${nameOf(session)}`, form("Rename", async () => {
    await put(`/sessions/${session.id}/name`, { name: name.input.value.trim() || null });
    asked.close();
    refresh();
  }, name.node));
  name.input.select();
}

const NOTICES = [["", "As set for all sessions"], ["true", "Always"], ["false", "Never"]];

/** Asks whether this session may notify. */
function notices(session) {
  const path = `/sessions/${session.id}/notifications/prefs`;
  const place = h("div", {});
  const asked = dialog(`Notices of ${nameOf(session)}`, place);
  fill(place, () => get(path), ({ prefs }) => {
    const kept = prefs.enabled ?? "";
    const choice = select("Tell me when it needs me", NOTICES, { value: String(kept) });
    return form("Save", async () => {
      const word = choice.input.value;
      await put(path, { enabled: word === "" ? null : word === "true" });
      asked.close();
    }, choice.node);
  });
}

/** Ends it nicely, after a question. */
export function stop(session, refresh) {
  confirm({
    title: `Stop ${nameOf(session)}?`,
    text: ["The program is asked to end, and is ended where it does not.",
      session.provider === "command" ? "Its output stays readable here."
        : "Its output stays, and the conversation can be resumed."],
    action: "Stop the session",
    act: () => post(`/sessions/${session.id}/stop`).finally(refresh),
  });
}

function kill(session, refresh) {
  confirm({
    title: `Kill ${nameOf(session)}?`,
    text: "The program and all it has started end at once. What they have not written down "
      + "themselves is lost; the output up to now stays.",
    action: "Kill the session",
    act: () => post(`/sessions/${session.id}/kill`).finally(refresh),
  });
}

function removing(session, refresh, gone) {
  confirm({
    title: `Remove ${nameOf(session)}?`,
    text: "Its output and its events are deleted for good. What the gate decided in it stays in "
      + "the audit log.",
    action: "Remove the session",
    act: async () => {
      await remove(`/sessions/${session.id}`);
      gone?.();
      refresh();
    },
  });
}

/** Starts an ended one again; a program that ends at once is shown with what it said. */
export async function resume(session, refresh) {
  toast(`Starting ${nameOf(session)} again…`);
  try {
    await post(`/sessions/${session.id}/resume`);
  } catch (error) {
    dialog("It did not start", failure(error));
  }
  refresh();
}

/** Why a start failed, and what the program had printed. */
function failure(error) {
  return h("div", { class: "form" }, h("p", { class: "problem", role: "alert" }, words(error)),
    error.body?.output && printed(error));
}

/** What a program had printed that did not start. */
export function printed(error) {
  return [h("p", { class: "meta" }, "The program said:"),
    h("pre", { tabindex: "0" }, error.body.output)];
}

/** What asks about dangerous mode is fetched when it is wanted. */
async function lift(session, refresh) {
  const { danger } = await import("./danger.js");
  danger(session, refresh);
}
