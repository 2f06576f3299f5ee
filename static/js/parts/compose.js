/**
 * A box to write a prompt in, with all that a phone's keyboard can do: it is a plain field, and
 * what is in it goes out whole, as one paste.
 */

import { post } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { words } from "./field.js";

const TOUCH = window.matchMedia("(pointer: coarse)");

/**
 * The box of a session; `paste(text)` puts a text into its terminal without an Enter. With `queues`
 * it can be left to wait until the agent rests.
 */
export function compose(id, { paste, queues }) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const text = h("textarea", {
    rows: "1", "aria-label": "Prompt",
    placeholder: TOUCH.matches ? "Write to it" : "Write to it; Ctrl+Enter sends",
    enterkeyhint: "enter", autocapitalize: "sentences", oninput: () => tidy(text), onkeydown: keys,
  });
  const later = queues ? h("button", {
    type: "button", class: "quiet", "aria-pressed": "false", onclick: flip,
    title: "Waits until the agent has finished what it does now",
  }, "When idle") : null;
  const put = h("button", {
    type: "button", class: "quiet", onclick: putIn, title: "Into the terminal, without Enter",
  }, "Paste");
  const send = h("button", { type: "submit", class: "primary" }, "Send");
  const node = h("form", { class: "compose", onsubmit: go }, text,
    h("div", { class: "compose-keys" }, later, put, send), problem);
  let under = null;
  return node;

  async function go(event) {
    event.preventDefault();
    // The same button takes back what still waits.
    if (under) return under.abort();
    if (!text.value) return text.focus();
    under = new AbortController();
    const queue = later?.getAttribute("aria-pressed") === "true";
    const slow = setTimeout(() => { send.textContent = "Take back"; }, 500);
    text.readOnly = true;
    problem.hidden = true;
    try {
      const path = `/sessions/${encodeURIComponent(id)}/send`;
      await post(path, { text: text.value, queue }, under.signal);
      text.value = "";
    } catch (error) {
      if (error.code !== "aborted") tell(error);
    }
    clearTimeout(slow);
    under = null;
    text.readOnly = false;
    send.textContent = "Send";
    tidy(text);
    text.focus();
  }

  function tell(error) {
    problem.textContent = words(error);
    problem.hidden = false;
  }

  function putIn() {
    if (!text.value || !paste(text.value)) return;
    text.value = "";
    problem.hidden = true;
    tidy(text);
  }

  function flip() {
    later.setAttribute("aria-pressed", String(later.getAttribute("aria-pressed") !== "true"));
  }

  function keys(event) {
    // While a word is being composed Enter belongs to the keyboard.
    if (event.key !== "Enter" || event.isComposing || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    node.requestSubmit();
  }
}

/** Makes a field as high as what is written, up to what the style sheet allows. */
function tidy(text) {
  text.style.setProperty("height", "auto");
  if (text.value) text.style.setProperty("height", `${text.scrollHeight + 2}px`);
}
