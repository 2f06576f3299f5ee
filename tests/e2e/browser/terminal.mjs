// What a terminal in the dashboard promises: no line is lost, none that is read moves, and nobody
// who only watches changes the session.

import assert from "node:assert/strict";

const LINES = 50_000;
/** A key in another part of the page is seen within this, in the middle of a flood. */
const ECHO_MS = 100;

/** The first line of those that can be seen. */
const top = (page) => page.locator(".xterm-rows > div").first().innerText();
const shows = (page, text) => page.locator(".xterm-rows").getByText(text).first().waitFor();
const note = (page, text) => page.locator(".note").filter({ hasText: text });

/** Runs a command line in the shell behind the terminal. */
async function run(page, line) {
  await page.locator(".xterm-screen").click();
  await page.keyboard.type(`${line}\n`);
}

/** Opens a session's view, and waits until its terminal takes keys. */
export async function openTerminal(page, url, id) {
  await page.goto(`${url}/#/sessions/${id}`);
  await page.locator(".xterm-screen").waitFor();
}

/** All that the terminal has, by its own "Select all" and the clipboard. */
export async function everything(page) {
  await page.evaluate(() => navigator.clipboard.writeText(""));
  await page.getByRole("button", { name: "Terminal", exact: true }).click();
  await page.getByRole("menuitem", { name: "Select all" }).click();
  await page.getByText(/lines are selected/).last().waitFor();
  await page.keyboard.press("Control+c");
  const read = () => page.evaluate(() => navigator.clipboard.readText());
  await page.waitForFunction(async () => (await navigator.clipboard.readText()) !== "");
  return read();
}

/**
 * A shell prints 50,000 numbered lines while the page is loaded anew and its socket breaks twice:
 * all of them are in the scrollback, once and in order. `open` makes a page that may read the
 * clipboard.
 */
export async function nothingIsLost({ open, url, shell }) {
  const page = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.addInitScript(() => {
    const { WebSocket: Real } = window;
    window.sockets = [];
    window.WebSocket = class extends Real {
      constructor(...args) {
        super(...args);
        window.sockets.push(this);
      }
    };
  });
  await openTerminal(page, url, shell);
  const part = `seq -f 'row %.0f' $((i*250-249)) $((i*250)); sleep 0.02`;
  await run(page, `clear; for i in $(seq 1 ${LINES / 250}); do ${part}; done; echo all"done"`);
  await shows(page, /row \d+/);
  await page.reload();
  for (let breaks = 0; breaks < 2; breaks += 1) {
    await shows(page, /row \d+/);
    await page.evaluate(() => window.sockets.at(-1).close());
    await page.getByText("Live").waitFor();
  }
  await shows(page, "alldone");
  const rows = [...(await everything(page)).matchAll(/^row (\d+)$/gm)].map((m) => Number(m[1]));
  const last = rows.slice(rows.lastIndexOf(1));
  assert.equal(last.length, LINES);
  assert.ok(last.every((number, at) => number === at + 1), "the lines are not in order");
  await page.context().close();
}

/** Words are found in what was printed long before the page was opened. */
export async function olderOutputIsFound({ open, url, shell }) {
  const page = await open();
  await openTerminal(page, url, shell);
  await run(page, `clear; echo need"le" in the hay; seq 1 3000; echo all"hay"`);
  await shows(page, "allhay");
  await page.reload();
  await shows(page, "allhay");
  await page.keyboard.press("Control+Shift+F");
  await page.getByRole("searchbox", { name: "Find in the output" }).fill("needle in");
  await page.locator(".find-count").getByText("1 of 1").waitFor();
  await shows(page, "needle in the hay");
  await page.keyboard.press("Escape");
  await page.locator(".find").waitFor({ state: "hidden" });
  await page.context().close();
}

/** What somebody reads stays while more comes in below, and the end is one press off. */
export async function whatIsReadStays({ open, url, shell }) {
  const page = await open();
  await openTerminal(page, url, shell);
  await run(page, `clear; seq -f 'before %.0f' 1 300; echo be"gun"`);
  await shows(page, "begun");
  await page.locator(".tty").hover();
  await page.mouse.wheel(0, -900);
  await page.waitForFunction(() =>
    /before (\d+)/.test(document.querySelector(".xterm-rows > div").innerText));
  const read = await top(page);
  // Typed by another door, because to type here is to go to the end.
  await page.getByLabel("Prompt").fill("seq 1 2000000; echo all\"through\"");
  await page.getByRole("button", { name: "Send" }).click();
  await note(page, "newer output below").waitFor();
  assert.equal(await top(page), read);
  await page.getByRole("button", { name: "Go there" }).click();
  await shows(page, "allthrough");
  await page.context().close();
}

/** A second viewer sees the session's size and leaves it alone, until it asks for its own. */
export async function aWatcherResizesNothing({ open, url, shell }) {
  const first = await open();
  await openTerminal(first, url, shell);
  await run(first, "clear; stty size");
  await shows(first, /^\d+ \d+$/);
  const second = await open({ viewport: { width: 900, height: 600 } });
  await openTerminal(second, url, shell);
  await note(second, "Sized by another viewer").waitFor();
  assert.equal(await note(first, "Sized by").count(), 0);
  await second.getByRole("button", { name: "Fit to me" }).click();
  await note(second, "Sized by").waitFor({ state: "detached" });
  await note(first, "Sized by another viewer").waitFor();
  // Who types has the size.
  await run(first, "");
  await note(first, "Sized by").waitFor({ state: "detached" });
  await note(second, "Sized by another viewer").waitFor();
  await first.context().close();
  await second.context().close();
}

/** In a flood of 50 MB the page takes keys elsewhere at once, and shows the end of it. */
export async function aFloodHoldsNothingUp({ open, url, shell }) {
  const page = await open();
  await openTerminal(page, url, shell);
  await run(page, `clear; seq 1 6000000; echo all"through"`);
  const prompt = page.getByLabel("Prompt");
  await prompt.focus();
  const took = [];
  for (let key = 0; key < 20; key += 1) {
    took.push(await prompt.evaluate((area) => new Promise((done) => {
      const from = performance.now();
      area.value += "x";
      area.dispatchEvent(new InputEvent("input", { bubbles: true }));
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - from)));
    })));
  }
  await shows(page, "allthrough");
  took.sort((a, b) => a - b);
  const middle = took[took.length >> 1];
  assert.ok(middle < ECHO_MS, `a key is seen after ${middle.toFixed(0)} ms`);
  await page.context().close();
}
