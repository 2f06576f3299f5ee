/** The pages of the dashboard: what the navigation shows, and which view an address has. */

/** Path, label, icon (a line on a grid of 24), and which list of the feed is counted beside it. */
export const NAV = [
  ["/sessions", "Sessions", "M4 5h16v14H4zM8 10l3 2-3 2M13 15h4"],
  ["/inbox", "Inbox", "M4 13l3-8h10l3 8v6H4zM4 13h5l1 3h4l1-3h5", "approvals"],
  ["/policies", "Policies", "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM9 12l2 2 4-4"],
  ["/audit", "Audit", "M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h7"],
  ["/env-sets", "Env sets", "M8 15a4 4 0 1 1 3.5-6H20v3h-2v3h-3v-3h-3.5A4 4 0 0 1 8 15zM8 11h.01"],
  ["/settings", "Settings",
    "M4 7h9M17 7h3M4 17h3M11 17h9M17 7a2 2 0 1 1-4 0 2 2 0 0 1 4 0"
    + "zM11 17a2 2 0 1 1-4 0 2 2 0 0 1 4 0z"],
];

/** Under an address of policies stand tabs of the list, too. */
const ruled = () => Promise.all([import("./views/policies.js"), import("./views/policy.js")]);

/** Each view is a file that is fetched when it is first shown. */
export function pages(ctx) {
  const view = (path, load, make) => ({
    path, view: async (params) => make(await load(), params),
  });
  return [
    view("/sessions", () => import("./views/sessions.js"), (file) => file.sessions(ctx)),
    view("/sessions/:id", () => import("./views/session.js"),
      (file, { id }) => file.session(ctx, id)),
    ...["/settings", "/settings/:tab"].map((path) =>
      view(path, () => import("./views/settings.js"),
        (file, params) => file.settings(ctx, params))),
    view("/inbox", () => import("./views/inbox.js"), (file) => file.inbox(ctx)),
    view("/policies", () => import("./views/policies.js"), (file) => file.policies(ctx)),
    view("/policies/set/:id", () => import("./views/policy_set.js"),
      (file, { id }) => file.policySet(ctx, id)),
    view("/policies/:id", ruled, ([list, one], { id }) =>
      (list.isTab(id) ? list.policies(ctx, id) : one.policy(ctx, id))),
    view("/audit", () => import("./views/audit.js"), (file) => file.audit(ctx)),
    view("/audit/:seq", () => import("./views/audit_row.js"),
      (file, { seq }) => file.auditRow(ctx, seq)),
    view("/env-sets", () => import("./views/env_sets.js"), (file) => file.envSets(ctx)),
    view("/inbox/:tab", () => import("./views/inbox.js"), (file, { tab }) => file.inbox(ctx, tab)),
  ];
}
