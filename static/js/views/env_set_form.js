/**
 * Making and changing an env set.
 *
 * 1. A value MUST be in the page only between the paste and the answer of the daemon: what is typed
 *    is masked, and gone when it was saved or the dialog closes.
 * 2. An error MUST NOT show what stands in a line.
 */

import { post, put } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { parse } from "../lib/env_file.js";
import { many, sentence } from "../lib/format.js";
import { dialog } from "../parts/dialog.js";
import { area, field, form, toggle } from "../parts/field.js";
import { toast } from "../parts/toast.js";
import { visible } from "../parts/visible_text.js";

const HINT = "One NAME=VALUE a line, as in a .env file. Quotes keep blanks and new lines.";

/** Asks for a new set; `saved()` after it was made. */
export function makeSet(saved) {
  const name = field("Name", { autocomplete: "off", maxlength: 100, autofocus: true });
  const about = field("What it is for", { autocomplete: "off", required: false });
  const vars = variables("Variables");
  open("New env set", "Make it", vars, async (loaders) => {
    await post("/env-sets", {
      name: name.input.value, description: about.input.value.trim(), vars: vars.read(), ...loaders,
    });
    saved();
    return `Made ${name.input.value.trim()}.`;
  }, name.node, about.node, vars.node);
}

/** Asks what to change about a set; `saved()` afterwards. */
export function changeSet(set, saved) {
  const name = field("Name", { autocomplete: "off", maxlength: 100, value: set.name });
  const about = field("What it is for", {
    autocomplete: "off", required: false, value: set.description ?? "",
  });
  const vars = variables("New values",
    "Only these variables are set or replaced; the others stay as they are.");
  const whole = toggle("Replace all: what is not named above goes");
  const out = Object.keys(set.maskedVars).map((known, at) => {
    const input = h("input", { type: "checkbox", id: `unset-${at}`, value: known });
    return h("div", { class: "check" }, input,
      h("label", { for: input.id }, h("code", {}, visible(known, false))));
  });
  const picks = out.length > 0 && h("fieldset", { class: "picks" },
    h("legend", {}, "Take out"), out);
  whole.input.addEventListener("change", () => picks && (picks.disabled = whole.input.checked));
  open(`Change ${set.name}`, "Save", vars, async (loaders) => {
    const given = vars.read();
    const unset = whole.input.checked ? [] : out.map((box) => box.querySelector("input"))
      .filter(({ checked }) => checked).map(({ value }) => value);
    await put(`/env-sets/${encodeURIComponent(set.id)}`, {
      name: name.input.value, description: about.input.value.trim(), ...loaders,
      ...(whole.input.checked ? { vars: given } : { set: given, unset }),
    });
    saved();
    return "Saved. Sessions that run keep what they have; the next start has it.";
  }, name.node, about.node, vars.node, whole.node, picks);
}

function open(title, label, vars, submit, ...fields) {
  const loaders = toggle("Allow variables that make programs load other code, like LD_PRELOAD");
  loaders.node.hidden = true;
  const opened = dialog(title, form(label, async () => {
    try {
      const said = await submit(loaders.input.checked ? { allowLoaderVars: true } : {});
      vars.clear();
      toast(said);
      opened.close();
    } catch (error) {
      // The daemon's words name an option of the command line; here it is a box.
      if (/--allow-loader-vars/u.test(error.message)) {
        loaders.node.hidden = false;
        const how = "tick the box below";
        throw new Error(error.message.replace("say so with --allow-loader-vars", how));
      }
      throw error;
    }
  }, fields, loaders.node), vars.clear);
}

/** A masked text of variables: `{ node, read(), clear() }`; `read` throws with the line. */
function variables(label, more = "") {
  const { node, input } = area(label, {
    class: "code-text masked", rows: 6, spellcheck: "false", autocomplete: "off",
    autocapitalize: "off", oninput: tell,
  }, [HINT, " ", more]);
  const found = h("p", { class: "meta", role: "status" });
  const peek = h("button", {
    type: "button", class: "text", "aria-pressed": "false", onclick: flip,
  }, "Show what I type");
  node.append(peek, found);
  return { node, read, clear };

  function read() {
    return Object.fromEntries(parse(input.value));
  }

  function tell() {
    try {
      const names = [...parse(input.value).keys()];
      show(found, names.length > 0 && [`${many(names.length, "variable")}: `,
        h("code", {}, visible(names.join(", "), false))]);
      found.classList.remove("problem");
    } catch (error) {
      show(found, sentence(error.message));
      found.classList.add("problem");
    }
  }

  function flip() {
    const masked = input.classList.toggle("masked");
    peek.textContent = masked ? "Show what I type" : "Hide what I type";
    peek.setAttribute("aria-pressed", String(!masked));
    input.focus();
  }

  function clear() {
    input.value = "";
    show(found);
  }
}
