/** The second factor: a code to scan, a code to prove it, and recovery codes to keep. */

import { post, signedIn } from "../lib/api.js";
import { enter, h, show } from "../lib/dom.js";
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
    show(node, keep(codes, done));
    node.querySelector("h1").focus();
  }
}

function scan({ secret, otpauthUri, qrSvg }, verified) {
  const code = codeField("Code from the app", "Six digits, new every 30 seconds.");
  return [
    steps(2), h("h1", {}, "Add your authenticator"),
    h("p", {}, "Scan this with an authenticator app, or ",
      h("a", { href: otpauthUri }, "open the app on this device"), "."),
    h("img", {
      class: "qr", alt: "QR code for the authenticator; the same as the key below",
      src: `data:image/svg+xml,${encodeURIComponent(qrSvg)}`,
    }),
    h("details", {}, h("summary", {}, "Type the key instead"),
      h("code", { class: "secret" }, secret.match(/.{1,4}/g).join(" "))),
    form("Verify", async () => {
      const reply = await post("/auth/mfa/verify", { totpCode: digits(code.input) });
      signedIn(reply);
      verified(reply.recoveryCodes);
    }, code.node),
  ];
}

function keep(codes, done) {
  const hold = (event) => event.preventDefault();
  // They are shown this once; leaving the page by accident would lose them.
  window.addEventListener("beforeunload", hold);
  const text = `codepiper recovery codes for ${location.host}\nEach works once.\n\n${
    codes.join("\n")}\n`;
  const kept = h("input", { type: "checkbox", id: "kept", required: true });
  return [
    steps(3), h("h1", { tabindex: "-1" }, "Keep these codes"),
    h("p", {}, "Each signs you in once, should you lose the authenticator. ",
      "They are shown only now."),
    h("ol", { class: "codes" }, codes.map((code) => h("li", {}, h("code", {}, code)))),
    h("div", { class: "answers screen-only" },
      h("button", { type: "button", onclick: () => download(text) }, "Download"),
      h("button", { type: "button", onclick: () => window.print() }, "Print"),
      copyButton(text)),
    form("Enter the dashboard", async () => {
      window.removeEventListener("beforeunload", hold);
      done();
    }, h("div", { class: "check" }, kept, h("label", { for: "kept" }, "I have kept them safe"))),
  ];
}

function download(text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  h("a", { href: address, download: "codepiper-recovery-codes.txt" }).click();
  URL.revokeObjectURL(address);
}

/** Only where the browser lets pages copy: over HTTPS, and on this machine. */
function copyButton(text) {
  if (!navigator.clipboard) return null;
  const button = h("button", { type: "button", onclick: copy }, "Copy");
  return button;

  async function copy() {
    await navigator.clipboard.writeText(text).then(
      () => { button.textContent = "Copied"; }, () => { button.textContent = "Not allowed"; });
  }
}
