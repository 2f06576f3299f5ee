// A daemon that is killed while its page is open and its session prints.

import assert from "node:assert/strict";
import { order } from "./order.mjs";
import { everything, openTerminal } from "./terminal.mjs";

const LINES = 3000;

/** The page says that it has lost the daemon, comes back by itself, and has every line. */
export async function aKilledDaemonComesBack({ open, url, shell, forgive }) {
  const page = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  await openTerminal(page, url, shell);
  await page.locator(".xterm-screen").click();
  const part = "seq -f 'kept %.0f' $((i*10-9)) $((i*10)); sleep 0.02";
  await page.keyboard.type(`clear; for i in $(seq 1 ${LINES / 10}); do ${part}; done\n`);
  const shows = (text) => page.locator(".xterm-rows").getByText(text).first().waitFor();
  await shows(/kept \d+/);
  await order("kill");
  await page.getByText("The daemon cannot be reached.").waitFor();
  await order("start");
  await page.getByText("Connected again. Nothing was lost.").waitFor();
  await shows(`kept ${LINES}`);
  const rows = [...(await everything(page)).matchAll(/^kept (\d+)$/gm)].map((m) => Number(m[1]));
  assert.deepEqual(rows.slice(rows.lastIndexOf(1)), [...Array(LINES).keys()].map((n) => n + 1));
  await page.context().close();
  forgive(/ERR_CONNECTION_REFUSED/);
}
