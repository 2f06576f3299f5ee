// Env sets in the dashboard: made, changed, removed, and no value left behind.

import assert from "node:assert/strict";

const SECRETS = ["hunter2-first", "hunter2-second", "hunter2-third"];
const button = (page, name) => page.getByRole("button", { name, exact: true });

/** The whole way. */
export async function envSets({ page, url, name = "from the page" }) {
  const replies = [];
  page.on("response", async (reply) => {
    if (reply.url().includes("/api/")) replies.push(await reply.text().catch(() => ""));
  });
  await page.goto(`${url}/#/env-sets`);
  await make(page, name);
  await change(page, name);
  await drop(page, name);
  for (const secret of SECRETS) {
    assert.ok(replies.every((reply) => !reply.includes(secret)), "a reply holds a value");
  }
}

async function make(page, name) {
  await button(page, "New env set").click();
  await page.getByLabel("Name").fill(name);
  const vars = page.getByRole("textbox", { name: "Variables" });
  await vars.fill(`# a file\nexport FIRST='${SECRETS[0]}'\nhunter2`);
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Line 3: no = in it").waitFor();
  assert.doesNotMatch(await dialog.innerText(), /hunter2/);
  await vars.fill(`export FIRST='${SECRETS[0]}'\nLD_PRELOAD=${SECRETS[1]}`);
  await dialog.getByText("2 variables: FIRST, LD_PRELOAD").waitFor();
  await button(page, "Make it").click();
  await dialog.getByText(/LD_PRELOAD makes programs load/).waitFor();
  await vars.fill(`export FIRST='${SECRETS[0]}'\nSECOND=${SECRETS[1]}`);
  await button(page, "Make it").click();
  await dialog.waitFor({ state: "detached" });
  await gone(page);
  const names = await card(page, name).locator(".vars code").allInnerTexts();
  assert.deepEqual(names, ["FIRST", "SECOND"]);
}

const card = (page, name) => page.getByRole("article", { name });

async function change(page, name) {
  await button(page, `Change ${name}`).click();
  await page.getByRole("textbox", { name: "New values" }).fill(`THIRD=${SECRETS[2]}`);
  await page.getByRole("dialog").getByLabel("FIRST").check();
  await button(page, "Save").click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await card(page, name).getByText("THIRD").waitFor();
  const names = await card(page, name).locator(".vars code").allInnerTexts();
  assert.deepEqual(names, ["SECOND", "THIRD"]);
  await gone(page);
}

async function drop(page, name) {
  await button(page, `Delete ${name}`).click();
  const go = button(page, "Delete env set");
  assert.equal(await go.isEnabled(), false, "its name has to be typed first");
  await page.getByLabel(/to go on/).fill(name);
  await go.click();
  await card(page, name).waitFor({ state: "detached" });
}

/** Neither text nor fields nor stores of the page hold a value. */
async function gone(page) {
  const kept = await page.evaluate(() => JSON.stringify([
    document.documentElement.textContent,
    [...document.querySelectorAll("input, textarea")].map(({ value }) => value),
    { ...localStorage }, { ...sessionStorage },
  ]));
  for (const secret of SECRETS) assert.ok(!kept.includes(secret), "the page holds a value");
}
