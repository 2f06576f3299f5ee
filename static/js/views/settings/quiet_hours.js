/** The hours in which no channel is told, in the daemon's local time. */

import { put } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { field, form, toggle } from "../../parts/field.js";
import { toast } from "../../parts/toast.js";

const NIGHT = { from: "22:00", to: "07:00" };

/** The form; `known` is `{ from, to }` or null. */
export function quietHours(known) {
  const on = toggle("Quiet hours", { checked: Boolean(known), onchange: draw },
    "Channels wait until their end, in the server's local time.");
  const [from, to] = [["From", "from"], ["To", "to"]].map(([label, name]) =>
    field(label, { type: "time", value: known?.[name] ?? NIGHT[name] }));
  const times = form("Save the hours", save, h("div", { class: "pair" }, from.node, to.node));
  times.hidden = !known;
  return h("div", { class: "setting stacked" }, on.node, times);

  async function draw() {
    times.hidden = !on.input.checked;
    if (on.input.checked) return from.input.focus();
    await put("/settings/daemon", { notificationQuietHours: null })
      .catch((error) => toast(error.message));
  }

  async function save() {
    await put("/settings/daemon", {
      notificationQuietHours: { from: from.input.value, to: to.input.value },
    });
    toast("Quiet hours are saved.");
  }
}
