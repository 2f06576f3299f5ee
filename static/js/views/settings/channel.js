/** A webhook: its address, what is sent, when. Address and token are sealed and not shown again. */

import { post, put } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { dialog } from "../../parts/dialog.js";
import { field, form, select, toggle } from "../../parts/field.js";

const BODIES = [["ntfy", "ntfy"], ["slack", "Slack"], ["plain", "plain JSON"]];

/** The dialog for a new webhook, or for changing `channel`; `done()` when it is stored. */
export function channelDialog(channel, done) {
  const kept = channel ? "Empty: it stays as it is." : "";
  const name = field("Name", { value: channel?.name ?? "", autocomplete: "off", maxlength: 60 });
  const body = select("What it understands", BODIES, { value: channel?.body });
  const url = field("Address", {
    type: "url", autocomplete: "off", required: !channel,
  }, kept || "Begins with https; for ntfy it ends in the topic. It is sealed like a secret.");
  const token = field("Access token", { type: "password", autocomplete: "off", required: false },
    channel?.hasToken ? kept : "Only where the server wants one.");
  const after = field("Minutes without an answer", {
    type: "number", min: 0, max: 1440, value: channel?.afterMinutes ?? 0, inputmode: "numeric",
  }, "0 tells at once; more makes it the step after the others.");
  const call = toggle("Send the call too", { checked: channel?.withCall ?? false },
    "What the agent wants to run, without what looks like a secret, leaves this machine.");
  const near = toggle("Allow private addresses", { checked: channel?.allowPrivate ?? false },
    "For a server of yours in this network; HTTP without TLS is allowed there.");
  const asked = dialog(channel ? `Change ${channel.name}` : "Add a webhook",
    form(channel ? "Save" : "Add it", save, name.node, body.node, url.node, token.node,
      after.node, h("div", {}, call.node, near.node)));

  async function save() {
    const fields = {
      name: name.input.value.trim(), body: body.input.value,
      afterMinutes: Number(after.input.value), withCall: call.input.checked,
      allowPrivate: near.input.checked,
      ...(url.input.value && { url: url.input.value.trim() }),
      ...(token.input.value && { token: token.input.value.trim() }),
    };
    if (channel) await put(`/notifications/channels/${encodeURIComponent(channel.id)}`, fields);
    else await post("/notifications/channels", { kind: "webhook", ...fields });
    asked.close();
    done();
  }
}
