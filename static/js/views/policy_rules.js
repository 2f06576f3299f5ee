/**
 * The rules of a policy, changed as text.
 *
 * 1. A change that was made elsewhere meanwhile MUST NOT be overwritten unseen.
 * 2. What was typed MUST survive a look at another page.
 */

import { get, put } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { diff } from "../lib/diff.js";
import { changed, tally } from "../parts/call.js";
import { words } from "../parts/field.js";
import { rulesEditor } from "../parts/rules_editor.js";
import { toast } from "../parts/toast.js";

/** Texts that are typed and not saved, by policy: `{ text, version }`. */
const drafts = new Map();

/** `{ node, text(), isChanged(), keep(), forget() }`; `saved()` draws the policy anew. */
export function rules(policy, saved) {
  const own = !policy.builtIn && !policy.repository;
  const stored = textOf(policy);
  const kept = drafts.get(policy.id);
  let { version } = kept ?? policy;
  const status = h("span", { class: "meta", role: "status" });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const place = h("div", {});
  const save = h("button", { type: "button", class: "primary", onclick: store, disabled: true },
    "Save");
  const back = h("button", { type: "button", onclick: revert, disabled: true }, "Undo all");
  const editor = rulesEditor(kept?.text ?? stored, {
    name: policy.name, readonly: !own, changed: judged,
    below: own ? [h("div", { class: "save-bar" }, save, back, status), problem, place]
      : h("p", { class: "meta" }, policy.builtIn
        ? "It is part of codepiper and cannot be changed. Copy its rules into a policy of your own."
        : "It comes from the session's repository."),
  });
  window.addEventListener("beforeunload", hold);
  const node = h("div", { class: "stack" },
    kept && own && h("p", { class: "notice" }, "What you typed here before is not saved yet."),
    editor.node);
  return { node, text: () => editor.input.value, isChanged, keep, forget };

  function isChanged() {
    return editor.input.value !== stored;
  }

  function judged(said) {
    save.disabled = !said?.ok || !isChanged();
    back.disabled = !isChanged();
    status.textContent = !isChanged() ? "" : said === null ? "Checking…"
      : said.ok ? "Not saved yet. Comments are not kept." : "Not saved: mend it first.";
  }

  async function store() {
    save.disabled = true;
    problem.hidden = true;
    try {
      const said = await editor.checked();
      if (!said.ok) return;
      await put(`/policies/${encodeURIComponent(policy.id)}`, { rules: said.rules, version });
      forget();
      toast("Saved. It holds from the next call on.");
      saved();
    } catch (error) {
      if (error.status === 409) return conflict(error);
      problem.textContent = words(error);
      problem.hidden = false;
      save.disabled = false;
    }
  }

  async function conflict(error) {
    const now = (await get(`/policies/${encodeURIComponent(policy.id)}`)).policy;
    const lines = diff(textOf(now).split("\n"), editor.input.value.split("\n"));
    show(place, h("div", { class: "conflict", role: "alert" },
      h("p", {}, h("b", {}, words(error))),
      h("p", {}, `Version ${now.version} stands there now. Yours against it:`),
      h("div", {}, tally(lines), changed(lines)),
      h("div", { class: "actions" },
        h("button", { type: "button", onclick: theirs }, "Take theirs"),
        h("button", { type: "button", class: "danger", onclick: () => mine(now) },
          "Save mine over it"))));
  }

  function theirs() {
    forget();
    saved();
  }

  function mine(now) {
    version = now.version;
    show(place);
    store();
  }

  function revert() {
    show(place);
    editor.set(stored);
    editor.input.focus();
  }

  /** The page goes: what was typed is there when it comes back. */
  function keep() {
    window.removeEventListener("beforeunload", hold);
    if (own && isChanged()) drafts.set(policy.id, { text: editor.input.value, version });
    else drafts.delete(policy.id);
  }

  function forget() {
    window.removeEventListener("beforeunload", hold);
    editor.input.value = stored;
    drafts.delete(policy.id);
  }

  function hold(event) {
    if (own && isChanged()) event.preventDefault();
  }
}

/** The line form; rules that cannot be read have none, and are shown as they are stored. */
function textOf({ lines, rules: list }) {
  return lines ?? JSON.stringify(list, null, 2);
}
