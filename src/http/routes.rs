//! The whole API: one row per route. `codepiper help api` prints it.

use crate::http::handlers::Api;
use crate::http::handlers::approvals;
use crate::http::handlers::audit;
use crate::http::handlers::auth;
use crate::http::handlers::channels;
use crate::http::handlers::directories;
use crate::http::handlers::drafts;
use crate::http::handlers::env_sets;
use crate::http::handlers::events;
use crate::http::handlers::freezing;
use crate::http::handlers::hooks;
use crate::http::handlers::input;
use crate::http::handlers::notices;
use crate::http::handlers::output;
use crate::http::handlers::policies;
use crate::http::handlers::sandbox;
use crate::http::handlers::sessions;
use crate::http::handlers::sets;
use crate::http::handlers::system;
use crate::http::handlers::waiting;
use crate::http::message::Door;
use crate::http::router::Access;
use crate::http::router::Route;
use crate::http::router::Run;
use crate::http::ws;
use tiny_http::Method;

type Doors = &'static [Door];

/// The person's own programs, and the dashboard after a login.
const PERSON: Doors = &[Door::Control, Door::Web];
/// The person's own programs alone.
const CONTROL: Doors = &[Door::Control];
/// Browsers alone.
const WEB: Doors = &[Door::Web];
const HOOK: Doors = &[Door::Hook];

const fn row(method: Method, path: &'static str, about: &'static str, run: Run<Api>) -> Route<Api> {
    Route { method, path, doors: PERSON, access: Access::Login, about, run }
}

const fn open(
    method: Method,
    path: &'static str,
    about: &'static str,
    run: Run<Api>,
) -> Route<Api> {
    Route { method, path, doors: PERSON, access: Access::Open, about, run }
}

const fn at(
    doors: Doors,
    method: Method,
    path: &'static str,
    about: &'static str,
    run: Run<Api>,
) -> Route<Api> {
    Route { method, path, doors, access: Access::Login, about, run }
}

/// A POST of a browser alone: it deals in cookies.
const fn web(access: Access, path: &'static str, about: &'static str, run: Run<Api>) -> Route<Api> {
    Route { method: Method::Post, path, doors: WEB, access, about, run }
}

/// A POST of the person's own programs alone.
const fn local(path: &'static str, about: &'static str, run: Run<Api>) -> Route<Api> {
    at(CONTROL, Method::Post, path, about, run)
}

/// Every route.
#[rustfmt::skip]
pub const ROUTES: &[Route<Api>] = &[
    open(Method::Get, "/health", "is the daemon well", Run::Now(system::health)),
    row(Method::Get, "/version", "which daemon this is", Run::Now(system::version)),
    row(Method::Get, "/providers", "what sessions can run", Run::Now(system::providers)),
    row(Method::Get, "/doctor", "what codepiper stands on", Run::Now(system::doctor)),
    row(Method::Post, "/doctor/prove", "prove agents' gates again", Run::Later(system::prove)),
    row(Method::Get, "/directories", "that begin like that", Run::Now(directories::list)),
    row(Method::Get, "/settings/daemon", "all settings", Run::Now(system::settings)),
    row(Method::Put, "/settings/daemon", "change settings", Run::Now(system::set_settings)),
    row(Method::Get, "/sessions", "list sessions", Run::Now(sessions::list)),
    row(Method::Post, "/sessions", "start a session", Run::Later(sessions::start)),
    row(Method::Post, "/sessions/env", "what one would get", Run::Now(sessions::show_env)),
    row(Method::Post, "/sessions/validate", "can one work there", Run::Now(directories::validate)),
    row(Method::Post, "/sessions/prune", "remove old ended sessions", Run::Now(system::prune)),
    row(Method::Get, "/sessions/:id", "show a session", Run::Now(sessions::show)),
    row(Method::Delete, "/sessions/:id", "remove an ended session", Run::Now(sessions::remove)),
    row(Method::Put, "/sessions/:id/name", "rename a session", Run::Now(sessions::rename)),
    row(Method::Post, "/sessions/:id/stop", "end a session nicely", Run::Later(waiting::stop)),
    row(Method::Post, "/sessions/:id/kill", "end a session at once", Run::Later(waiting::kill)),
    row(Method::Post, "/sessions/freeze", "stop all sessions", Run::Later(freezing::freeze_all)),
    row(Method::Post, "/sessions/thaw", "let all go on", Run::Later(freezing::thaw_all)),
    row(Method::Post, "/sessions/:id/freeze", "stop its processes", Run::Later(freezing::freeze)),
    row(Method::Post, "/sessions/:id/thaw", "let them go on", Run::Later(freezing::thaw)),
    row(Method::Put, "/sessions/:id/dangerous", "lift its policy", Run::Now(freezing::danger)),
    row(Method::Delete, "/sessions/:id/dangerous", "end that", Run::Now(freezing::no_danger)),
    row(Method::Post, "/sessions/:id/resume", "start it again", Run::Later(sessions::resume)),
    row(Method::Get, "/sessions/:id/wait", "wait for a state", Run::Later(waiting::wait)),
    row(Method::Post, "/sessions/:id/send", "type text", Run::Later(input::send)),
    row(Method::Post, "/sessions/:id/keys", "press keys", Run::Later(input::keys)),
    row(Method::Get, "/sessions/:id/model", "which model it has", Run::Now(sessions::model)),
    row(Method::Put, "/sessions/:id/model", "change the model", Run::Later(sessions::set_model)),
    row(Method::Post, "/sessions/:id/slash", "command the agent", Run::Later(input::slash)),
    row(Method::Post, "/sessions/:id/resize", "change the size", Run::Now(input::resize)),
    row(Method::Get, "/sessions/:id/output", "the visible screen", Run::Now(output::screen)),
    row(Method::Get, "/sessions/:id/log", "raw output by offset", Run::Now(output::log)),
    row(Method::Get, "/sessions/:id/index", "the log's index", Run::Now(output::index)),
    row(Method::Get, "/sessions/:id/events", "what happened in it", Run::Later(events::list)),
    row(Method::Get, "/policy-decisions", "what the gate decided", Run::Now(events::decisions)),
    row(Method::Get, "/approvals", "what waits for a person", Run::Later(approvals::list)),
    row(Method::Get, "/approvals/:id", "show an approval", Run::Now(approvals::show)),
    row(Method::Post, "/approvals/:id/approve", "let the call run", Run::Now(approvals::approve)),
    row(Method::Post, "/approvals/:id/deny", "keep it from running", Run::Now(approvals::deny)),
    row(Method::Get, "/grants", "what was granted", Run::Now(approvals::grants)),
    row(Method::Get, "/sandbox", "which cages this host has", Run::Now(sandbox::levels)),
    row(Method::Get, "/sandbox/grants", "what cages can let in", Run::Now(sandbox::list)),
    row(Method::Post, "/sandbox/revoke", "take a project's grant back", Run::Now(sandbox::revoke)),
    row(Method::Delete, "/grants/:id", "take a grant back", Run::Now(approvals::revoke)),
    row(Method::Get, "/notifications", "what happened", Run::Now(notices::list)),
    row(Method::Get, "/notifications/counts", "how many are unread", Run::Now(notices::counts)),
    row(Method::Post, "/notifications/read", "many are read", Run::Now(notices::read_all)),
    row(Method::Post, "/notifications/test", "try all channels", Run::Later(channels::test_all)),
    row(Method::Get, "/notifications/channels", "where they go", Run::Now(channels::list)),
    row(Method::Post, "/notifications/channels", "make a channel", Run::Now(channels::create)),
    row(Method::Put, "/notifications/channels/:id", "change it", Run::Now(channels::update)),
    row(Method::Delete, "/notifications/channels/:id", "remove it", Run::Now(channels::remove)),
    row(Method::Post, "/notifications/channels/:id/test", "try it", Run::Later(channels::test)),
    row(Method::Post, "/notifications/:id/read", "one is read", Run::Now(notices::read)),
    row(Method::Get, "/sessions/:id/notifications/prefs", "on or off", Run::Now(notices::prefs)),
    row(Method::Put, "/sessions/:id/notifications/prefs", "say so", Run::Now(notices::set_prefs)),
    row(Method::Get, "/audit", "rows of the audit log", Run::Now(audit::list)),
    row(Method::Get, "/audit/export", "all its rows as a file", Run::Later(audit::export)),
    row(Method::Post, "/audit/verify", "is it what it was", Run::Later(audit::verify)),
    row(Method::Get, "/audit/head", "where it ends", Run::Now(audit::head)),
    at(CONTROL, Method::Post, "/audit/key", "begin a key of it", Run::Now(audit::key)),
    row(Method::Get, "/audit/:seq", "one row", Run::Now(audit::show)),
    row(Method::Get, "/policies", "list policies", Run::Now(policies::list)),
    row(Method::Post, "/policies", "make a policy", Run::Now(policies::create)),
    row(Method::Post, "/policies/check", "look at rules that are typed", Run::Now(drafts::check)),
    row(Method::Post, "/policies/explain", "why a call is judged", Run::Now(drafts::explain)),
    row(Method::Post, "/policies/replay", "try rules on the past", Run::Later(drafts::replay)),
    row(Method::Get, "/policies/:id", "show a policy", Run::Now(policies::show)),
    row(Method::Get, "/policies/:id/history", "its versions", Run::Now(policies::history)),
    row(Method::Put, "/policies/:id", "change a policy", Run::Now(policies::update)),
    row(Method::Delete, "/policies/:id", "remove a policy", Run::Now(policies::remove)),
    row(Method::Get, "/policy-sets", "list policy sets", Run::Now(sets::list)),
    row(Method::Post, "/policy-sets", "make a policy set", Run::Now(sets::create)),
    row(Method::Get, "/policy-sets/:id", "show a policy set", Run::Now(sets::show)),
    row(Method::Put, "/policy-sets/:id", "change a policy set", Run::Now(sets::update)),
    row(Method::Delete, "/policy-sets/:id", "remove a policy set", Run::Now(sets::remove)),
    row(Method::Post, "/policy-sets/:id/policies", "put a policy into it", Run::Now(sets::add)),
    row(Method::Delete, "/policy-sets/:id/policies/:pid", "take it out", Run::Now(sets::take_out)),
    row(Method::Get, "/env-sets", "list env sets", Run::Now(env_sets::list)),
    row(Method::Post, "/env-sets", "make an env set", Run::Now(env_sets::create)),
    row(Method::Get, "/env-sets/:id", "its names, masked", Run::Now(env_sets::show)),
    row(Method::Put, "/env-sets/:id", "change an env set", Run::Now(env_sets::update)),
    row(Method::Delete, "/env-sets/:id", "remove an env set", Run::Now(env_sets::remove)),
    row(Method::Get, "/sessions/:id/policy", "a session's own policy", Run::Now(policies::own)),
    row(Method::Put, "/sessions/:id/policy", "make or change it", Run::Now(policies::set_own)),
    row(Method::Get, "/sessions/:id/effective-policies", "what decides", Run::Now(policies::all)),
    row(Method::Get, "/sessions/:id/policy-sets", "the sets that hold", Run::Now(sets::applied)),
    row(Method::Post, "/sessions/:id/policy-sets", "apply a set", Run::Now(sets::apply)),
    row(Method::Delete, "/sessions/:id/policy-sets/:set", "take it off", Run::Now(sets::unapply)),
    open(Method::Get, "/auth/status", "how far logging in is set up", Run::Now(auth::status)),
    web(Access::Open, "/auth/setup", "set the first password", Run::Later(auth::setup)),
    web(Access::Open, "/auth/login", "log in", Run::Later(auth::login)),
    web(Access::Onboarding, "/auth/mfa/setup", "a new TOTP secret", Run::Later(auth::mfa_setup)),
    web(Access::Onboarding, "/auth/mfa/verify", "its first code", Run::Later(auth::mfa_verify)),
    web(Access::Login, "/auth/password", "change it", Run::Later(auth::change_password)),
    web(Access::Login, "/auth/logout", "log out", Run::Now(auth::logout)),
    row(Method::Get, "/auth/sessions", "who is logged in", Run::Now(auth::sessions)),
    row(Method::Delete, "/auth/sessions/:id", "end one", Run::Now(auth::revoke)),
    row(Method::Post, "/auth/sessions/revoke-all", "end others", Run::Now(auth::revoke_all)),
    local("/auth/cli/bootstrap", "a password for the setup", Run::Now(auth::bootstrap)),
    local("/auth/cli/reset-password", "reset it", Run::Later(auth::reset_password)),
    local("/auth/cli/reset-mfa", "take the app away", Run::Now(auth::reset_mfa)),
    local("/key/rotate", "a new master key", Run::Now(system::rotate_key)),
    at(CONTROL, Method::Get, "/ws", "a terminal as WebSocket", Run::Later(ws::open)),
    at(HOOK, Method::Post, "/hooks/claude", "an agent's hook", Run::Later(hooks::claude)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_door_has_exactly_one_route() {
        let behind = |door| ROUTES.iter().filter(move |r| r.doors.contains(&door));
        let paths: Vec<&str> = behind(Door::Hook).map(|r| r.path).collect();
        assert_eq!(paths, ["/hooks/claude"]);
        assert!(behind(Door::Control).all(|r| !r.doors.contains(&Door::Hook)));
    }

    #[test]
    fn w3_what_only_the_persons_own_programs_may_is_not_there_over_the_web() {
        let cli = || ROUTES.iter().filter(|row| row.path.starts_with("/auth/cli/"));
        assert_eq!(cli().count(), 3);
        assert!(cli().all(|row| row.doors == CONTROL));
        assert!(ROUTES.iter().all(|row| !row.doors.contains(&Door::Socket)));
    }

    #[test]
    fn what_is_open_or_local_stands_here() {
        let named = |which: &dyn Fn(&Route<Api>) -> bool| {
            let rows = ROUTES.iter().filter(|row| which(row));
            rows.map(|row| format!("{} {}", row.method, row.path)).collect::<Vec<_>>()
        };
        assert_eq!(
            named(&|row| row.access == Access::Open),
            ["GET /health", "GET /auth/status", "POST /auth/setup", "POST /auth/login"]
        );
        assert_eq!(
            named(&|row| row.access == Access::Onboarding),
            ["POST /auth/mfa/setup", "POST /auth/mfa/verify"]
        );
        assert_eq!(
            named(&|row| row.doors == CONTROL),
            [
                "POST /audit/key",
                "POST /auth/cli/bootstrap",
                "POST /auth/cli/reset-password",
                "POST /auth/cli/reset-mfa",
                "POST /key/rotate",
                "GET /ws",
            ]
        );
    }
}
