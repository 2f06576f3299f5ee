// Chromium, with pages that notice what must never happen: a violation of the policy, an error, a
// request to another address than the daemon's.

import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";

const { chromium } = createRequire(import.meta.url)(process.env.PLAYWRIGHT);

/** What the browser says of replies that a scenario provokes: a wrong password is no fault. */
const PROVOKED = new RegExp("^Failed to load resource: .* (40[013] .*/api/auth/"
  + "|409 .*/api/policies/|400 .*/api/env-sets|422 .*/api/sessions)");

/** The browser; `url` is where the daemon is. */
export async function launch(url) {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    // Chromium's own cage needs what a root user in a container does not have.
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  const complaints = [];

  /** A page in a context of its own; `options` are Playwright's. */
  async function open(options = {}) {
    const viewport = { width: 1440, height: 900 };
    const context = await browser.newContext({ viewport, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    await watch(page);
    return page;
  }

  async function watch(page) {
    page.on("pageerror", (error) => complaints.push(`error: ${error}`));
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      const ours = origin === url || protocol === "data:" || protocol === "blob:";
      if (!ours) complaints.push(`foreign request: ${request.url()}`);
    });
    page.on("console", (message) => {
      const text = `${message.text()} ${message.location().url}`;
      const bad = ["error", "warning"].includes(message.type());
      if (bad && !PROVOKED.test(text)) complaints.push(`console: ${text}`);
    });
    await page.exposeFunction("complain", (text) => complaints.push(text));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        window.complain(`policy: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
  }

  return { open, complaints, close: () => browser.close() };
}

/** Keeps a picture in the directory of the variable SHOTS, where there is one. */
export async function shot(page, name) {
  const dir = process.env.SHOTS;
  if (!dir) return;
  mkdirSync(dir, { recursive: true });
  await page.screenshot({ path: `${dir}/${name}.png` });
}
