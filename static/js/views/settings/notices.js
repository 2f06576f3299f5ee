/** What a person is told of, and where: in the page, by the system, and through channels. */

import { get, post, put, remove } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { span } from "../../lib/format.js";
import { badge } from "../../parts/badge.js";
import { confirm } from "../../parts/dialog.js";
import { words } from "../../parts/field.js";
import { fill } from "../../parts/page.js";
import { number, yesNo } from "../../parts/setting.js";
import { toast } from "../../parts/toast.js";
import { channelDialog } from "./channel.js";
import { group } from "./general.js";
import { quietHours } from "./quiet_hours.js";

/** The kinds of notices in the order in which they matter. */
export const KINDS = [
  ["session.permission_required", "An agent needs permission"],
  ["session.input_required", "An agent needs an answer"],
  ["session.turn_completed", "An agent has finished its turn"],
  ["session.crashed", "A session crashed"],
  ["session.ended", "A session ended"],
  ["session.ungated_call", "A tool call ran without being asked about"],
  ["session.sandbox_partial", "A sandbox holds only in part"],
];

/** The panel. */
export function notices() {
  const place = h("div", {});
  const again = fill(place, async () => [
    (await get("/settings/daemon")).settings, (await get("/notifications/channels")).channels,
  ], ([settings, channels]) => [switches(settings), outside(channels, () => again())]);
  return place;
}

function switches(known) {
  const row = (key, label, hint) => ({ key, label, hint, value: known[key] });
  const kinds = { ...known.notificationEventDefaults };
  return [
    group("Notices",
      yesNo(row("notificationsEnabled", "Tell me", "Off: nothing is stored and nobody is told.")),
      yesNo({
        ...row("systemNotificationsEnabled", "System notices",
          "While this page is open but not looked at. The browser asks you first."),
        save: system,
      }),
      number(row("notificationDwellSeconds", "Wait before telling",
        "What is answered sooner is not told at all."), { unit: "seconds", least: 0, most: 300 }),
      quietHours(known.notificationQuietHours)),
    group("Of what", KINDS.map(([kind, label]) => yesNo({
      label, value: kinds[kind] ?? true,
      save: async (on) => {
        await put("/settings/daemon", { notificationEventDefaults: { ...kinds, [kind]: on } });
        kinds[kind] = on;
      },
    }))),
  ];
}

async function system(on) {
  if (on && await permission() !== "granted") {
    throw new Error("the browser does not allow notices for this page; allow them in its settings");
  }
  await put("/settings/daemon", { systemNotificationsEnabled: on });
}

async function permission() {
  return "Notification" in window ? Notification.requestPermission() : "denied";
}

function outside(channels, again) {
  return h("section", { class: "group" }, h("h2", {}, "When this page is closed"),
    h("p", { class: "meta" }, "A webhook, or a program of yours on the server. One that waits ",
      "some minutes is told only of what nobody has answered until then."),
    channels.length
      ? h("ul", { class: "rows" }, channels.map((channel) => row(channel, again)))
      : h("p", { class: "meta" }, "None yet: you are told in this page only."),
    h("div", { class: "actions" },
      h("button", { type: "button", onclick: () => channelDialog(null, again) }, "Add a webhook")),
    h("p", { class: "meta" }, "A program is added in a terminal: ",
      h("code", {}, "codepiper notify command NAME -- PROGRAM"), "."));
}

function row(channel, again) {
  const { id, name, kind, body, target, afterMinutes, enabled, last } = channel;
  const path = `/notifications/channels/${encodeURIComponent(id)}`;
  const tried = h("span", {}, last
    ? ` · ${last.state === "sent" ? "reached" : last.state} ${span(last.at)} ago` : "");
  const button = (label, act, extra = {}) => h("button", {
    type: "button", onclick: act, "aria-label": `${label} ${name}`, ...extra,
  }, label);
  return h("li", { class: "row-plain" },
    h("div", {}, h("p", { class: "row-head" }, h("strong", {}, name),
      badge(kind === "command" ? "program" : body, "over"), !enabled && badge("off", "over"),
      last?.state === "failed" && badge("did not arrive", "bad", last.detail)),
    h("p", { class: "meta" }, target,
      afterMinutes ? ` · after ${afterMinutes} min without an answer` : "", tried),
    last?.state === "failed" && last.detail && h("p", { class: "problem" }, last.detail)),
    h("div", { class: "actions" }, button("Test", test),
      button(enabled ? "Switch off" : "Switch on", flip),
      kind === "webhook" && button("Change", () => channelDialog(channel, again)),
      button("Remove", drop, { class: "danger" })));

  async function test(event) {
    const { target: pressed } = event;
    pressed.disabled = true;
    try {
      const { delivery } = await post(`${path}/test`);
      toast(delivery.state === "sent" ? `${name} was reached.`
        : `${name} was not reached: ${delivery.detail ?? delivery.state}`);
    } catch (error) {
      toast(words(error));
    }
    again();
  }

  async function flip() {
    await put(path, { enabled: !enabled }).catch((error) => toast(words(error)));
    again();
  }

  function drop() {
    confirm({
      title: `Remove ${name}?`, text: "Its address and token are forgotten.", action: "Remove",
      act: async () => {
        await remove(path);
        again();
      },
    });
  }
}
