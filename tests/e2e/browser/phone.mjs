// The terminal under fingers: on 360 pixels, with the keyboard of a phone.

import assert from "node:assert/strict";
import { openTerminal } from "./terminal.mjs";

const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
const shows = (page, text) => page.locator(".xterm-rows").getByText(text).first().waitFor();

/** Messages of one kind that the page has sent to the daemon. */
const sent = (page, op) => page.evaluate((wanted) =>
  window.sent.map((text) => JSON.parse(text)).filter((message) => message.op === wanted), op);

/** `open` makes a signed-in page with Playwright's options. */
export async function aPhoneTypesAndScrolls({ open, url, shell }) {
  const page = await open(PHONE);
  await page.addInitScript(() => {
    const { send } = WebSocket.prototype;
    window.sent = [];
    WebSocket.prototype.send = function keep(text) {
      window.sent.push(text);
      return send.call(this, text);
    };
  });
  await openTerminal(page, url, shell);
  await page.waitForFunction(() => window.sent.some((text) => text.includes("\"resize\"")));
  assert.equal((await sent(page, "looking")).at(-1).sessionId, shell);
  await keyboard(page);
  await prompt(page);
  await keys(page);
  await fingers(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= PHONE.viewport.width, `the page is ${wide} wide`);
  await page.getByRole("link", { name: "All sessions" }).tap();
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  assert.equal((await sent(page, "looking")).at(-1).sessionId, null, "nobody looks any more");
  await page.context().close();
}

/** It takes room on the page, and none from the session. */
async function keyboard(page) {
  const before = (await sent(page, "resize")).length;
  await page.setViewportSize({ width: 360, height: 400 });
  await page.locator("html.typing").waitFor();
  await page.getByRole("navigation").waitFor({ state: "hidden" });
  await page.setViewportSize({ width: 360, height: 740 });
  await page.getByRole("navigation").waitFor();
  assert.equal((await sent(page, "resize")).length, before);
}

/** Several lines go out as one paste with an Enter behind it. */
async function prompt(page) {
  await page.getByLabel("Prompt").fill("echo line $((1 + 1))\necho line $((1 + 2))");
  await page.getByRole("button", { name: "Send" }).tap();
  await shows(page, "line 3");
  await page.waitForFunction(() => document.querySelector(".compose textarea").value === "");
  // Without Enter it waits in the terminal.
  await page.getByLabel("Prompt").fill("echo pasted $((6 * 7))");
  await page.getByRole("button", { name: "Paste" }).tap();
  await shows(page, "echo pasted");
  await page.getByRole("button", { name: "Enter", exact: true }).tap();
  await shows(page, "pasted 42");
}

/** Ctrl stays down for one letter. */
async function keys(page) {
  const control = page.getByRole("button", { name: "Ctrl", exact: true });
  await control.tap();
  assert.equal(await control.getAttribute("aria-pressed"), "true");
  await page.locator(".xterm-screen").tap();
  await page.keyboard.type("l");
  await page.waitForFunction(() => window.sent.some((text) => text.includes("\"ctrl+l\"")));
  assert.equal(await control.getAttribute("aria-pressed"), "false");
}

async function fingers(page) {
  await page.getByLabel("Prompt").fill("seq -f 'touched %.0f' 1 200");
  await page.getByRole("button", { name: "Send" }).tap();
  await shows(page, "touched 200");
  const session = await page.context().newCDPSession(page);
  const touch = (type, ...touchPoints) =>
    session.send("Input.dispatchTouchEvent", { type, touchPoints });
  const { x, y, height } = await page.locator(".tty").boundingBox();
  const first = () => page.locator(".xterm-rows > div").first().innerText();
  const before = await first();
  await touch("touchStart", { x: x + 50, y: y + 40 });
  for (let step = 1; step <= 10; step += 1) {
    await touch("touchMove", { x: x + 50, y: y + 40 + step * (height - 80) / 10 });
  }
  await touch("touchEnd");
  await page.waitForFunction((was) =>
    document.querySelector(".xterm-rows > div").innerText !== was, before);
  assert.match(await first(), /touched/);
  await touch("touchStart", { x: x + 100, y: y + 90 }, { x: x + 140, y: y + 90 });
  for (let step = 1; step <= 10; step += 1) {
    await touch("touchMove", { x: x + 100 - step, y: y + 90 }, { x: x + 140 + step, y: y + 90 });
  }
  await touch("touchEnd");
  await page.waitForFunction(() => Number(localStorage.getItem("codepiper.font")) > 12);
}
