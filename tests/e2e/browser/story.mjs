// What a person does in the dashboard, from the first visit on, against a running daemon. The test
// in ../browser.rs starts that and tells by variables where and what is.

import assert from "node:assert/strict";
import { launch, shot } from "./chromium.mjs";
import { replay } from "./replay.mjs";
import { totp } from "./totp.mjs";

const { URL: url, BOOTSTRAP: bootstrap, SHELL_ID: shell } = process.env;
const PASSWORD = "violet anvil over nine rivers";
const SIZES = [[1440, 900], [360, 740]];

const browser = await launch(url);
const page = await browser.open();
const button = (name) => page.getByRole("button", { name, exact: true });
const alert = () => page.getByRole("alert").filter({ visible: true }).innerText();

async function firstVisit() {
  await page.goto(`${url}/`);
  await page.waitForURL("**/login");
  await page.getByLabel("Bootstrap password").fill("not the one");
  await page.getByLabel("Your own password").fill(PASSWORD);
  await pictures("/login", "first", () => true);
  await button("Continue").click();
  assert.match(await alert(), /bootstrap password/i);
  await page.getByLabel("Bootstrap password").fill(bootstrap);
  await button("Continue").click();
  const picture = page.getByRole("img", { name: /QR/ });
  await picture.waitFor();
  assert.ok(await picture.evaluate((img) => img.decode().then(() => img.naturalWidth > 0)));
  await page.getByText("Type the key instead").click();
  const secret = await page.locator(".secret").innerText();
  await shot(page, "enrol");
  await page.getByLabel("Code from the app").fill("000000");
  await button("Verify").click();
  await alert();
  await page.getByLabel("Code from the app").fill(totp(secret));
  await button("Verify").click();
  await page.getByRole("heading", { name: "Keep these codes" }).waitFor();
  const codes = await page.locator(".codes code").allInnerTexts();
  assert.equal(new Set(codes).size, 10);
  await shot(page, "codes");
  const download = page.waitForEvent("download");
  await button("Download").click();
  assert.equal((await download).suggestedFilename(), "codepiper-recovery-codes.txt");
  await page.getByLabel("I have kept them safe").check();
  await button("Enter the dashboard").click();
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  await page.getByText("Live").waitFor();
  return { secret, codes };
}

async function typing() {
  await page.getByRole("link", { name: /shell/ }).click();
  await page.locator(".xterm-screen").waitFor();
  const says = (text) => page.locator(".xterm-rows").getByText(text).first().waitFor();
  await page.keyboard.type("echo sum $((40 + 2))\n");
  await says("sum 42");
  await page.keyboard.type("stty size\n");
  await page.waitForFunction(() => document.querySelectorAll(".xterm-rows > div").length > 30);
  const wide = await page.locator(".xterm-rows > div").count();
  await page.setViewportSize({ width: 900, height: 500 });
  await page.waitForFunction((rows) => {
    const now = document.querySelectorAll(".xterm-rows > div").length;
    return now > 5 && now < rows;
  }, wide);
  const rows = await page.locator(".xterm-rows > div").count();
  await page.keyboard.type("stty size\n");
  await says(new RegExp(`^${rows} \\d+`));
  // As a person pastes: the browser's own event, with several lines. A shell takes them as one.
  await page.locator(".xterm-helper-textarea").evaluate((area) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", "echo first\necho pasted $((6 * 7))");
    area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  });
  await page.keyboard.press("Enter");
  await says("pasted 42");
  await page.keyboard.press("Control+Shift+ArrowUp");
  assert.equal(await page.evaluate(() => document.activeElement.closest(".tty")), null);
  await page.setViewportSize({ width: 1440, height: 900 });
  // It comes back to what it showed.
  await page.reload();
  await says("pasted 42");
}

async function answering() {
  await page.getByRole("link", { name: /Inbox/ }).click();
  const card = (command) => page.getByRole("article").filter({ hasText: command });
  await card("touch approved").getByRole("button", { name: "Approve once" }).click();
  await card("touch approved").waitFor({ state: "detached" });
  await card("touch denied").getByLabel(/Reason/).fill("not on a Friday");
  await card("touch denied").getByRole("button", { name: "Deny" }).click();
  await page.getByText("Nothing waits for you.").waitFor();
}

/** A cookie of our cookie's name, from another page of this host, locks nobody out. */
async function twoCookies() {
  await page.context().addCookies([{
    name: "codepiper_session", value: "another", domain: "127.0.0.1", path: "/api",
  }]);
  await page.getByRole("link", { name: "Audit" }).click();
  await page.getByRole("region", { name: "The audit log" }).waitFor();
  await page.reload();
  await page.getByRole("region", { name: "The audit log" }).waitFor();
  // The browser says of each request that came with both that it was refused; it was asked again.
  const others = browser.complaints.filter((text) => !/status of 401 /.test(text));
  browser.complaints.splice(0, Infinity, ...others);
}

async function signingIn({ secret, codes }) {
  await button("Sign out").click();
  await page.waitForURL("**/login");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await button("Use a recovery code").click();
  await page.getByLabel("Recovery code").fill("AAAA-AAAA-AAAA-AAAA");
  await button("Sign in").click();
  const wrong = await alert();
  // By keyboard alone, with the code of the step after the one that is used up.
  await page.reload();
  await page.getByLabel("Password", { exact: true }).waitFor();
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.type("000000");
  await page.keyboard.press("Enter");
  assert.equal(await alert(), wrong, "no wrong answer says what was wrong");
  await page.getByLabel("Code from your authenticator").fill(totp(secret, 1));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  await button("Sign out").click();
  await page.waitForURL("**/login");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await button("Use a recovery code").click();
  await page.getByLabel("Recovery code").fill(codes[0].toLowerCase());
  await button("Sign in").click();
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
}

/** The view at each size, light and dark, for people to look at; nothing may stick out sideways. */
async function pictures(address, name, ready) {
  const storageState = await page.context().storageState();
  for (const [width, height] of SIZES) {
    for (const colorScheme of ["light", "dark"]) {
      const other = await browser.open({
        viewport: { width, height }, colorScheme, hasTouch: width < 500, storageState,
      });
      await other.goto(url + address);
      await other.locator("h1").waitFor();
      await ready(other);
      const wide = await other.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${name} is ${wide} wide on a screen of ${width}`);
      await shot(other, `${name}-${width}-${colorScheme}`);
      await other.context().close();
    }
  }
}

const secrets = await firstVisit();
await pictures("/#/sessions", "sessions", (other) =>
  other.getByRole("link", { name: /shell/ }).waitFor());
await typing();
await pictures(`/#/sessions/${shell}`, "session", (other) =>
  other.locator(".xterm-rows").getByText("pasted 42").first().waitFor());
await pictures("/#/inbox", "inbox", (other) =>
  other.getByRole("article").filter({ hasText: "touch denied" }).waitFor());
await answering();
await replay(page, url, process.env.WS_URL);
await twoCookies();
await signingIn(secrets);
await browser.close();
assert.deepEqual(browser.complaints, []);
console.log("the whole story");
