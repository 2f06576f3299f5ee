//! The promise: a question of a session whose page is closed reaches its person by program and by
//! webhook, the next channel where nobody answers, once the daemon is back where it was killed; and
//! nothing of a channel is seen by others, nor led to where it may not go.

use crate::approvals::event;
use crate::notices::headless;
use crate::notices::listed;
use crate::notices::set;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use crate::support::webhook::Webhook;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// A program that keeps what it is told.
fn recorder(space: &Space) -> (String, PathBuf) {
    let kept = space.root.join("told");
    let script = format!("#!/bin/sh\n{{ env; pwd; }} > {0}.env\ncat >> {0}\n", kept.display());
    (path_text(&space.write_program("record", &script)), kept)
}

#[track_caller]
fn told(kept: &PathBuf, count: usize) -> Vec<Value> {
    let text = wait_for("the program to be told", SOON, || {
        std::fs::read_to_string(kept).ok().filter(|text| text.lines().count() >= count)
    });
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[track_caller]
fn webhook(daemon: &Daemon<'_>, name: &str, url: &str, more: Value) {
    let mut body = json!({"name": name, "kind": "webhook", "url": url, "allowPrivate": true});
    more.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
    daemon.post("/notifications/channels", &body);
}

/// The only notice, once each of its deliveries has this state.
#[track_caller]
fn delivered(daemon: &Daemon<'_>, state: &str) -> Value {
    wait_for(&format!("deliveries to be {state}"), SOON, || {
        let one = listed(daemon, 1).remove(0);
        let all = one["deliveries"].as_array().cloned().unwrap();
        (!all.is_empty() && all.iter().all(|d| d["state"] == state)).then_some(one)
    })
}

#[test]
fn a_question_reaches_a_program_and_a_webhook_and_then_the_next_channel() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, 0);
    let (program, kept) = recorder(&space);
    space.cli(&["notify", "command", "desk", "--", &program, "-x"]).expect(0);
    let (phone, team) = (Webhook::new(), Webhook::new());
    let url = space.write("url", &phone.url("topic"));
    let url = path_text(&url);
    let line = ["notify", "webhook", "phone", "--body", "ntfy", "--url-file", &url];
    space.cli(&[&line[..], &["--allow-private"]].concat()).expect(0);
    let line = ["notify", "webhook", "team", "--body", "slack", "--url-file", "-", "--after", "1s"];
    let more = ["--allow-private", "--with-call"];
    space.cli(&[&line[..], &more].concat()).stdin(team.url("T0/B0").as_bytes()).expect(0);
    inside.hook_aside(&event("PreToolUse", "touch <secret> plan", Some("t1")));
    let json = told(&kept, 1).remove(0);
    assert_eq!(json["eventType"], "session.permission_required");
    assert_eq!((&json["sessionId"], &json["approvalId"]), (&json!(inside.id), &json!(1)));
    assert!(!json.to_string().contains("plan"), "the call is nobody's business: {json}");
    let env = std::fs::read_to_string(kept.with_extension("env")).unwrap();
    assert!(env.contains("PATH=") && !env.contains("CODEPIPER_"), "{env}");
    let asked = phone.next();
    assert!(asked.head.starts_with("POST / HTTP/1.1"), "{}", asked.head);
    let wanted = json!({"topic": "topic", "title": "Permission required", "priority": 4,
        "message": "build is waiting for permission approval in Claude Code."});
    assert_eq!(asked.json(), wanted);
    let later = team.next();
    assert!(later.head.starts_with("POST /T0/B0 HTTP/1.1"), "{}", later.head);
    let text = later.json()["text"].as_str().unwrap().to_string();
    assert!(text.starts_with("*Permission required*\n"), "{text}");
    assert!(text.contains("```Bash touch &lt;secret&gt; plan```"), "{text}");
    let receipts = delivered(&daemon, "sent")["deliveries"].clone();
    let names: Vec<&Value> =
        receipts.as_array().unwrap().iter().map(|d| &d["channelName"]).collect();
    assert_eq!(names, ["desk", "phone", "team"]);
    assert_eq!((&receipts[1]["tries"], &receipts[1]["detail"]), (&json!(1), &json!("HTTP 200")));
    let shown = space.cli(&["notify", "list", "--no-color"]).expect(0).stdout;
    assert!(!shown.contains("topic") && !shown.contains("T0"), "{shown}");
}

#[test]
fn an_answer_and_a_look_stop_what_has_not_gone_out_yet() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, 0);
    let later = Webhook::new();
    webhook(&daemon, "later", &later.url("x"), json!({"afterMinutes": 600}));
    inside.hook_aside(&event("PreToolUse", "touch a", Some("t1")));
    let waiting = delivered(&daemon, "waiting");
    assert_eq!(waiting["deliveries"][0]["tries"], 0);
    space.answer(&["approve"]);
    let skipped = delivered(&daemon, "skipped");
    assert_eq!(skipped["deliveries"][0]["detail"], "answered");
    later.is_silent();
    let prompt = json!({"hook_event_name": "UserPromptSubmit", "session_id": "x", "prompt": "p"});
    inside.hook(&prompt);
    inside.hook(&json!({"hook_event_name": "Stop", "session_id": "x"}));
    let turn = listed(&daemon, 2).remove(0);
    assert_eq!(turn["deliveries"], json!([]), "the next channel gets questions only");
}

#[test]
fn a_daemon_that_is_killed_between_notice_and_delivery_loses_none() {
    let space = Space::new();
    let (mut daemon, inside) = headless(&space, 1);
    // The first is asked and never answers; its request is lost with the daemon.
    let deaf = Webhook::saying("");
    let good = Webhook::new();
    webhook(&daemon, "deaf", &deaf.url("a"), json!({}));
    webhook(&daemon, "late", &good.url("b"), json!({"afterMinutes": 0.05}));
    inside.hook_aside(&event("PreToolUse", "touch a", Some("t1")));
    let first = deaf.next().json();
    daemon.crash_and_restart();
    assert_eq!(deaf.next().json()["id"], first["id"], "once more, and known by its number");
    assert_eq!(good.next().json()["id"], first["id"]);
    // Before it has become a notice.
    inside.hook_aside(&event("PreToolUse", "touch b", Some("t2")));
    wait_until("the second question", SOON, || {
        daemon.get("/approvals")["approvals"].as_array().is_some_and(|all| all.len() == 2)
    });
    daemon.crash_and_restart();
    wait_until("it to be counted", SOON, || listed(&daemon, 1)[0]["count"] == json!(2));
}

#[test]
fn what_fails_is_tried_again_and_what_will_not_work_is_not() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let test = |name: &str| {
        let target = format!("/notifications/channels/{name}/test");
        daemon.post(&target, &json!({}))["delivery"].clone()
    };
    let (busy, moved) = (
        Webhook::saying("HTTP/1.1 503 Busy"),
        Webhook::saying("HTTP/1.1 302 Found\r\nLocation: /elsewhere"),
    );
    webhook(&daemon, "busy", &busy.url("x"), json!({"enabled": false}));
    webhook(&daemon, "moved", &moved.url("x"), json!({"enabled": false}));
    assert_eq!(test("busy")["detail"], "HTTP 503");
    let followed = test("moved");
    assert_eq!(followed["state"], "failed");
    assert!(followed["detail"].as_str().unwrap().contains("not followed"), "{followed}");
    moved.next();
    moved.is_silent();
    let private = json!({"name": "private", "kind": "webhook", "url": "https://localhost/x"});
    daemon.post("/notifications/channels", &private);
    let refused = test("private");
    assert_eq!((&refused["state"], &refused["tries"]), (&json!("failed"), &json!(1)));
    assert!(refused["detail"].as_str().unwrap().contains("--allow-private"), "{refused}");
    let plain = json!({"name": "plain", "kind": "webhook", "url": "http://127.0.0.1/x"});
    assert_eq!(daemon.request("POST", "/notifications/channels", Some(&plain)).status, 400);
    let failing = path_text(&space.write_program("fails", "#!/bin/sh\necho no bus >&2\nexit 7\n"));
    space.cli(&["notify", "command", "fails", "--", &failing]).expect(0);
    let out = space.cli(&["notify", "test", "fails"]).expect(1).stdout;
    assert_eq!(out, "fails: failed: exit code 7\nno bus\n");
    busy.next();
    daemon.request("PUT", "/notifications/channels/busy", Some(&json!({"enabled": true}))).ok();
    space.cli(&["notify", "off", "fails"]).expect(0);
    space.cli(&["notify", "off", "private"]).expect(0);
    let id = daemon.start_session(&["sh", "-c", "read x; exit 3"]);
    daemon.post(&format!("/sessions/{id}/send"), &json!({"text": "x"}));
    busy.next();
    busy.next();
    let waiting = delivered(&daemon, "waiting")["deliveries"][0].clone();
    assert!(waiting["tries"].as_i64().unwrap() >= 1, "{waiting}");
    let list = daemon.get("/notifications/channels")["channels"].clone();
    let last = list.as_array().unwrap().iter().find(|c| c["name"] == "busy").unwrap();
    assert_eq!(last["last"]["detail"], "HTTP 503");
}

#[test]
fn nothing_of_a_channel_is_in_the_process_list_or_in_a_log() {
    let space = Space::new();
    // A session may write there, and the login shell looks there first.
    space.write("home/.profile", "PATH=\"$HOME/bin:$PATH\"\n");
    let planted = space.root.join("planted-ran");
    space.write_program("home/bin/curl", &format!("#!/bin/sh\n: > {}\n", planted.display()));
    let mode = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(space.root.join("home/bin"), mode).unwrap();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    // It hears the request and never answers, so that who asks can be looked at.
    let deaf = Webhook::saying("");
    let (url, token) = (deaf.url("hunter22"), "tk_hunter22");
    let files = [space.write("url", &url), space.write("token", token)].map(|p| path_text(&p));
    let line = ["notify", "webhook", "phone", "--url-file", &files[0], "--token-file", &files[1]];
    space.cli(&[&line[..], &["--allow-private"]].concat()).expect(0);
    space.cli(&["key", "rotate"]).expect(0);
    std::thread::scope(|scope| {
        let test = scope.spawn(|| space.cli(&["notify", "test", "phone"]).expect(1).stdout);
        let asked = deaf.next();
        let seen = children(daemon.pid(), "curl");
        let [[pid, line, env]] = &seen[..] else { panic!("one curl: {seen:?}") };
        assert!(line.ends_with("curl -q --config - "), "{line}");
        assert!(!line.contains("hunter22") && !env.contains("hunter22"), "{seen:?}");
        assert!(asked.head.starts_with("POST /hunter22 HTTP/1.1"), "{}", asked.head);
        assert!(asked.head.contains(&format!("Bearer {token}")), "{}", asked.head);
        Command::new("kill").arg(pid).status().expect("kill");
        let said = test.join().expect("a test");
        assert!(!said.contains("hunter22"), "{said}");
    });
    assert!(!planted.exists(), "what a session has planted was run outside of its cage");
    space.cli(&["notify", "rm", "phone"]).expect(0);
    let audit = space.cli(&["audit", "export"]).expect(0).stdout;
    assert!(audit.contains("channel phone made") && audit.contains("channel phone removed"));
    let api = daemon.get("/notifications/channels").to_string();
    for text in [audit, api, space.daemon_log()] {
        assert!(!text.contains("hunter22"), "{text}");
    }
    let database = std::fs::read(space.state.join("codepiper.db")).unwrap();
    assert!(!database.windows(8).any(|part| part == b"hunter22"));
}

/// Number, command line and environment of each child of `parent` whose program has this name.
fn children(parent: i32, name: &str) -> Vec<[String; 3]> {
    let read = |path: String| {
        let bytes = std::fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).expect("threads").flatten();
    let listed: String =
        tasks.map(|task| read(path_text(&task.path().join("children"))) + " ").collect();
    let named =
        listed.split_whitespace().filter(|pid| read(format!("/proc/{pid}/comm")).trim() == name);
    let one = |pid: &str| {
        [
            pid.to_string(),
            read(format!("/proc/{pid}/cmdline")),
            read(format!("/proc/{pid}/environ")),
        ]
    };
    named.map(one).collect()
}

#[test]
fn in_quiet_hours_a_question_waits_and_a_crash_does_not() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, 0);
    // The whole day.
    set(&daemon, json!({"notificationQuietHours": {"from": "00:00", "to": "00:00"}}));
    let phone = Webhook::new();
    webhook(&daemon, "phone", &phone.url("x"), json!({}));
    inside.hook_aside(&event("PreToolUse", "touch a", Some("t1")));
    listed(&daemon, 1);
    let id = daemon.start_session(&["sh", "-c", "read x; exit 3"]);
    daemon.post(&format!("/sessions/{id}/send"), &json!({"text": "x"}));
    assert_eq!(phone.next().json()["eventType"], "session.crashed");
    phone.is_silent();
    set(&daemon, json!({"notificationQuietHours": null}));
    assert_eq!(phone.next().json()["eventType"], "session.permission_required");
}
