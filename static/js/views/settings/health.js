/** How the daemon is: its version, and what it stands on. */

import { get, post } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { sentence } from "../../lib/format.js";
import { badge } from "../../parts/badge.js";
import { fill } from "../../parts/page.js";
import { words } from "../../parts/field.js";
import { toast } from "../../parts/toast.js";

/** The panel. */
export function health() {
  const place = h("div", {});
  const again = fill(place, load, draw);
  const prove = h("button", { type: "button", onclick: tryAgents }, "Prove the gates again");
  return [place, h("div", { class: "actions" },
    h("button", { type: "button", onclick: again }, "Look again"), prove)];

  async function tryAgents() {
    prove.disabled = true;
    prove.textContent = "Proving… this takes some seconds";
    await post("/doctor/prove").catch((error) => toast(words(error)));
    prove.disabled = false;
    prove.textContent = "Prove the gates again";
    again();
  }
}

async function load() {
  const [version, state, found] = await Promise.all(
    [get("/version"), get("/health"), get("/doctor")]);
  return { version, state, checks: found.checks };
}

function draw({ version, state, checks }) {
  const well = state.status === "ok" && checks.every((check) => check.ok);
  return [
    h("section", { class: "group" }, h("h2", {}, "This daemon"),
      h("dl", { class: "row-facts" },
        fact("Version", `${version.version} (build ${version.build})`),
        fact("Process", String(version.pid)),
        version.web && fact("Address", version.web.url),
        fact("State", state.status === "ok" ? "well" : state.reason))),
    h("section", { class: "group" },
      h("h2", {}, "What it stands on ", badge(well ? "all is well" : "needs a look",
        well ? "busy" : "bad")),
      h("ul", { class: "checks" }, checks.map(check))),
  ];
}

function check({ name, ok, detail, fix }) {
  return h("li", { class: "check-row" }, badge(ok ? "ok" : "not ok", ok ? "busy" : "bad"),
    h("div", {}, h("p", { class: "check-name" }, sentence(name)),
      h("p", { class: "meta" }, sentence(detail)), fix && h("p", { class: "problem" },
        `What to do: ${fix}`)));
}

function fact(name, text) {
  return [h("dt", {}, name), h("dd", {}, text)];
}
