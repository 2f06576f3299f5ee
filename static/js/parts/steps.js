/** Where one stands on the way in: three steps. */

import { h } from "../lib/dom.js";

const NAMES = ["Password", "Authenticator", "Recovery"];

/** The line of steps, `at` (from 1) being the present one. */
export function steps(at) {
  return h("ol", { class: "steps" }, NAMES.map((name, index) =>
    h("li", {
      "aria-current": index + 1 === at && "step", class: index + 1 < at && "done",
    }, name)));
}
