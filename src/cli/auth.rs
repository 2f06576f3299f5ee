//! `auth`: how a person logs in over the web, seen and mended from a terminal.

use crate::base::error::{Code, Error, Result};
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::describe::word;
use crate::cli::out::Color;
use crate::cli::out::cell;
use crate::cli::prompt;
use crate::cli::text;
use crate::cli::verb;
use crate::cli::verb::Verb;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead;

const DETAILS: &str = "\
A login takes a password and a code of an authenticator app, always. The first
password is set in the dashboard with a bootstrap password, the app after that.
Who has lost the app logs in with a recovery code, or resets it here.

reset-password and reset-mfa end all web sessions; attempts are no longer made
to wait. After reset-password a code is asked as before; after reset-mfa the
next login can set up an app and nothing else.

A password is typed twice and not shown; without a terminal it is read from
standard input, two lines. It has at least 8 characters.";

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "auth",
    aliases: &[],
    group: Group::Daemon,
    usage: "VERB ...",
    about: "Who may log in over the web, and who is logged in",
    options: &[],
    words: Words::Verbs(VERBS),
    details: DETAILS,
    examples: &[
        "codepiper auth status",
        "codepiper auth bootstrap",
        "codepiper auth reset-password --generate",
        "echo yes | codepiper auth reset-mfa",
        "codepiper auth revoke-all",
    ],
    run: verb::run,
}];

const fn plain(
    name: &'static str,
    about: &'static str,
    run: fn(&Invocation<'_>) -> Result<i32>,
) -> Verb {
    Verb { name, aliases: &[], usage: "", about, options: &[], words: (0, 0), run }
}

const VERBS: &[Verb] = &[
    plain("status", "Show how far logging in is set up", status),
    plain("bootstrap", "Print a new password for the first setup", bootstrap),
    Verb {
        usage: "[--generate]",
        options: &[switch(&["--generate"], "make one up and print it once")],
        ..plain("reset-password", "Set another password", reset_password)
    },
    plain("reset-mfa", "Take the authenticator app away; asks for a yes", reset_mfa),
    plain("sessions", "List the browsers that are logged in", sessions),
    Verb { usage: "ID", words: (1, 1), ..plain("revoke", "Log one of them out", revoke) },
    plain("revoke-all", "Log all of them out", revoke_all),
];

fn status(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get("/auth/status")?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let is = |name: &str| body[name] == json!(true);
    let (state, next) = match (is("setupRequired"), is("mfaEnabled")) {
        (true, _) => ("no password is set", "codepiper auth bootstrap, then the dashboard"),
        (false, false) => ("no authenticator app is set up", "log in to the dashboard"),
        (false, true) => ("a password and a code are needed", ""),
    };
    call.out.line(state)?;
    if !next.is_empty() {
        call.out.line(&format!("next: {next}"))?;
    }
    if is("mfaEnabled") {
        call.out.line(&format!("recovery codes left: {}", body["recoveryCodesLeft"]))?;
    }
    Ok(0)
}

fn bootstrap(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.post("/auth/cli/bootstrap", &json!({}))?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let password = text::clean(word(&body, "bootstrapPassword"));
    call.out.line(&call.out.paint(Color::Bold, &password))?;
    let until = text::clean(word(&body, "expiresAt"));
    eprintln!("sets the first password in the dashboard, once, until {until}");
    Ok(0)
}

fn reset_password(call: &Invocation<'_>) -> Result<i32> {
    const TARGET: &str = "/auth/cli/reset-password";
    if call.args.has("--generate") {
        let body = call.client.post(TARGET, &json!({"generate": true}))?;
        match call.out.json {
            true => call.out.body(&body)?,
            false => call.out.line(&text::clean(word(&body, "password")))?,
        }
        return Ok(0);
    }
    // Nobody types a password for a daemon that is not there.
    call.client.get("/auth/status")?;
    let password = prompt::new_secret("new password: ", "once more: ")?;
    let body = call.client.post(TARGET, &json!({"password": password.expose()}))?;
    call.out.told(&body, "the password is set; all web sessions have ended")
}

fn reset_mfa(call: &Invocation<'_>) -> Result<i32> {
    if crate::sys::tty::stdin_is_terminal() {
        eprintln!(
            "The authenticator app and the recovery codes will be worthless, and everybody is\n\
             logged out. Whoever has the password can then set up an app. Type yes to go on:"
        );
    }
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    if read.is_err() || typed.trim() != "yes" {
        return Err(Error::new(Code::Denied, "no yes was given, nothing was changed"));
    }
    let body = call.client.post("/auth/cli/reset-mfa", &json!({}))?;
    call.out.told(&body, "the app is taken away; the next login sets up another")
}

fn sessions(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get("/auth/sessions")?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let all = body["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        call.out.line("nobody is logged in")?;
        return Ok(0);
    }
    let row = |one: &Value| {
        let names = ["id", "kind", "createdAt", "lastUsedAt", "ipAddress", "userAgent"];
        names.map(|name| cell(word(one, name))).into()
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    call.out.table(&["ID", "KIND", "SINCE", "LAST USED", "ADDRESS", "BROWSER"], &rows, 5)?;
    Ok(0)
}

fn revoke(call: &Invocation<'_>) -> Result<i32> {
    let id = &call.args.words[0];
    let body = call.client.delete(&format!("/auth/sessions/{}", encode(id)))?;
    call.out.told(&body, &format!("{} is logged out", text::clean(id)))
}

fn revoke_all(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.post("/auth/sessions/revoke-all", &json!({}))?;
    call.out.told(&body, &format!("logged out: {}", body["revoked"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn asked(line: &[&str]) -> Vec<String> {
        let fake = Fake::api(|_, _| (200, r#"{"password":"x","sessions":[{"id":"a"}]}"#.into()));
        assert_eq!(verb::run(&invocation(&fake, line)).unwrap(), 0);
        fake.lines()
    }

    #[test]
    fn each_verb_asks_its_own_route() {
        for (line, route) in [
            (&["auth", "status"][..], "GET /auth/status"),
            (&["auth", "bootstrap"], "POST /auth/cli/bootstrap"),
            (&["auth", "reset-password", "--generate"], "POST /auth/cli/reset-password"),
            (&["auth", "sessions"], "GET /auth/sessions"),
            (&["auth", "revoke", "a/b"], "DELETE /auth/sessions/a%2Fb"),
            (&["auth", "revoke-all"], "POST /auth/sessions/revoke-all"),
        ] {
            assert_eq!(asked(line), [route]);
        }
    }
}
