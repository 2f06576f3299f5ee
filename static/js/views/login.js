/**
 * Signing in: password and code together, so that neither can be tried alone. The daemon does not
 * tell strangers how far it is set up, so the page offers all three ways.
 */

import { proof, signIn } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { codeField, digits, field, form, userName } from "../parts/field.js";

/** The form; `enter()` after a login, `toEnrol()` where the authenticator comes first. */
export function login(enter, toEnrol) {
  const password = field("Password", { type: "password", autocomplete: "current-password" });
  const second = h("div", { class: "second" });
  const ways = [authenticator(), recovery(), none()];
  let way = null;
  choose(ways[0]);
  return h("div", {}, h("h1", {}, "Sign in"),
    form("Sign in", submit, userName(), password.node, second));

  function choose(chosen) {
    way = chosen;
    const others = ways.filter((other) => other !== way).map((other) =>
      h("button", { type: "button", class: "text", onclick: () => turn(other) }, other.label));
    show(second, way.node, h("div", { class: "others" }, others));
  }

  function turn(other) {
    choose(other);
    (second.querySelector("input") ?? password.input).focus();
  }

  async function submit() {
    try {
      await signIn({ password: password.input.value, ...way.factor() });
      enter();
    } catch (error) {
      if (error.body?.mfaSetupRequired) {
        proof.set(error.body.proof);
        toEnrol();
        return;
      }
      // Each code is taken once: the next try needs another.
      ways[0].clear();
      throw error;
    }
  }
}

function authenticator() {
  const { node, input } = codeField("Code from your authenticator");
  return {
    label: "Use the authenticator",
    node,
    factor: () => ({ totpCode: digits(input) }),
    clear: () => { input.value = ""; },
  };
}

function recovery() {
  const { node, input } = field("Recovery code", {
    class: "code long", autocomplete: "off", autocapitalize: "characters", spellcheck: "false",
  }, "Each works once.");
  return {
    label: "Use a recovery code",
    node,
    factor: () => ({ recoveryCode: input.value.trim() }),
  };
}

function none() {
  return {
    label: "Set up an authenticator",
    node: h("p", { class: "hint" }, "Before the first one, and after ",
      h("code", {}, "codepiper auth reset-mfa"), ", the password leads to a new authenticator."),
    factor: () => ({}),
  };
}
