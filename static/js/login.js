/** The page in front of the dashboard: signing in, and the first time the way to it. */

import { proof, standing } from "./lib/api.js";
import { enter, h, show } from "./lib/dom.js";
import { apply } from "./lib/theme.js";
import { enrol } from "./views/enrol.js";
import { first } from "./views/first.js";
import { login } from "./views/login.js";

const card = h("main", { class: "gate-card" });

/** Puts one step into the card, and the cursor into its first field. */
function step(node) {
  show(card, node);
  enter(card);
}

/** The cookie and the proof of the new login are all that the dashboard needs. */
function goIn() {
  location.replace("/");
}

function start(status) {
  const toEnrol = () => step(enrol(goIn));
  if (status.authenticated && proof.get()) return goIn();
  if (status.setupRequired) return step(first(toEnrol));
  if (status.onboardingPending) return toEnrol();
  return step(login(goIn, toEnrol));
}

async function look() {
  try {
    start(await standing());
  } catch (error) {
    step([
      h("h1", {}, "No answer"), h("p", {}, error.message),
      h("button", { class: "primary", onclick: look }, "Try again"),
    ]);
  }
}

apply();
document.body.append(
  h("div", { class: "gate" },
    h("p", { class: "brand" }, h("img", { src: "/icon.svg", alt: "" }), "codepiper"), card));
look();
