/** A second factor on its way to the person: the secret, and the recovery codes. */

import { h } from "../lib/dom.js";
import { form } from "./field.js";

/** A new secret, as a picture, a link and a text. */
export function picture({ secret, otpauthUri, qrSvg }) {
  return [
    h("p", {}, "Scan this with an authenticator app, or ",
      h("a", { href: otpauthUri }, "open the app on this device"), "."),
    h("img", {
      class: "qr", alt: "QR code for the authenticator; the same as the key below",
      src: `data:image/svg+xml,${encodeURIComponent(qrSvg)}`,
    }),
    h("details", {}, h("summary", {}, "Type the key instead"),
      h("code", { class: "secret" }, secret.match(/.{1,4}/g).join(" "))),
  ];
}

/** Codes that are shown this once; `label` is what goes on with `done()` once they are kept. */
export function keep(codes, label, done) {
  const hold = (event) => event.preventDefault();
  // They are shown this once; leaving the page by accident would lose them.
  window.addEventListener("beforeunload", hold);
  const text = `codepiper recovery codes for ${location.host}\nEach works once.\n\n${
    codes.join("\n")}\n`;
  const kept = h("input", { type: "checkbox", id: "kept", required: true });
  return [
    h("p", {}, "Each signs you in once, should you lose the authenticator. ",
      "They are shown only now."),
    h("ol", { class: "codes" }, codes.map((code) => h("li", {}, h("code", {}, code)))),
    h("div", { class: "answers screen-only" },
      h("button", { type: "button", onclick: () => download(text) }, "Download"),
      h("button", { type: "button", onclick: () => window.print() }, "Print"),
      copyButton(text)),
    form(label, async () => {
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
