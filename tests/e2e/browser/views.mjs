// Every view, wide and narrow, light and dark: nothing sticks out, nothing is markup that a program
// has said, and who reads by ear or keyboard finds the way (axe-core: nothing serious).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch, shot } from "./chromium.mjs";
import { enter } from "./enter.mjs";

const { URL: url, BOOTSTRAP: bootstrap, SHELL_ID: shell, AGENT_ID: agent } = process.env;
const AXE = readFileSync(createRequire(`${process.env.PLAYWRIGHT}/`).resolve("axe-core"), "utf8");
const SIZES = [[1440, 900], [360, 740]];

/** Address, name of the picture, and what is there once the view is. */
const VIEWS = [
  ["/#/sessions", "sessions", ".session-row"],
  [`/#/sessions/${shell}`, "terminal", ".xterm-rows"],
  [`/#/sessions/${agent}`, "terminal-asks", ".approval"],
  ["/#/inbox", "inbox", ".approval"],
  ["/#/inbox/notices", "notices", ".notices-panel"],
  ["/#/policies", "policies", ".table"],
  ["/#/policies/sets", "policy-sets", ".table"],
  ["/#/policies/try", "try-a-call", "form"],
  ["/#/audit", "audit", ".table"],
  ["/#/audit/2", "audit-row", "h1"],
  ["/#/env-sets", "env-sets", ".view"],
  ["/#/settings/general", "settings", ".setting"],
  ["/#/settings/notifications", "notifications", ".setting"],
  ["/#/settings/signing-in", "signing-in", ".row-plain"],
  ["/#/settings/health", "health", ".check-row"],
];

const browser = await launch(url);
const { storageState } = await enter(url, bootstrap);
const found = [];
for (const [address, name, there] of VIEWS) await look(address, name, there);
await browser.close();
assert.deepEqual([...found, ...browser.complaints], []);
console.log("every view");

async function look(address, name, there) {
  for (const [width, height] of SIZES) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await browser.open({
        viewport: { width, height }, colorScheme, hasTouch: width < 500, storageState,
      });
      const here = `${name} ${width} ${colorScheme}`;
      await page.goto(url + address);
      await page.locator(there).first().waitFor();
      await page.locator("[aria-busy]").first().waitFor({ state: "detached" });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) found.push(`${here} is ${wide} wide`);
      const markup = await page.locator("img:not([src='/icon.svg'])").count();
      if (markup) found.push(`${here} has made an element of a text`);
      for (const fault of await judge(page)) found.push(`${here}: ${fault}`);
      await shot(page, `${name}-${width}-${colorScheme}`);
      await page.context().close();
    }
  }
}

/** What axe-core finds that is serious: rule, and where. */
async function judge(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    // The letters of a terminal are a canvas of its program: it has the screen reader's own tree.
    exclude: [[".xterm"]],
  }));
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160))}`);
}
