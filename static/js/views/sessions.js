/** All sessions in one dense list: those that wait for a person first, the ended ones last. */

import { post } from "../lib/api.js";
import { h, list, say, show } from "../lib/dom.js";
import { oncePerFrame } from "../lib/paint.js";
import { shortcuts } from "../lib/shortcuts.js";
import { dialog } from "../parts/dialog.js";
import { words } from "../parts/field.js";
import { empty, head, loading } from "../parts/page.js";
import { isLive, nameOf } from "../parts/state.js";
import { toast } from "../parts/toast.js";
import { visible } from "../parts/visible_text.js";
import { filters } from "./sessions/filters.js";
import { arrange } from "./sessions/order.js";
import { row } from "./sessions/row.js";

const AGE_MS = 10_000;

/** The view. */
export function sessions(ctx) {
  const bar = filters(draw);
  const rows = h("ul", { class: "session-rows" });
  const place = h("div", {});
  const follow = list(rows, ({ id }) => id, (item) => (item.heading ? heading() : row(ctx)));
  const freezing = ["freeze", "thaw"].map((what) => freezeButton(ctx, what));
  const start = h("button", { class: "primary", title: "n", onclick: open }, "Start session");
  const soon = oncePerFrame(draw);
  const stops = [
    ctx.sessions.watch(soon), ctx.approvals.watch(soon),
    shortcuts([
      { keys: ["j", "ArrowDown"], label: "The session below", act: () => move(1) },
      { keys: ["k", "ArrowUp"], label: "The session above", act: () => move(-1) },
      { keys: ["/"], label: "Search", act: () => bar.search.focus() },
      { keys: ["n"], label: "Start a session", act: open },
    ]),
  ];
  const ticking = setInterval(soon, AGE_MS);
  draw();
  return {
    node: h("div", { class: "view sessions dense" },
      head("Sessions", freezing.map((one) => one.node), start), bar.node, place, rows),
    title: "Sessions",
    destroy() {
      stops.forEach((stop) => stop());
      clearInterval(ticking);
    },
  };

  function draw() {
    const all = ctx.sessions.get();
    const items = arrange(all ?? [], bar.wanted(all ?? []), ctx.approvals.get() ?? []);
    follow(items);
    freezing.forEach((one) => one.update(all ?? []));
    rows.hidden = items.length === 0;
    // What stands there stays until there is another thing to say.
    const why = items.length > 0 ? "" : all === null ? "loading" : all.length ? "none" : "empty";
    if (place.dataset.why === why) return;
    place.dataset.why = why;
    show(place, { loading, none: () => nothingFound(bar), empty: howToStart }[why]?.() ?? []);
  }

  async function open() {
    const file = await import("./start.js").catch((error) => toast(words(error)));
    file?.start(ctx);
  }

  function move(by) {
    const links = [...rows.querySelectorAll(".session-name")];
    const at = links.findIndex((link) => link.closest("li").contains(document.activeElement));
    const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by;
    links[Math.min(Math.max(next, 0), links.length - 1)]?.focus();
  }
}

function heading() {
  const [words, number] = [h("span", {}), h("span", { class: "meta" })];
  const node = h("li", { class: "session-group" }, h("h2", {}, words, " ", number));
  return {
    node,
    update({ heading: text, count }) {
      say(words, text);
      say(number, String(count));
    },
  };
}

function nothingFound(bar) {
  return empty("No session is like that.",
    h("button", { type: "button", onclick: bar.clear }, "Show all sessions"));
}

function howToStart() {
  return empty("No sessions yet.",
    h("p", {}, "Start one here, or in a terminal on this machine:"),
    h("pre", { tabindex: "0" }, "codepiper start -p claude-code -d ~/project -n first"));
}

/** One button for all sessions; it is not there while it would do nothing. */
function freezeButton(ctx, what) {
  const isWanted = (session) => isLive(session) && session.frozen === (what === "thaw");
  const node = h("button", {
    class: what === "freeze" && "danger", hidden: true, onclick: act,
    title: what === "freeze" ? "Stops every process of every session where it stands, at once"
      : "Lets every frozen session go on",
  }, what === "freeze" ? "Freeze all" : "Thaw all");
  return { node, update: (all) => { node.hidden = !all.some(isWanted); } };

  async function act() {
    node.disabled = true;
    try {
      const { sessions: each } = await post(`/sessions/${what}`);
      const failed = each.filter((one) => one.error);
      const good = each.length - failed.length;
      if (failed.length) dialog("Not all of them", failures(failed));
      else toast(`${good} ${good === 1 ? "session" : "sessions"} ${SAID[what]}`);
    } catch (error) {
      toast(words(error));
    }
    node.disabled = false;
    ctx.sessions.refresh();
  }
}

const SAID = { freeze: "frozen: nothing in them runs.", thaw: "go on." };

function failures(failed) {
  return h("ul", {}, failed.map(({ session, error }) =>
    h("li", {}, h("a", { href: `#/sessions/${session.id}` }, visible(nameOf(session), false)),
      `: ${error}`)));
}
