/** The first step ever: from the password that the daemon printed to one's own. */

import { post, proof } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { LEAST_CHARS, strength } from "../lib/strength.js";
import { field, form, userName } from "../parts/field.js";
import { steps } from "../parts/steps.js";

/** The form; `done()` when the daemon has taken the password. */
export function first(done) {
  const printed = field("Bootstrap password", { type: "password", autocomplete: "off" }, [
    "The daemon printed it when it started. ", h("code", {}, "codepiper auth bootstrap"),
    " prints a new one.",
  ]);
  const own = field("Your own password", {
    type: "password", autocomplete: "new-password", minlength: LEAST_CHARS, oninput: judge,
  });
  const meter = h("meter", { min: 0, max: 4, value: 0, "aria-label": "Strength" });
  own.hint.before(meter);
  judge();
  return h("div", {}, steps(1), h("h1", {}, "Welcome"),
    h("p", {}, "This server is yours once you have set a password and an authenticator."),
    form("Continue", submit, userName(), printed.node, own.node));

  function judge() {
    const { score, hint } = strength(own.input.value);
    meter.value = score;
    own.hint.textContent = hint;
  }

  async function submit() {
    const reply = await post("/auth/setup", {
      bootstrapPassword: printed.input.value.trim(), password: own.input.value,
    });
    proof.set(reply.proof);
    done();
  }
}
