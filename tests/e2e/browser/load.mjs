// What a first visit costs: the bytes that come over the network until the list of sessions and
// until a terminal stand there, compressed as they are sent.

import assert from "node:assert/strict";
import { launch } from "./chromium.mjs";
import { enter } from "./enter.mjs";

const { URL: url, BOOTSTRAP: bootstrap, SHELL_ID: shell } = process.env;
const MOST_BYTES = 200_000;

const browser = await launch(url);
const { storageState } = await enter(url, bootstrap);
await visit("the login page", "/login", "h1", undefined);
await visit("the list of sessions", "/#/sessions", ".session-row", storageState);
await visit("a terminal", `/#/sessions/${shell}`, ".xterm-rows", storageState);
await browser.close();
assert.deepEqual(browser.complaints, []);

async function visit(name, address, there, state) {
  const page = await browser.open({ storageState: state });
  const wire = await page.context().newCDPSession(page);
  await wire.send("Network.enable");
  let bytes = 0;
  let files = 0;
  wire.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    files += 1;
  });
  await page.goto(url + address);
  await page.locator(there).first().waitFor();
  await page.waitForLoadState("networkidle");
  console.log(`${name}: ${bytes} bytes in ${files} files`);
  assert.ok(files > 5 && bytes < MOST_BYTES, `${name} takes ${bytes} bytes`);
  await page.context().close();
}
