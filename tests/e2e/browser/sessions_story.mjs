// The list of sessions, a session and its terminal, with a mouse, a keyboard and a finger; and a
// daemon that is killed while all that is open.

import assert from "node:assert/strict";
import { launch } from "./chromium.mjs";
import { enter } from "./enter.mjs";
import { aPhoneTypesAndScrolls } from "./phone.mjs";
import { aKilledDaemonComesBack } from "./restart.mjs";
import * as sessions from "./sessions.mjs";
import * as terminal from "./terminal.mjs";

const { URL: url, BOOTSTRAP: bootstrap, SHELL_ID: shell, AGENT_ID: claude } = process.env;

const browser = await launch(url);
const { storageState } = await enter(url, bootstrap);
const open = (options = {}) => browser.open({ storageState, ...options });
const here = { open, url, shell, claude, forgive };

/** What a browser says of a daemon that is away is no fault of the page's. */
function forgive(pattern) {
  const left = browser.complaints.filter((text) => !pattern.test(text));
  browser.complaints.splice(0, Infinity, ...left);
}

const told = [
  sessions.theListGoesByKeyboard, sessions.changesComeQuietly,
  sessions.aSessionIsStartedAndRemoved, sessions.aSessionTellsWhatItDid,
  terminal.nothingIsLost, terminal.olderOutputIsFound, terminal.whatIsReadStays,
  terminal.aWatcherResizesNothing, terminal.aFloodHoldsNothingUp,
  aPhoneTypesAndScrolls, aKilledDaemonComesBack,
];
for (const one of told) {
  const start = performance.now();
  await one(here);
  console.log(`${one.name}: ${Math.round(performance.now() - start)} ms`);
}
await browser.close();
assert.deepEqual(browser.complaints, []);
process.exit();
