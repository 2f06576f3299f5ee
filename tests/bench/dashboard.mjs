// What a person feels in the dashboard, in Chromium: one JSON line a figure, for dashboard.py.

import { once } from "node:events";
import { createInterface } from "node:readline";
import { launch } from "../e2e/browser/chromium.mjs";
import { enter } from "../e2e/browser/enter.mjs";

const { URL: url, BOOTSTRAP: bootstrap, FLOOD_ID: flood, ROUNDS: rounds } = process.env;
const answers = createInterface({ input: process.stdin });
const browser = await launch(url);
const { storageState } = await enter(url, bootstrap);
await visits();
await updates();
await drain();
await browser.close();
process.exit();

/** Has the other side do something, and waits until it is done. */
async function order(what) {
  const done = once(answers, "line");
  console.log(JSON.stringify({ do: what }));
  await done;
}

function tell(bench, who, samples) {
  console.log(JSON.stringify({ bench, who, samples }));
}

async function visits() {
  const samples = [];
  for (let round = 0; round < Number(rounds); round += 1) {
    const page = await browser.open({ storageState });
    const start = performance.now();
    await page.goto(`${url}/#/sessions`);
    await page.locator(".session-row").first().waitFor();
    samples.push(performance.now() - start);
    await page.context().close();
  }
  tell("first visit, 100 sessions", "until the list can be used", samples);
}

/** The gaps between frames while each of 200 sessions' changes arrives. */
async function updates() {
  const page = await browser.open({ storageState });
  await page.goto(`${url}/#/sessions`);
  await page.locator(".session-row").first().waitFor();
  await page.evaluate(watchFrames);
  await order("rename");
  const { gaps, tasks } = await page.evaluate(() => window.seen);
  tell("200 updates of a list of 100", "gap between frames", gaps);
  tell("200 updates of a list of 100", "tasks over 50 ms", tasks.length ? tasks : [0]);
  await page.context().close();
}

/** How long a key takes to the next frame while a terminal draws 50 MB. */
async function drain() {
  const page = await browser.open({ storageState });
  await page.goto(`${url}/#/sessions/${flood}`);
  await page.locator(".xterm-rows").waitFor();
  await page.evaluate(watchKeys);
  let done = false;
  const flooding = order("flood").then(() => { done = true; });
  while (!done) {
    await page.keyboard.press("a");
    await new Promise((next) => { setTimeout(next, 30); });
  }
  await flooding;
  tell("50 MB drawn in a terminal", "a key, until the next frame",
    await page.evaluate(() => window.seen));
  await page.context().close();
}

function watchFrames() {
  window.seen = { gaps: [], tasks: [] };
  new PerformanceObserver((list) => {
    window.seen.tasks.push(...list.getEntries().map((entry) => entry.duration));
  }).observe({ type: "longtask" });
  let last = performance.now();
  requestAnimationFrame(function frame(now) {
    window.seen.gaps.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  });
}

function watchKeys() {
  window.seen = [];
  document.addEventListener("keydown", (event) => {
    const { timeStamp } = event;
    // Behind the frame's own work, so that what it draws is counted.
    requestAnimationFrame(() => setTimeout(() => {
      window.seen.push(performance.now() - timeStamp);
    }));
  }, true);
}
