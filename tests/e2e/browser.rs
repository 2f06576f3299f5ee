//! The dashboard in Chromium. What a person does is told in `browser/*.mjs`; here is the machine
//! that they do it to.

mod world;

use crate::browser::world::World;
use crate::browser::world::call;
use crate::browser::world::open_dialog;
use crate::browser::world::verdict;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use crate::support::webhook::Webhook;
use serde_json::Value;
use serde_json::json;
use std::fs;

fn nothing(_: &mut Daemon<'_>, order: &Value) -> Value {
    panic!("this story asks for nothing, and not for {order}")
}

fn wait_pending(daemon: &Daemon<'_>, count: usize) {
    wait_until("the approvals", SOON, || {
        daemon.get("/approvals")["approvals"].as_array().is_some_and(|all| all.len() == count)
    });
}

fn name(daemon: &Daemon<'_>, id: &str, name: &str) {
    daemon.request("PUT", &format!("/sessions/{id}/name"), Some(&json!({"name": name}))).ok();
}

#[test]
fn a_person_sets_it_up_signs_in_types_and_answers_in_a_browser() {
    let world = World::new();
    let mut daemon = Daemon::start(&world.space);
    let shell = daemon.start_session(&["bash", "--norc"]);
    name(&daemon, &shell, "shell");
    let headless = json!({"provider": "claude-code", "args": ["-p", "hi"]});
    let claude = Inside::start_as(&world.space, &daemon, "claude", &headless);
    let (yes, no) = (call(&claude, "touch approved"), call(&claude, "touch denied"));
    wait_pending(&daemon, 2);
    world.tell(&mut daemon, "story", &[("SHELL_ID", &shell)], nothing);
    assert_eq!(verdict(&claude, yes)["permissionDecision"], "allow");
    let denied = verdict(&claude, no);
    assert_eq!(denied["permissionDecision"], "deny");
    assert_eq!(denied["permissionDecisionReason"], "not on a Friday");
}

#[test]
fn every_view_can_be_read_by_all_and_makes_no_markup_of_what_programs_say() {
    let world = World::new();
    let mut daemon = Daemon::start(&world.space);
    let html = "<img src=x onerror=alert(1)>";
    let says = format!("printf '\\033]0;{html}\\007'; echo '{html}'; exec cat");
    let shell = daemon.start_session(&["bash", "-c", &says]);
    name(&daemon, &shell, &format!("{html} & a name as long as names may be, it goes on"));
    let failed = daemon.start_session(&["bash", "-c", "sleep 0.3; echo it broke; exit 3"]);
    let agent = json!({"provider": "claude-code"});
    let claude = Inside::start_as(&world.space, &daemon, "agent", &agent);
    claude.greet("f247f362-4fbd-4e57-94f6-073b3cd68e4f", &json!({}));
    let hidden = "echo ab\u{202e}txt.exe\u{200b}; curl http://localhost/x | sh\nrm -rf build";
    open_dialog(&claude, "Bash", &json!({"command": hidden, "description": html}), "t1");
    let edit = json!({
        "file_path": claude.dir.join("a/very/long/path/to/some/deeply/nested/file_name.rs"),
        "old_string": "one\ntwo\nthree\n", "new_string": "one\n2\nthree\nfour\n",
    });
    open_dialog(&claude, "Edit", &edit, "t2");
    wait_pending(&daemon, 2);
    let rules = json!([{"action": "allow", "command": "git status *"}]);
    daemon.post("/policies", &json!({"name": html, "rules": rules}));
    daemon.post("/env-sets", &json!({"name": html, "vars": {"GITHUB_TOKEN": "a-secret-value"}}));
    for number in 0..40 {
        daemon.start_session(&["bash", "-c", &format!("echo part {number}; exec cat")]);
    }
    let facts = [("SHELL_ID", &*shell), ("FAILED_ID", &*failed), ("AGENT_ID", &*claude.id)];
    world.tell(&mut daemon, "views", &facts, nothing);
}

#[test]
fn a_first_visit_takes_less_than_200_kb() {
    let world = World::new();
    let mut daemon = Daemon::start(&world.space);
    let shell = daemon.start_session(&["bash", "--norc"]);
    world.tell(&mut daemon, "load", &[("SHELL_ID", &shell)], nothing);
}

#[test]
fn a_question_finds_its_person_on_the_screen_behind_a_closed_page_and_elsewhere() {
    let world = World::new();
    let mut daemon = Daemon::start(&world.space);
    daemon.uncage();
    let fast = json!({"notificationDwellSeconds": 0});
    daemon.request("PUT", "/settings/daemon", Some(&fast)).ok();
    let kept = world.space.root.join("told");
    let script = format!("#!/bin/sh\ncat >> {}\n", kept.display());
    let program = world.space.write_program("record", &script);
    let (phone, team) = (Webhook::new(), Webhook::new());
    for channel in [
        json!({"name": "desk", "kind": "command", "program": program}),
        json!({"name": "phone", "kind": "webhook", "body": "ntfy", "url": phone.url("topic"),
            "allowPrivate": true}),
        json!({"name": "team", "kind": "webhook", "body": "slack", "url": team.url("T0/B0"),
            "allowPrivate": true, "afterMinutes": 0.02}),
    ] {
        daemon.post("/notifications/channels", &channel);
    }
    let headless = json!({"provider": "claude-code", "args": ["-p", "hi"]});
    let claude = Inside::start_as(&world.space, &daemon, "agent", &headless);
    claude.greet("f247f362-4fbd-4e57-94f6-073b3cd68e4f", &json!({}));
    let facts = [("AGENT_ID", &*claude.id)];
    world.tell(&mut daemon, "closed", &facts, |daemon, order| {
        let before = newest_notice(daemon)["id"].clone();
        let asked = order["command"].as_str().expect("text");
        call(&claude, asked);
        let notice = wait_for("the notice", SOON, || {
            Some(newest_notice(daemon)).filter(|newest| newest["id"] != before)
        });
        if notice["readSource"] == "on screen" || asked == "touch elsewhere" {
            return json!({"notice": notice});
        }
        let line = wait_for("the program to be told", SOON, || {
            fs::read_to_string(&kept).ok().filter(|text| text.ends_with('\n'))
        });
        let program: Value = serde_json::from_str(line.trim()).expect("JSON");
        json!({"notice": notice, "program": program, "webhook": phone.next().json(),
            "escalation": team.next().json()})
    });
}

#[test]
fn a_person_answers_makes_policies_and_checks_the_log_in_a_browser() {
    let world = World::new();
    let mut daemon = Daemon::start(&world.space);
    daemon.uncage();
    let fast = json!({"notificationDwellSeconds": 0});
    daemon.request("PUT", "/settings/daemon", Some(&fast)).ok();
    let headless = json!({"provider": "claude-code", "args": ["-p", "hi"]});
    let claude = Inside::start_as(&world.space, &daemon, "agent", &headless);
    let hidden = "echo ab\u{202e}txt.exe\u{200b} '<img src=x onerror=alert(1)>' first";
    call(&claude, hidden);
    for command in ["touch slip", "ls /", "touch elsewhere"] {
        call(&claude, command);
    }
    let (yes, no) = (call(&claude, "touch approved"), call(&claude, "touch denied"));
    wait_pending(&daemon, 6);
    world.tell(&mut daemon, "rules_story", &[("HIDDEN", "first")], |daemon, order| {
        let all = daemon.get("/approvals")["approvals"].clone();
        let wanted = |one: &&Value| one["args"]["command"] == order["command"];
        let one = all.as_array().and_then(|all| all.iter().find(wanted)).expect("it waits").clone();
        let id = one["id"].to_string();
        world.space.cli(&["deny", &id]).expect(0);
        json!({})
    });
    assert_eq!(verdict(&claude, yes)["permissionDecision"], "allow");
    assert_eq!(verdict(&claude, no)["permissionDecisionReason"], "not on a Friday");
}

#[test]
fn a_person_lives_in_sessions_and_terminals_and_a_killed_daemon_loses_nothing_of_them() {
    let world = World::new();
    let mut daemon = Daemon::start(&world.space);
    let shell = daemon.start_session(&["bash", "--norc"]);
    name(&daemon, &shell, "shell");
    for number in 0..30 {
        daemon.start_session(&["bash", "-c", &format!("echo part {number}; exec cat")]);
    }
    let claude = Inside::start_claude(&world.space, &daemon, "agent");
    claude.greet("f247f362-4fbd-4e57-94f6-073b3cd68e4f", &json!({}));
    open_dialog(&claude, "Bash", &json!({"command": "touch <b>x</b>"}), "t1");
    wait_pending(&daemon, 1);
    let facts = [("SHELL_ID", &*shell), ("AGENT_ID", &*claude.id)];
    world.tell(&mut daemon, "sessions_story", &facts, |daemon, order| {
        match order["do"].as_str() {
            Some("kill") => daemon.kill9(),
            _ => daemon.start_binary(BINARY),
        }
        json!({})
    });
}

fn newest_notice(daemon: &Daemon<'_>) -> Value {
    daemon.get("/notifications")["notifications"][0].clone()
}
