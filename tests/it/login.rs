//! Logging in is set up and mended from the terminal, and only by the person's own programs.

use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_bootstrap_password_is_printed_until_a_password_is_set() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let status = space.cli(&["auth", "status"]).expect(0);
    assert!(status.stdout.starts_with("no password is set\n"), "{}", status.stdout);
    let first = space.cli(&["auth", "bootstrap", "--json"]).expect(0).json();
    let second = space.cli(&["auth", "bootstrap"]).expect(0);
    let words = first["bootstrapPassword"].as_str().expect("text");
    assert_eq!(words.len(), 39, "{words}");
    assert!(first["expiresAt"].as_str().expect("a time").ends_with('Z'));
    assert_ne!(second.stdout.trim(), words);
    let typed = b"correct horse\ncorrect horse\n";
    space.cli(&["auth", "reset-password"]).stdin(typed).expect(0);
    space.cli(&["auth", "bootstrap"]).expect(1);
    daemon.crash_and_restart();
    let status = space.cli(&["auth", "status", "--json"]).expect(0).json();
    assert_eq!(status["setupRequired"], false);
    assert_eq!(status["mfaSetupRequired"], true, "a password alone opens nothing");
    let log = space.cli(&["audit", "--kind", "login", "--json"]).expect(0).stdout;
    assert!(log.contains("reset the password"), "{log}");
    let everything = log + &space.daemon_log();
    for secret in [words, second.stdout.trim(), "correct horse"] {
        assert!(!everything.contains(secret), "{secret} in the logs");
    }
}

#[test]
fn resets_take_a_password_twice_and_a_yes() {
    let space = Space::new();
    let _daemon = Daemon::start(&space);
    space.cli(&["auth", "reset-mfa"]).stdin(b"yes\n").expect(1);
    for typed in ["correct horse\n", "correct horse\nbattery staple\n", "short\nshort\n"] {
        space.cli(&["auth", "reset-password"]).stdin(typed.as_bytes()).expect(2);
    }
    let made = space.cli(&["auth", "reset-password", "--generate"]).expect(0);
    assert_eq!(made.stdout.trim().len(), 39, "one line, the password");
    for typed in ["", "y\n", "no\n", "YES\n"] {
        space.cli(&["auth", "reset-mfa"]).stdin(typed.as_bytes()).expect(5);
    }
    space.cli(&["auth", "reset-mfa"]).stdin(b"yes\n").expect(0);
    assert_eq!(space.cli(&["auth", "sessions"]).expect(0).stdout, "nobody is logged in\n");
    space.cli(&["auth", "revoke", "0123456789abcdef"]).expect(4);
    assert_eq!(space.cli(&["auth", "revoke-all"]).expect(0).stdout, "logged out: 0\n");
}

#[test]
fn w9_nobody_inside_a_session_can_reset_how_the_person_logs_in() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let inside = Inside::start(&space, &daemon, "inside");
    for (path, body) in [
        ("/auth/cli/reset-password", r#"{"generate":true}"#),
        ("/auth/cli/reset-mfa", "{}"),
        ("/auth/cli/bootstrap", "{}"),
        ("/auth/sessions/revoke-all", "{}"),
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let reply = inside.request("orphan", &space.control(), &request);
        assert_eq!(reply.status, 403, "{path}: {}", reply.text());
    }
    assert_eq!(daemon.get("/auth/status")["setupRequired"], true);
    // What belongs to a browser is not at this door at all.
    for path in ["/auth/login", "/auth/setup", "/auth/password", "/auth/mfa/setup"] {
        assert_eq!(daemon.request("POST", path, None).status, 404, "{path}");
    }
    assert!(!space.state.join("master.key").exists(), "made when it is first needed");
    let mode = space.state.metadata().expect("the state").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
