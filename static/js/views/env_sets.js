/** Env sets: named lists of variables for sessions. Names only; no value ever comes back. */

import { get, remove } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { many } from "../lib/format.js";
import { confirm } from "../parts/dialog.js";
import { ago } from "../parts/moment.js";
import { empty, fill, head } from "../parts/page.js";
import { isLive, nameOf } from "../parts/state.js";
import { toast } from "../parts/toast.js";
import { visible } from "../parts/visible_text.js";
import { changeSet, makeSet } from "./env_set_form.js";

/** The view. */
export function envSets(ctx) {
  const place = h("div", {});
  const load = async () => (await get("/env-sets")).envSets;
  const again = fill(place, load, (all) => (all.length
    ? h("div", { class: "cards" }, all.map((set) => card(set, users(ctx, set), again)))
    : empty("No env sets yet.", h("p", {}, "A set holds variables, such as keys of a service. "
      + "Sessions that are started with it get them; the dashboard never shows their values."))));
  return {
    node: h("div", { class: "view" }, head("Env sets", h("button", {
      type: "button", class: "primary", onclick: () => makeSet(again),
    }, "New env set")), place),
    title: "Env sets",
  };
}

/** The sessions that start with a set, the running ones first. */
function users(ctx, { id }) {
  const all = (ctx.sessions.get() ?? []).filter((session) =>
    session.metadata?.launch?.envSetIds?.includes(id));
  return [...all.filter(isLive), ...all.filter((session) => !isLive(session))];
}

function card(set, sessions, again) {
  const names = Object.keys(set.maskedVars);
  const id = `env-set-${set.id}`;
  return h("article", { class: "card env-set", "aria-labelledby": id },
    h("header", { class: "card-head spread" },
      h("div", {}, h("h2", { id }, visible(set.name, false)),
        set.description && h("p", {}, visible(set.description, false)),
        h("p", { class: "meta" }, many(set.varCount, "variable"), " · changed ",
          ago(set.updatedAt))),
      h("div", { class: "actions" },
        h("button", { type: "button", class: "small", "aria-label": `Change ${set.name}`,
          onclick: () => changeSet(set, again) }, "Change"),
        h("button", { type: "button", class: "small danger", "aria-label": `Delete ${set.name}`,
          onclick: () => drop(set, sessions, again) }, "Delete"))),
    names.length ? h("ul", { class: "vars" }, names.map((name) => h("li", {},
      h("code", {}, visible(name, false)),
      h("span", { class: "masked-value", "aria-label": "its value is hidden" },
        set.maskedVars[name])))) : h("p", { class: "meta" }, "It holds no variable."),
    h("p", { class: "meta" }, sessions.length
      ? ["Started with it: ", sessions.map((session, at) => [at > 0 && ", ", h("a", {
        href: `#/sessions/${encodeURIComponent(session.id)}`,
      }, visible(nameOf(session), false)), !isLive(session) && " (ended)"])]
      : "No session was started with it."));
}

function drop(set, sessions, again) {
  confirm({
    title: `Delete the env set ${set.name}?`,
    text: [
      "Its values are gone for good.",
      sessions.length ? `${many(sessions.length, "session")} started with it: what runs keeps `
        + "what it has, and does not start again with this set." : "No session names it.",
    ],
    action: "Delete env set",
    word: set.name,
    act: async () => {
      await remove(`/env-sets/${encodeURIComponent(set.id)}`);
      toast(`Deleted ${set.name}.`);
      again();
    },
  });
}
