/** Settings: of the daemon, of what it tells a person, of who signs in, and how it is. */

import { h } from "../lib/dom.js";
import { head } from "../parts/page.js";
import { tabs } from "../parts/tabs.js";
import { general } from "./settings/general.js";
import { health } from "./settings/health.js";
import { notices } from "./settings/notices.js";
import { signingIn } from "./settings/signing_in.js";

const TABS = [
  { id: "general", label: "General", make: general },
  { id: "notifications", label: "Notices", make: notices },
  { id: "signing-in", label: "Signing in", make: signingIn },
  { id: "health", label: "Health", make: health },
];

/** The view; `tab` is in the address, so that it can be linked to. */
export function settings(ctx, { tab }) {
  const { bar, panels, select } = tabs("Settings", TABS, (id) => {
    history.replaceState(null, "", `#/settings/${id}`);
  });
  select(tab ?? TABS[0].id);
  return { node: h("div", { class: "view settings" }, head("Settings"), bar, panels),
    title: "Settings" };
}
