/** The audit log: what was decided and done, whether it is whole, and a copy to keep. */

import { get, withQuery } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { auditEntry } from "../parts/audit_entry.js";
import { callLine, ruleOf } from "../parts/audit_words.js";
import { badge } from "../parts/badge.js";
import { dialog } from "../parts/dialog.js";
import { words } from "../parts/field.js";
import { ago } from "../parts/moment.js";
import { empty, failed, head, loading } from "../parts/page.js";
import { verdict } from "../parts/rule_words.js";
import { rows, table } from "../parts/table.js";
import { toast } from "../parts/toast.js";
import { visible } from "../parts/visible_text.js";
import { exportDialog } from "./audit_export.js";
import { filters } from "./audit_filters.js";
import { verifyDialog } from "./audit_verify.js";

const PAGE = 100;
/** The log tells nobody that it has grown: it is asked, while somebody looks. */
const LOOK_MS = 5000;

/** The view. */
export function audit(ctx) {
  const filter = filters(ctx, () => reload());
  const fresh = h("button", { type: "button", class: "fresh", hidden: true, onclick: reload });
  const place = h("div", {});
  const more = h("button", { type: "button", hidden: true, onclick: older }, "Show older");
  const columns = columnsOf(ctx, open);
  let [newest, next, calls] = [0, null, 0];
  const looking = setInterval(look, LOOK_MS);
  document.addEventListener("visibilitychange", look);
  const stop = ctx.sessions.watch(() => rename(place, ctx));
  reload();
  return {
    node: h("div", { class: "view audit" }, head("Audit",
      h("span", { role: "status" }, fresh),
      h("button", { type: "button", onclick: () => exportDialog(filter.query()) }, "Export"),
      h("button", { type: "button", onclick: verifyDialog }, "Verify")),
    filter.node, place, more),
    title: "Audit",
    destroy() {
      clearInterval(looking);
      document.removeEventListener("visibilitychange", look);
      filter.destroy();
      stop();
    },
  };

  async function page(query) {
    const { entries, hasMore, next: at } =
      await get(withQuery("/audit", { ...filter.query(), ...query, limit: PAGE }));
    const isMore = hasMore ?? entries.length === PAGE;
    return { entries: entries.reverse(), next: isMore ? at ?? entries.at(-1)?.seq : null };
  }

  async function reload() {
    calls += 1;
    const call = calls;
    fresh.hidden = true;
    more.hidden = true;
    if (!place.hasChildNodes()) show(place, loading());
    place.setAttribute("aria-busy", "true");
    try {
      const [found, { seq }] = await Promise.all([page({}), get("/audit/head")]);
      if (call !== calls) return;
      newest = Math.max(found.entries[0]?.seq ?? 0, seq);
      show(place, found.entries.length ? table("The audit log", columns, found.entries)
        : nothing(found.next));
      further(found.next);
    } catch (error) {
      if (call === calls) show(place, failed(error, reload));
    }
    if (call === calls) place.removeAttribute("aria-busy");
  }

  function nothing(deeper) {
    if (deeper !== null) return empty("Nothing among the newest rows.");
    return filter.isSet() ? empty("No row is like that.", h("button", {
      type: "button", onclick: filter.clear,
    }, "Show all rows")) : empty("The log is empty.");
  }

  function further(at) {
    next = at;
    more.hidden = at === null;
    more.textContent = place.querySelector("tbody") ? "Show older" : "Look further back";
  }

  async function older() {
    const call = calls;
    more.disabled = true;
    try {
      const found = await page({ before: next });
      if (call !== calls) return;
      const body = place.querySelector("tbody");
      if (body) body.append(...rows(columns, found.entries));
      else if (found.entries.length) {
        show(place, table("The audit log", columns, found.entries));
      } else show(place, nothing(found.next));
      further(found.next);
    } catch (error) {
      toast(words(error));
    }
    more.disabled = false;
  }

  /** What is new is told, and comes when it is wanted: nothing moves under a reader's eyes. */
  async function look() {
    if (document.visibilityState !== "visible" || !newest || filter.isPast()) return;
    const call = calls;
    const query = { ...filter.query(), since: newest, limit: PAGE };
    const found = await get(withQuery("/audit", query)).catch(() => null);
    if (!found || call !== calls) return;
    const count = found.entries.length;
    fresh.hidden = count === 0;
    const many = count >= PAGE ? `${PAGE}+` : count;
    fresh.textContent = count === 1 ? "1 new row" : `${many} new rows`;
  }

  function open(entry) {
    const opened = dialog(`Row ${entry.seq}`, [auditEntry(entry, ctx.sessions.get()),
      h("a", { href: `#/audit/${entry.seq}`, onclick: () => opened.close() },
        "Open as a page")]);
    opened.node.classList.add("wide");
    // Links in it lead away from the page behind it.
    opened.node.addEventListener("click", (event) => event.target.closest("a") && opened.close());
  }
}

/** What a session is called now, or the begin of its id while that is not known. */
function sessionName(ctx, id) {
  return ctx.sessions.get()?.find((one) => one.id === id)?.name ?? id?.slice(0, 8) ?? "";
}

/** Rows may be here before the sessions are, and a session may be called something else. */
function rename(place, ctx) {
  for (const node of place.querySelectorAll("[data-named]")) {
    const name = sessionName(ctx, node.dataset.named);
    if (name === node.dataset.name) continue;
    node.dataset.name = name;
    show(node, visible(name, false));
  }
}

function columnsOf(ctx, open) {
  const press = (event, entry) => {
    // With a key for a new tab it is a link like any other.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(entry);
  };
  return [
    { name: "Row", class: "number tight", cell: (entry) => h("a", {
      href: `#/audit/${entry.seq}`, onclick: (event) => press(event, entry),
    }, entry.seq) },
    { name: "When", class: "tight", cell: ({ timestamp }) => ago(timestamp) },
    { name: "Session", class: "session-cell", cell: ({ sessionId }) => {
      const name = sessionName(ctx, sessionId);
      return sessionId && h("span", { "data-named": sessionId, "data-name": name },
        visible(name, false));
    } },
    { name: "What", class: "call-cell", cell: (entry) => [
      h("a", {
        class: entry.toolName ? "call-line" : "what-line", href: `#/audit/${entry.seq}`,
        tabindex: "-1", onclick: (event) => press(event, entry),
      }, visible(callLine(entry) || entry.reason, false)),
      entry.toolName && h("span", { class: "reason-line" }, visible(entry.reason, false))] },
    { name: "Decision", class: "tight", cell: ({ decision, kind }) => (decision
      ? [verdict(decision), kind !== "decision" && h("span", { class: "meta" }, ` ${kind}`)]
      : badge(kind, kind === "alarm" ? "bad" : "over")) },
    { name: "By", class: "by-cell", cell: (entry) => visible(ruleOf(entry), false) },
  ];
}
