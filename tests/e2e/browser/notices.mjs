// Notices in the inbox: what there was to tell, and that it has been read.

import assert from "node:assert/strict";

/** A notice titled `title` must be unread; afterwards all are read, here and after a reload. */
export async function notices({ page, url, title }) {
  await page.goto(`${url}/#/inbox`);
  await page.getByRole("tab", { name: /Notices/ }).click();
  await page.waitForURL("**/#/inbox/notices");
  const unread = page.locator(".notice-row.unread");
  await unread.filter({ hasText: title }).first().waitFor();
  const count = await unread.count();
  await unread.first().getByRole("button", { name: "Mark read" }).press("Enter");
  await page.waitForFunction((before) =>
    document.querySelectorAll(".notice-row.unread").length === before - 1, count);
  const isOnNext = await page.evaluate(() => document.activeElement.closest(".unread") !== null);
  assert.equal(isOnNext, count > 1, "the key that read one notice is on the next");
  if (count > 1) await page.getByRole("button", { name: "Mark all read" }).click();
  await page.waitForFunction(() => !document.querySelector(".notice-row.unread"));
  await page.reload();
  await page.locator(".notice-row").first().waitFor();
  assert.equal(await unread.count(), 0);
  await page.getByLabel("Only unread").check();
  await page.getByText("Nothing is unread.").waitFor();
}
