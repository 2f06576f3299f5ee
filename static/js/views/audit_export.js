/** A copy of the audit log's rows as a file. */

import { withQuery } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { TooLargeError, file } from "../lib/file.js";
import { save } from "../lib/save.js";
import { dialog } from "../parts/dialog.js";
import { form, select } from "../parts/field.js";
import { toast } from "../parts/toast.js";

/** A page holds the file in memory until it is whole. */
const MOST_BYTES = 256 << 20;

/** Asks for the format; `query` are the filters that hold. */
export function exportDialog(query) {
  const format = select("Format", [["jsonl", "JSON lines"], ["csv", "CSV, for a spreadsheet"]]);
  const some = Object.values(query).some(Boolean);
  const progress = h("p", { class: "meta", role: "status" });
  const opened = dialog("Export the audit log", form("Export", keep,
    h("p", {}, `${some ? "Rows that fit the filters" : "All rows"}, the oldest first.`),
    format.node, progress));

  async function keep() {
    const name = `codepiper-audit.${format.input.value}`;
    try {
      const path = withQuery("/audit/export", { ...query, format: format.input.value });
      const blob = await file(path, MOST_BYTES, (bytes) => {
        progress.textContent = `${(bytes / (1 << 20)).toFixed(1)} MB`;
      });
      save(blob, name);
      toast(`Saved ${name}.`);
      opened.close();
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      throw new Error("it is more than 256 MB, which a page cannot hold; use "
        + `codepiper audit export --format ${format.input.value} > ${name}`);
    }
  }
}
