// A question of a session that is on the screen, of one whose page is closed, and of one while the
// person looks at something else.

import assert from "node:assert/strict";
import { launch } from "./chromium.mjs";
import { enter } from "./enter.mjs";
import { order } from "./order.mjs";

const { URL: url, BOOTSTRAP: bootstrap, AGENT_ID: agent } = process.env;
/** Has the agent ask; what came of that, as the other side saw it. */
const ask = (command) => order("ask", { command });

const browser = await launch(url);
const { storageState } = await enter(url, bootstrap);

const first = await browser.open({ storageState });
await first.goto(`${url}/#/sessions/${agent}`);
await first.locator(".xterm-rows").waitFor();
const seen = await ask("touch seen");
assert.equal(seen.notice.readSource, "on screen");
assert.deepEqual(seen.notice.deliveries, [], "nobody is told of what is on the screen");
await first.context().close();

const unseen = await ask("touch unseen");
assert.equal(unseen.program.eventType, "session.permission_required");
assert.equal(unseen.webhook.topic, "topic");
assert.match(unseen.webhook.message, /agent is waiting for permission/);
assert.match(unseen.escalation.text, /Permission required/);
assert.doesNotMatch(JSON.stringify(unseen), /touch unseen/, "the call stays here");

const again = await browser.open({ storageState });
await again.goto(`${url}/#/inbox/notices`);
const row = again.locator(".notice-row", { hasText: "agent is waiting" }).first();
for (const channel of ["desk", "phone", "team"]) {
  await row.getByText(channel).first().waitFor();
}
await again.getByRole("tab", { name: /Questions/ }).click();
const card = again.getByRole("article").filter({ hasText: "touch unseen" });
await card.getByRole("button", { name: "Approve once" }).click();
await card.waitFor({ state: "detached" });
await again.goto(`${url}/#/policies`);
await again.getByRole("heading", { name: "Policies" }).waitFor();
await ask("touch elsewhere");
const toast = again.getByRole("status").filter({ hasText: "agent is waiting for permission" });
await toast.getByRole("link", { name: "Show" }).click();
await again.getByRole("article").filter({ hasText: "touch elsewhere" }).waitFor();
await browser.close();
assert.deepEqual(browser.complaints, []);
process.exit();
