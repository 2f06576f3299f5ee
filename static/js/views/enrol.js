/** The second factor for the first time: a code to scan, one to prove it, codes to keep. */

import { post, signedIn } from "../lib/api.js";
import { enter, h, show } from "../lib/dom.js";
import { keep, picture } from "../parts/factor.js";
import { codeField, digits, form } from "../parts/field.js";
import { steps } from "../parts/steps.js";

/** The steps from here; `done()` when the codes are kept. */
export function enrol(done) {
  const node = h("div", {}, h("p", {}, "One moment…"));
  begin();
  return node;

  async function begin() {
    try {
      show(node, scan(await post("/auth/mfa/setup"), verified));
    } catch (error) {
      show(node, h("h1", {}, "That did not work"), h("p", { class: "problem" }, error.message),
        h("button", { class: "primary", onclick: () => location.reload() }, "Start again"));
    }
    enter(node);
  }

  function verified(codes) {
    show(node, steps(3), h("h1", { tabindex: "-1" }, "Keep these codes"),
      keep(codes, "Enter the dashboard", done));
    node.querySelector("h1").focus();
  }
}

function scan(offer, verified) {
  const code = codeField("Code from the app", "Six digits, new every 30 seconds.");
  return [
    steps(2), h("h1", {}, "Add your authenticator"), picture(offer),
    form("Verify", async () => {
      const reply = await post("/auth/mfa/verify", { totpCode: digits(code.input) });
      signedIn(reply);
      verified(reply.recoveryCodes);
    }, code.node),
  ];
}
