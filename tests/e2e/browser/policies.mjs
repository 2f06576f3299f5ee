// A policy, from its name to its rules: typed with an error, mended, tried, saved, replayed.

import assert from "node:assert/strict";

const button = (page, name) => page.getByRole("button", { name, exact: true });

/** The whole way; a call of `ls` must be on record for the replay. */
export async function policy({ page, url, name = "from the page" }) {
  await make(page, url, name);
  await edit(page);
  await tryDraft(page);
  await save(page);
  await replayed(page);
  await history(page);
  await refusedWhereItChanged(page);
  await switchAndDelete(page, name);
}

async function make(page, url, name) {
  await page.goto(`${url}/#/policies`);
  await button(page, "New policy").click();
  await page.getByLabel("Name").fill(name);
  await button(page, "Make it").click();
  await page.getByRole("heading", { name: new RegExp(name) }).waitFor();
}

async function edit(page) {
  const rules = page.getByRole("textbox", { name: "Rules" });
  await rules.fill("allow shell make\ndenyy shell ls\n");
  const problem = page.locator("#rules-problem");
  await problem.getByText("Line 2").waitFor();
  assert.match(await problem.innerText(), /denyy/);
  assert.equal(await page.locator(".line-numbers .wrong").innerText(), "2");
  assert.equal(await button(page, "Save").isEnabled(), false);
  await problem.getByRole("button").click();
  const chosen = await rules.evaluate((area) =>
    area.value.slice(area.selectionStart, area.selectionEnd));
  assert.equal(chosen, "denyy shell ls");
  await rules.fill("allow shell make\ndeny shell ls ; reason <b>no</b> lists\n");
  await page.waitForFunction(() => !document.querySelector("#rules-problem").textContent);
  await page.locator(".about-list").getByText("command ls").waitFor();
  assert.equal(await page.locator(".about-list b").count(), 0);
  await button(page, "Save").and(page.locator(":enabled")).waitFor();
}

async function tryDraft(page) {
  await page.getByRole("tab", { name: "Try a call" }).click();
  await page.getByLabel("Its directory").fill("/");
  await page.getByLabel("Command").fill("make && ls");
  await button(page, "Try it").click();
  const result = page.locator(".explanation");
  await result.locator(".verdict").getByText("<b>no</b> lists").waitFor();
  assert.equal(await result.getAttribute("data-decision"), null);
  assert.equal(await result.locator(".verdict").getAttribute("data-decision"), "deny");
  await page.getByText("By the rules as you have typed them.").waitFor();
}

async function save(page) {
  await page.getByRole("tab", { name: "Rules" }).click();
  await button(page, "Save").click();
  await page.getByText("Saved. It holds from the next call on.").waitFor();
  await page.getByText("version 2").first().waitFor();
}

async function replayed(page) {
  await page.getByRole("tab", { name: "Replay the past" }).click();
  await button(page, "Replay").click();
  await page.locator(".result .verdict").getByText("judged again").waitFor();
}

async function history(page) {
  await page.getByRole("tab", { name: "History" }).click();
  const newest = page.locator(".history li").first();
  await newest.getByText("Version 2").waitFor();
  assert.match(await newest.innerText(), /deny shell ls/);
}

/** Somebody else saves in between: it is told, and nothing is overwritten. */
async function refusedWhereItChanged(page) {
  await page.getByRole("tab", { name: "Rules" }).click();
  const rules = page.getByRole("textbox", { name: "Rules" });
  await page.evaluate(async () => {
    const id = location.hash.split("/").at(-1);
    const headers = {
      "Content-Type": "application/json",
      "X-CodePiper-Proof": localStorage.getItem("codepiper.proof"),
    };
    await fetch(`/api/policies/${id}`, {
      method: "PUT", headers, body: JSON.stringify({ rules: [{ action: "ask", tool: "Bash" }] }),
    });
  });
  await rules.fill("allow shell make\n");
  await button(page, "Save").click();
  await page.getByText("Version 3 stands there now").waitFor();
  await button(page, "Take theirs").click();
  await page.waitForFunction(() =>
    document.querySelector(".editor textarea")?.value.includes("ask tool Bash"));
}

async function switchAndDelete(page, name) {
  await button(page, "Switch off").click();
  await button(page, "Switch on").waitFor();
  await button(page, "Delete").click();
  await button(page, "Delete policy").click();
  await page.getByText("Deleted. It held for").waitFor();
  await page.getByRole("tab", { name: "Policies" }).waitFor();
  assert.equal(await page.getByRole("link", { name, exact: true }).count(), 0);
}
