// The inbox, policies, audit log and env sets, as one person goes through them.

import assert from "node:assert/strict";
import { audit } from "./audit.mjs";
import { launch } from "./chromium.mjs";
import { enter } from "./enter.mjs";
import { envSets } from "./env_sets.mjs";
import * as inbox from "./inbox.mjs";
import { notices } from "./notices.mjs";
import { order } from "./order.mjs";
import { policy } from "./policies.mjs";

const { URL: url, BOOTSTRAP: bootstrap, HIDDEN: hidden } = process.env;

const browser = await launch(url);
const { storageState } = await enter(url, bootstrap);
const page = await browser.open({ storageState, acceptDownloads: true });
const here = { page, url };

await notices({ ...here, title: "Permission required" });
await inbox.shownAsTheyAre({ ...here, hidden });
await inbox.nothingBySlip({ ...here, text: "touch slip" });
await inbox.byKeyboard({ ...here, text: "touch slip" });
await inbox.denyWithReason({ ...here, text: "touch denied", reason: "not on a Friday" });
await inbox.approveForAWhile({ ...here, text: "touch approved" });
await inbox.toldFromElsewhere({
  ...here, text: "touch elsewhere", elsewhere: () => order("deny", { command: "touch elsewhere" }),
  words: "Denied on the command line.",
});
await policy(here);
await audit({ ...here, text: "touch denied" });
await envSets(here);
await browser.close();
assert.deepEqual(browser.complaints, []);
process.exit();
