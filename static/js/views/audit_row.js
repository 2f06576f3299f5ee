/** One row of the audit log, at an address of its own. */

import { get } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { auditEntry } from "../parts/audit_entry.js";
import { fill, head } from "../parts/page.js";

/** The view of row `seq`. */
export function auditRow(ctx, seq) {
  const place = h("div", { class: "stack" });
  const load = async () => (await get(`/audit/${encodeURIComponent(seq)}`)).entry;
  fill(place, load, (entry) => {
    const beside = (number, text) =>
      h("a", { href: `#/audit/${number}`, class: "button" }, text);
    return [
      head(`Row ${entry.seq}`, entry.seq > 1 && beside(entry.seq - 1, "← Before"),
        beside(entry.seq + 1, "After →")),
      auditEntry(entry, ctx.sessions.get()),
    ];
  });
  return {
    node: h("div", { class: "view" }, h("a", { href: "#/audit", class: "back-link" },
      "← The audit log"), place),
    title: `Row ${seq}`,
  };
}
