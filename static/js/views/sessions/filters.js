/** The bar above the list: which groups, which provider, and words that are looked for. */

import { h, say, show } from "../../lib/dom.js";
import { groupOf, matches } from "./order.js";

const GROUPS = [
  ["all", "All"], ["waiting", "Waiting"], ["running", "Running"], ["ended", "Ended"],
];
/** What was chosen lives as long as the page, so that a visit to a session loses nothing. */
const chosen = { group: "all", provider: "", text: "" };

/** `{ node, search, wanted(all), clear() }`; `changed()` is told of each choice. */
export function filters(changed) {
  const groups = GROUPS.map(([id, label]) => {
    const count = h("span", { class: "meta" });
    const button = h("button", { type: "button", class: "chip", onclick: () => choose(id) },
      label, count);
    return { id, button, count };
  });
  const provider = h("select", { "aria-label": "Provider", onchange: () => {
    chosen.provider = provider.value;
    changed();
  } });
  const search = h("input", {
    type: "search", placeholder: "Search name, directory, id, output", "aria-label": "Search",
    autocomplete: "off", spellcheck: "false", value: chosen.text, oninput: look, onkeydown: leave,
  });
  const node = h("div", { class: "filters", role: "search" },
    h("div", { class: "chips", role: "group", "aria-label": "Which sessions" },
      groups.map(({ button }) => button)),
    provider, search);
  return { node, search, wanted, clear };

  function choose(id) {
    chosen.group = id;
    changed();
  }

  function look() {
    chosen.text = search.value;
    changed();
  }

  function leave(event) {
    if (event.key !== "Escape" && event.key !== "Enter") return;
    event.preventDefault();
    if (event.key === "Escape") search.value = "";
    look();
    const first = event.key === "Enter" && document.querySelector(".session-name");
    if (first) first.focus();
    else search.blur();
  }

  function clear() {
    Object.assign(chosen, { group: "all", provider: "", text: "" });
    search.value = "";
    changed();
  }

  /** Those of `all` that are wanted; the bar then says how many there are of each kind. */
  function wanted(all) {
    offer([...new Set(all.map((session) => session.provider))].sort());
    const found = all.filter((session) => matches(session, chosen.text)
      && (!chosen.provider || session.provider === chosen.provider));
    for (const { id, button, count } of groups) {
      const here = id === "all" ? found.length : found.filter((s) => groupOf(s) === id).length;
      say(count, String(here));
      button.setAttribute("aria-pressed", String(id === chosen.group));
    }
    return found.filter((s) => chosen.group === "all" || groupOf(s) === chosen.group);
  }

  function offer(providers) {
    // A choice of one is none, but what was chosen has to be there to be taken back.
    provider.hidden = providers.length < 2 && !chosen.provider;
    const ids = [...new Set([...providers, chosen.provider])].filter(Boolean);
    if (ids.join() === provider.dataset.ids) return;
    provider.dataset.ids = ids.join();
    show(provider, h("option", { value: "" }, "Every provider"),
      ids.map((id) => h("option", { value: id, selected: id === chosen.provider }, id)));
  }
}
