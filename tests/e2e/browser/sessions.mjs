// The list of sessions and the dialog that starts one, by keyboard wherever that goes.

import assert from "node:assert/strict";

const CHANGES = 200;
const button = (page, name) => page.getByRole("button", { name, exact: true });
const row = (page, text) => page.locator(".session-row").filter({ hasText: text });
const focused = (page) => page.evaluate(() => document.activeElement.innerText);

/** Letters walk through the list, open, search and explain themselves, and rest in fields. */
export async function theListGoesByKeyboard({ open, url }) {
  const page = await open();
  await page.goto(`${url}/#/sessions`);
  const names = page.locator(".session-name");
  await names.first().waitFor();
  await page.keyboard.press("j");
  assert.equal(await focused(page), await names.nth(0).innerText());
  await page.keyboard.press("j");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("k");
  assert.equal(await focused(page), await names.nth(1).innerText());
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("Start a session").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("jn no session is like that");
  await page.getByText("No session is like that.").waitFor();
  await button(page, "Show all sessions").click();
  await names.first().waitFor();
  await names.first().focus();
  const name = await names.first().innerText();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name }).waitFor();
  await page.context().close();
}

/** A name is text, whatever is in it; two hundred changes neither hold the page up nor move it. */
export async function changesComeQuietly({ open, url, shell }) {
  const page = await open();
  await page.goto(`${url}/#/sessions`);
  await row(page, "shell").first().waitFor();
  const other = page.locator(".session-name").filter({ hasNotText: "shell" }).first();
  await other.focus();
  const name = await other.innerText();
  const gaps = await page.evaluate(async ({ id, changes }) => {
    const headers = {
      "Content-Type": "application/json",
      "X-CodePiper-Proof": localStorage.getItem("codepiper.proof"),
    };
    const gap = [];
    let last = performance.now();
    let watching = true;
    requestAnimationFrame(function frame(now) {
      gap.push(now - last);
      last = now;
      if (watching) requestAnimationFrame(frame);
    });
    for (let count = 0; count < changes; count += 1) {
      const text = count + 1 < changes ? `change ${count}` : "<b>shell</b> & co\u202e";
      await fetch(`/api/sessions/${id}/name`, {
        method: "PUT", headers, body: JSON.stringify({ name: text }),
      });
    }
    watching = false;
    return gap.sort((a, b) => a - b);
  }, { id: shell, changes: CHANGES });
  await page.getByText("<b>shell</b> & co").first().waitFor();
  assert.equal(await page.locator(".session-name b").count(), 0, "a name became markup");
  assert.equal(await focused(page), name, "the focus was lost");
  const middle = gaps[gaps.length >> 1];
  assert.ok(middle < 50, `frames are ${middle.toFixed(0)} ms apart`);
  await rename(page, "<b>shell</b>", "shell");
  await page.context().close();
}

async function rename(page, from, to) {
  await row(page, from).getByRole("button", { name: /Actions/ }).click();
  await page.getByRole("menuitem", { name: "Rename…" }).click();
  await page.getByLabel("Name", { exact: true }).fill(to);
  await button(page, "Rename").click();
  await page.getByRole("link", { name: to, exact: true }).waitFor();
}

/** From the dialog to a running command, a failing one with its words, and away again. */
export async function aSessionIsStartedAndRemoved({ open, url }) {
  const page = await open();
  await page.goto(`${url}/#/sessions`);
  await page.locator(".session-row").first().waitFor();
  await page.keyboard.press("n");
  await page.getByText("Any command").click();
  const command = page.getByLabel("Command", { exact: true });
  await command.fill("echo 'a b' | cat");
  await page.getByText("means nothing without a shell").waitFor();
  await page.getByRole("button", { name: "Run it in a shell" }).click();
  assert.equal(await command.inputValue(), "bash -c 'echo '\\''a b'\\'' | cat'");
  await completes(page);
  await command.fill("bash -c 'echo it is broken; exit 3'");
  await button(page, "Start").click();
  await page.getByRole("alert").filter({ hasText: "exit code 3" }).waitFor();
  await page.locator("dialog pre").filter({ hasText: "it is broken" }).waitFor();
  await command.fill("bash -c 'echo up; sleep 600'");
  await page.getByLabel("Name (optional)").fill("started here");
  await button(page, "Start").click();
  await page.locator(".xterm-rows").getByText("up").first().waitFor();
  await page.getByRole("heading", { name: "started here" }).waitFor();
  await button(page, "Freeze").click();
  await page.locator(".session-head .state").getByText("frozen").waitFor();
  await button(page, "Thaw").click();
  await button(page, "Stop").click();
  await button(page, "Stop the session").click();
  await button(page, "Resume").waitFor();
  await button(page, "More actions").click();
  await page.getByRole("menuitem", { name: "Remove…" }).click();
  await button(page, "Remove the session").click();
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  await row(page, "started here").waitFor({ state: "detached" });
  await page.context().close();
}

async function completes(page) {
  const directory = page.getByRole("combobox", { name: "Directory" });
  await directory.fill("/us");
  await page.getByRole("option", { name: "/usr" }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.equal(await directory.inputValue(), "/usr/");
  await page.locator(".option").first().waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".option").count(), 0);
  await page.getByRole("dialog").waitFor();
  await directory.fill("/tmp");
  await page.keyboard.press("Escape");
}

/** Each tab of a session fills itself; a call has its verdict, and what it asks is text. */
export async function aSessionTellsWhatItDid({ open, url, claude }) {
  const page = await open();
  await page.goto(`${url}/#/sessions/${claude}`);
  await page.getByRole("tab", { name: "Activity" }).click();
  await page.locator(".entry summary").first().click();
  await page.getByRole("link", { name: /Row \d+ of the audit log/ }).first().waitFor();
  await page.getByRole("tab", { name: "Policies" }).click();
  await page.getByLabel("read-only").check();
  await page.getByText("read-only holds from the next call on.").waitFor();
  await page.getByLabel("read-only").uncheck();
  await page.getByText("read-only no longer holds").waitFor();
  await page.getByRole("tab", { name: "Details" }).click();
  await page.getByText(claude).waitFor();
  await page.context().close();
}
