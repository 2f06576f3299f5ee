/** Gives a person a file. It knows nothing of codepiper. */

import { h } from "./dom.js";

/** Has the browser keep `blob` under this name. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  // Not at once: some browsers begin to read it after the click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
