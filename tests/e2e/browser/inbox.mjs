// The inbox, as a person uses it, against a running daemon with open questions.

import assert from "node:assert/strict";

const ARM_MS = 700;

const card = (page, text) => page.getByRole("article").filter({ hasText: text });
const answer = (of, name) => of.getByRole("button", { name, exact: true });

async function open(page, url) {
  await page.goto(`${url}/#/inbox`);
  await page.getByRole("article").first().waitFor();
}

/** What a call holds is shown by its letters: `hidden` is the text of one with U+202E and HTML. */
export async function shownAsTheyAre({ page, url, hidden }) {
  await open(page, url);
  const found = card(page, hidden);
  const text = await found.innerText();
  assert.match(text, /U\+202E/);
  assert.match(text, /U\+200B/);
  assert.match(text, /<img src=x onerror=/);
  assert.doesNotMatch(text, /[\u202a-\u202e\u2066-\u2069\u200b]/u);
  assert.match(text, /cannot be seen/);
  assert.equal(await page.locator("img[src='x']").count(), 0, "HTML has become an element");
}

/** A press in the moment in which a card appears does nothing, nor does a key that is held. */
export async function nothingBySlip({ page, url, text }) {
  await open(page, url);
  await page.reload();
  const found = card(page, text);
  const titled = await found.getAttribute("aria-labelledby");
  const deny = answer(found, "Deny");
  await deny.waitFor();
  const early = await deny.evaluate((button) => {
    const ready = button.getAttribute("aria-disabled") === null;
    button.click();
    return !ready;
  });
  assert.ok(early, "it was ready before anybody could look");
  // By keyboard it waits as well, and nothing has the focus by itself.
  assert.equal(await page.evaluate(() => document.activeElement.closest(".answers")), null);
  const arming = (wanted) => page.waitForFunction(([id, waits]) =>
    document.getElementById(id).closest("article").hasAttribute("data-arming") === waits,
  [titled, wanted]);
  await arming(false);
  assert.equal(await found.count(), 1);
  assert.equal(await deny.isEnabled(), true);
  // What moves it makes it wait again.
  await page.evaluate(() => document.querySelector(".cards").before(
    Object.assign(document.createElement("p"), { textContent: "moved", className: "notice" })));
  await arming(true);
  assert.equal(await deny.getAttribute("aria-disabled"), "true", `within ${ARM_MS} ms`);
}

/** One letter never answers; a letter and Enter do. */
export async function byKeyboard({ page, url, text }) {
  await open(page, url);
  const found = card(page, text);
  while (!await found.evaluate((node) => node === document.activeElement)) {
    await page.keyboard.press("j");
  }
  await page.keyboard.press("d");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Deny");
  assert.equal(await found.locator(".ending").isVisible(), false);
  await answer(found, "Deny").and(page.locator(":not([aria-disabled])")).waitFor();
  await page.keyboard.press("Enter");
  await found.getByText("Denied here.").waitFor();
  await found.waitFor({ state: "detached" });
}

/** Denies with words for the agent. */
export async function denyWithReason({ page, url, text, reason }) {
  await open(page, url);
  const found = card(page, text);
  await found.getByLabel(/Reason/).fill(reason);
  await answer(found, "Deny").click();
  await found.getByText("Denied here.").waitFor();
  await found.waitFor({ state: "detached" });
  const last = page.locator(".lately").getByRole("row").filter({ hasText: text });
  await last.first().getByText("denied", { exact: true }).waitFor();
}

/** Approves for half an hour. */
export async function approveForAWhile({ page, url, text }) {
  await open(page, url);
  const found = card(page, text);
  const posted = page.waitForRequest(/\/approvals\/\d+\/approve$/);
  await answer(found, "Approve for 30 min").click();
  const { forSeconds, boundSha256 } = (await posted).postDataJSON();
  assert.equal(forSeconds, 1800);
  assert.match(boundSha256, /^[0-9a-f]{64}$/);
  await found.getByText("Approved here.").waitFor();
  await found.waitFor({ state: "detached" });
}

/** An answer from elsewhere (`elsewhere()` gives it) is told before its card goes. */
export async function toldFromElsewhere({ page, url, text, elsewhere, words }) {
  await open(page, url);
  const found = card(page, text);
  await found.waitFor();
  await elsewhere();
  await found.getByText(words).waitFor();
  await found.waitFor({ state: "detached" });
}
