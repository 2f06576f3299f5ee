/** Who is signed in, and what signing in takes. */

import { get, post, remove, signedIn } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { device, span } from "../../lib/format.js";
import { LEAST_CHARS, strength } from "../../lib/strength.js";
import { badge } from "../../parts/badge.js";
import { confirm, dialog } from "../../parts/dialog.js";
import { keep, picture } from "../../parts/factor.js";
import { codeField, digits, field, form, userName } from "../../parts/field.js";
import { fill } from "../../parts/page.js";
import { toast } from "../../parts/toast.js";

/** The panel. */
export function signingIn() {
  const place = h("div", {});
  const again = fill(place, async () => [
    (await get("/auth/sessions")).sessions, await get("/auth/status"),
  ], ([sessions, status]) => [browsers(sessions, again), secrets(status, again)]);
  return place;
}

function browsers(sessions, again) {
  const others = sessions.filter((one) => !one.current);
  return h("section", { class: "group" }, h("h2", {}, "Signed in"),
    h("ul", { class: "rows" }, sessions.map((one) => browser(one, again))),
    others.length > 0 && h("div", { class: "actions" },
      h("button", { type: "button", class: "danger", onclick: () => endOthers(again) },
        "Sign all others out")));
}

function browser(one, again) {
  return h("li", { class: "row-plain" },
    h("div", {}, h("p", { class: "row-head" }, h("strong", {}, device(one.userAgent)),
      one.current && badge("this browser", "busy"),
      one.kind === "onboarding" && badge("setting up", "ask")),
    h("p", { class: "meta", title: one.userAgent },
      `${one.ipAddress} · used ${span(one.lastUsedAt)} ago · signed in ${span(one.createdAt)} ago`
      + ` · ends in ${span(one.expiresAt)}`)),
    !one.current && h("button", { type: "button", onclick: end }, "Sign out"));

  async function end(event) {
    event.target.disabled = true;
    await remove(`/auth/sessions/${encodeURIComponent(one.id)}`)
      .catch((error) => toast(error.message));
    again();
  }
}

function endOthers(again) {
  confirm({
    title: "Sign all others out?",
    text: "Every browser but this one has to sign in again.",
    action: "Sign them out",
    act: async () => {
      await post("/auth/sessions/revoke-all");
      again();
    },
  });
}

function secrets(status, again) {
  const left = status.recoveryCodesLeft;
  return h("section", { class: "group" }, h("h2", {}, "What signing in takes"),
    h("p", { class: left <= 3 ? "problem" : "meta" },
      `${left} recovery ${left === 1 ? "code is" : "codes are"} left. `
      + "A new authenticator brings new ones."),
    h("div", { class: "actions" },
      h("button", { type: "button", onclick: () => newPassword(again) }, "Change the password"),
      h("button", { type: "button", onclick: () => newFactor(again) }, "New authenticator")));
}

function newPassword(again) {
  const now = field("Current password", { type: "password", autocomplete: "current-password" });
  const next = field("New password", {
    type: "password", autocomplete: "new-password", minlength: LEAST_CHARS, oninput: judge,
  });
  const code = codeField("Code from your authenticator");
  const asked = dialog("Change the password", [
    h("p", { class: "meta" }, "All other browsers are signed out."),
    form("Change it", submit, userName(), now.node, next.node, code.node),
  ]);
  judge();

  function judge() {
    next.hint.textContent = strength(next.input.value).hint;
  }

  async function submit() {
    signedIn(await post("/auth/password", {
      currentPassword: now.input.value, newPassword: next.input.value,
      totpCode: digits(code.input),
    }));
    asked.close();
    toast("The password is changed.");
    again();
  }
}

/** Another authenticator: password and a code of today's, then the first code of the new one. */
function newFactor(again) {
  const place = h("div", { class: "form" });
  const asked = dialog("New authenticator", place, again);
  const password = field("Password", { type: "password", autocomplete: "current-password" });
  const code = codeField("Code from the current authenticator");
  show(place, h("p", { class: "meta" },
    "The current one counts until the new one has shown its first code. All other browsers are "
    + "signed out then, and the recovery codes are new."),
  form("Continue", async () => {
    const offer = await post("/auth/mfa/setup", {
      password: password.input.value, totpCode: digits(code.input),
    });
    scan(offer);
  }, userName(), password.node, code.node));
  password.input.focus();

  function scan(offer) {
    const first = codeField("Code from the new one", "Six digits, new every 30 seconds.");
    show(place, picture(offer), form("Verify", async () => {
      const reply = await post("/auth/mfa/verify", { totpCode: digits(first.input) });
      signedIn(reply);
      // Whoever closed this by accident would have no codes.
      asked.hold();
      show(place, keep(reply.recoveryCodes, "Done", () => asked.close()));
    }, first.node));
    first.input.focus();
  }
}
