// The audit log in the dashboard: filtered, opened, checked, copied.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

const button = (page, name) => page.getByRole("button", { name, exact: true });
const table = (page) => page.getByRole("region", { name: "The audit log" });

/** The whole way; `text` stands in a call that was asked for, `key` is one of the log, or null. */
export async function audit({ page, url, text, key = null }) {
  await page.goto(`${url}/#/audit`);
  await table(page).waitFor();
  await filtered(page, text);
  await opened(page, text);
  await verified(page, key);
  await exported(page, text);
  await grown(page);
}

async function filtered(page, text) {
  await page.getByLabel("Text").fill(text);
  await page.getByLabel("Decision", { exact: true }).selectOption("ask");
  await page.waitForFunction((wanted) => {
    const lines = [...document.querySelectorAll(".audit .call-line")];
    return lines.length > 0 && lines.every((line) => line.textContent.includes(wanted));
  }, text);
  assert.equal(await table(page).locator("img").count(), 0);
}

async function opened(page, text) {
  await table(page).getByRole("link").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(text).first().waitFor();
  await dialog.getByText("Numbers and hashes").click();
  assert.match(await dialog.innerText(), /Hash\s+[0-9a-f]{64}/);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
}

async function verified(page, key) {
  await button(page, "Verify").click();
  const dialog = page.getByRole("dialog");
  const head = await dialog.locator(".head-now code").innerText();
  assert.match(head, /^\d+:[0-9a-f]{64}$/);
  if (key) await dialog.getByLabel("Key").fill(key);
  await dialog.getByLabel("A head that was noted").fill(head);
  await dialog.getByRole("button", { name: "Verify" }).click();
  await dialog.getByText("Every row fits the one before it").waitFor();
  assert.equal(await dialog.getByLabel("Key").inputValue(), "", "the key has stayed in the page");
  // A head that never was.
  await dialog.getByLabel("A head that was noted").fill(`1:${"0".repeat(64)}`);
  await dialog.getByRole("button", { name: "Verify" }).click();
  await dialog.getByText("The log was changed").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
}

async function exported(page, text) {
  for (const [format, ending] of [["jsonl", "jsonl"], ["csv", "csv"]]) {
    await button(page, "Export").click();
    await page.getByLabel("Format").selectOption(format);
    const download = page.waitForEvent("download");
    await page.getByRole("dialog").getByRole("button", { name: "Export" }).click();
    const file = await download;
    assert.equal(file.suggestedFilename(), `codepiper-audit.${ending}`);
    const content = await readFile(await file.path(), "utf8");
    const lines = content.trim().split("\n");
    if (format === "jsonl") {
      assert.ok(lines.length > 0 && lines.every((line) => JSON.parse(line).decision === "ask"));
    } else assert.match(lines[0], /^seq,timestamp,/);
    assert.ok(content.includes(text));
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
}

/** What is new is told and waits: no row moves before it is wanted. */
async function grown(page) {
  await button(page, "Show all").click();
  await page.waitForFunction(() => document.querySelectorAll(".audit tbody tr").length > 1);
  const first = () => table(page).getByRole("link").first().innerText();
  const before = await first();
  await page.evaluate(async () => {
    const headers = {
      "Content-Type": "application/json",
      "X-CodePiper-Proof": localStorage.getItem("codepiper.proof"),
    };
    const set = (value) => fetch("/api/settings/daemon", {
      method: "PUT", headers, body: JSON.stringify({ defaultPolicyAction: value }),
    });
    await set("deny");
    await set("ask");
  });
  const fresh = page.getByRole("button", { name: /new rows?/ });
  await fresh.waitFor();
  assert.equal(await first(), before);
  await fresh.click();
  await page.waitForFunction((old) => Number(document.querySelector(".audit tbody a").textContent)
    > Number(old), before);
}
