/** Which env sets a session gets, in which order, and which policy sets hold in it. */

import { h, say, show } from "../../lib/dom.js";

let made = 0;

/** `{ node, ids() }` of the env sets that are chosen, in the order in which they were. */
export function envSets(all, last) {
  if (all.length === 0) {
    return { node: group("Env sets", h("p", { class: "meta" }, "There are none. ",
      h("a", { href: "#/env-sets" }, "Make one"), " to give sessions variables.")), ids: () => [] };
  }
  let chosen = (last ?? []).filter((id) => all.some((set) => set.id === id));
  const rows = all.map((set) => row(set.name, names(set), (is) => {
    chosen = is ? [...chosen, set.id] : chosen.filter((id) => id !== set.id);
    draw();
  }));
  draw();
  return {
    node: group("Env sets", rows.map((one) => one.node),
      h("p", { class: "hint" }, "Of two values for one name the later set's counts.")),
    ids: () => chosen,
  };

  function draw() {
    rows.forEach((one, at) => {
      const place = chosen.indexOf(all[at].id);
      one.input.checked = place >= 0;
      say(one.mark, place >= 0 && chosen.length > 1 ? `${place + 1}.` : "");
    });
  }
}

const names = (set) => Object.keys(set.maskedVars ?? {}).join(", ") || "empty";

/** `{ node, ids() }` of the policy sets that hold from the session's first call on. */
export function policySets(all, last) {
  const usual = all.filter((set) => set.isDefault).map((set) => set.id);
  const wanted = new Set(last ?? usual);
  const rows = all.map((set) => {
    const one = row(set.name, set.description ?? "", (is) => {
      if (is) wanted.add(set.id);
      else wanted.delete(set.id);
    });
    one.input.checked = wanted.has(set.id);
    return one;
  });
  return {
    node: group("Policy sets", rows.map((one) => one.node)),
    ids: () => all.map((set) => set.id).filter((id) => wanted.has(id)),
  };
}

function row(label, about, changed) {
  made += 1;
  const id = `set-choice-${made}`;
  const mark = h("span", { class: "meta" });
  const input = h("input", { type: "checkbox", id, onchange: () => changed(input.checked) });
  const node = h("div", { class: "set" }, h("div", { class: "check" }, input,
    h("label", { for: id }, label), mark), h("span", { class: "meta" }, about));
  return { node, input, mark };
}

function group(label, ...children) {
  const node = h("fieldset", { class: "group" }, h("legend", {}, label));
  const place = h("div", {});
  show(place, children);
  node.append(place);
  return node;
}
