/** The dashboard: who am I, what is live, which view. */

import { announce } from "./announce.js";
import { feed } from "./feed.js";
import { onSignedOut, post, proof, standing } from "./lib/api.js";
import { h, icon, show } from "./lib/dom.js";
import { router } from "./lib/router.js";
import { Socket } from "./lib/socket.js";
import { apply } from "./lib/theme.js";
import { NAV, pages } from "./pages.js";
import { registerOffline } from "./parts/installed.js";
import { keysHelp } from "./parts/keys_help.js";
import { failed } from "./parts/page.js";
import { toast } from "./parts/toast.js";

const OUT = "M10 4H5v16h5M14 8l4 4-4 4M9 12h9";
/** A connection that comes back sooner than this was nothing to tell anybody of. */
const AWAY_MS = 1500;

function leave() {
  proof.clear();
  location.replace("/login");
}

async function signOut() {
  await post("/auth/logout").catch((error) => toast(error.message));
  leave();
}

async function stillIn() {
  const status = await standing().catch(() => null);
  if (status && !status.authenticated) leave();
}

function count(value) {
  const badge = h("span", { class: "count" });
  value.watch((all) => {
    badge.textContent = all?.length ? all.length : "";
    badge.toggleAttribute("hidden", !all?.length);
    badge.setAttribute("aria-label", all?.length ? `${all.length} waiting` : "");
  });
  return badge;
}

function link(socket) {
  const words = h("span", { class: "link", role: "status" });
  socket.state.watch((state) => {
    words.textContent = state === "open" ? "Live" : "Reconnecting…";
    words.dataset.state = state;
  });
  return words;
}

/** What could not be had meanwhile is asked for again. */
function back() {
  toast("Connected again. Nothing was lost.");
  document.querySelectorAll("[data-again]").forEach((button) => button.click());
}

/** Says over the whole page that what it shows may be old, and when that is over. */
function banner(socket) {
  const line = h("p", { class: "banner", hidden: true });
  let timer = null;
  let told = false;
  socket.state.watch((state) => {
    clearTimeout(timer);
    if (state === "open") {
      line.hidden = true;
      if (told) back();
      told = false;
      return;
    }
    timer = setTimeout(() => {
      told = true;
      line.hidden = false;
      line.textContent = "The daemon cannot be reached. Sessions run on; this page comes back by "
        + "itself, and shows what it last knew.";
    }, AWAY_MS);
  });
  return line;
}

function frame(ctx, outlet) {
  const links = NAV.map(([path, label, line, counted]) =>
    h("a", { href: `#${path}`, class: "nav-link" }, icon(line), h("span", {}, label),
      counted && count(ctx[counted])));
  const bar = h("header", { class: "bar" },
    h("a", { href: "#/sessions", class: "brand" }, h("img", { src: "/icon.svg", alt: "" }),
      "codepiper"),
    h("nav", { class: "nav", "aria-label": "Main" }, links),
    h("div", { class: "bar-end" }, link(ctx.socket),
      h("button", { class: "quiet", onclick: signOut }, icon(OUT), h("span", {}, "Sign out"))));
  document.body.append(h("a", { href: "#main", class: "skip", onclick: skip }, "Skip to content"),
    bar, h("div", { class: "room" }, banner(ctx.socket), outlet));
  return links;

  function skip(event) {
    // The address belongs to the views.
    event.preventDefault();
    outlet.focus();
  }
}

function start() {
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
  const socket = new Socket(address, proof.get, stillIn);
  socket.onError = ({ error }) => toast(error);
  const ctx = { socket, ...feed(socket) };
  keysHelp();
  announce(ctx);
  const outlet = h("main", { id: "main", tabindex: "-1" });
  const links = frame(ctx, outlet);
  let title = "";
  const entitle = () => {
    const waiting = ctx.approvals.get()?.length;
    document.title = `${waiting ? `(${waiting}) ` : ""}${title} · codepiper`;
  };
  ctx.approvals.watch(entitle);
  router(pages(ctx), outlet, entered, (error) => {
    show(outlet, failed(error, () => location.reload()));
  });

  function entered(path, view) {
    title = view.title;
    entitle();
    for (const a of links) {
      const here = path.startsWith(a.getAttribute("href").slice(1));
      if (here) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    }
  }
}

apply();
onSignedOut(leave);
const status = await standing().catch(() => null);
if (status && !(status.authenticated && proof.get())) leave();
else start();
registerOffline();
