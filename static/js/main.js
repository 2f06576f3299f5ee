/** The dashboard: who am I, what is live, which view. */

import { get, onSignedOut, post, proof } from "./lib/api.js";
import { h, icon } from "./lib/dom.js";
import { router } from "./lib/router.js";
import { Socket } from "./lib/socket.js";
import { feed } from "./feed.js";
import { toast } from "./parts/toast.js";
import { inbox } from "./views/inbox.js";
import { session } from "./views/session.js";
import { sessions } from "./views/sessions.js";

/** What stands in the navigation: path, label, icon, and what it counts. */
const NAV = [
  ["/sessions", "Sessions", "M4 5h16v14H4zM8 10l3 2-3 2M13 15h4"],
  ["/inbox", "Inbox", "M4 13l3-8h10l3 8v6H4zM4 13h5l1 3h4l1-3h5", (ctx) => ctx.approvals],
];
const OUT = "M10 4H5v16h5M14 8l4 4-4 4M9 12h9";

function leave() {
  proof.clear();
  location.replace("/login");
}

async function signOut() {
  await post("/auth/logout").catch((error) => toast(error.message));
  leave();
}

async function stillIn() {
  const status = await get("/auth/status").catch(() => null);
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

function frame(ctx, outlet) {
  const links = NAV.map(([path, label, line, counted]) =>
    h("a", { href: `#${path}`, class: "nav-link" }, icon(line), h("span", {}, label),
      counted && count(counted(ctx))));
  const bar = h("header", { class: "bar" },
    h("a", { href: "#/sessions", class: "brand" }, h("img", { src: "/icon.svg", alt: "" }),
      "codepiper"),
    h("nav", { class: "nav", "aria-label": "Main" }, links),
    h("div", { class: "bar-end" }, link(ctx.socket),
      h("button", { class: "quiet", onclick: signOut }, icon(OUT), h("span", {}, "Sign out"))));
  document.body.append(h("a", { href: "#main", class: "skip", onclick: skip }, "Skip to content"),
    bar, outlet);
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
  const outlet = h("main", { id: "main", tabindex: "-1" });
  const links = frame(ctx, outlet);
  let title = "";
  const entitle = () => {
    const waiting = ctx.approvals.get()?.length;
    document.title = `${waiting ? `(${waiting}) ` : ""}${title} · codepiper`;
  };
  ctx.approvals.watch(entitle);
  router([
    { path: "/sessions", view: () => sessions(ctx) },
    { path: "/sessions/:id", view: ({ id }) => session(ctx, id) },
    { path: "/inbox", view: () => inbox(ctx) },
  ], outlet, (path, view) => {
    title = view.title;
    entitle();
    for (const a of links) {
      const here = path.startsWith(a.getAttribute("href").slice(1));
      if (here) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    }
  });
}

onSignedOut(leave);
const status = await get("/auth/status").catch(() => null);
if (status && !(status.authenticated && proof.get())) leave();
else start();
