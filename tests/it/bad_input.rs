//! The promise: bad input gets a clear error with the way out, and leaves nothing behind.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use serde_json::Value;
use serde_json::json;
use std::fs;

/// The error of a request that must be refused with `status`, in words.
#[track_caller]
fn refused(daemon: &Daemon<'_>, what: (&str, &str), body: &Value, status: u16) -> String {
    let (method, path) = what;
    let reply = daemon.request(method, path, Some(body));
    assert_eq!(reply.status, status, "{method} {path} {body}: {}", reply.text());
    let reply = reply.json();
    assert!(reply["code"].is_string(), "{reply}");
    reply["error"].as_str().expect("words").to_string()
}

/// A refused start whose error holds all of `words`.
#[track_caller]
fn no_start(daemon: &Daemon<'_>, body: &Value, words: &[&str]) {
    let reply = daemon.request("POST", "/sessions", Some(body));
    assert!(matches!(reply.status, 400 | 409 | 422), "{body}: {} {}", reply.status, reply.text());
    let error = reply.json()["error"].as_str().expect("words").to_string();
    for word in words {
        assert!(error.contains(word), "{body}: no {word:?} in {error:?}");
    }
}

/// Nothing of a failed start is left.
#[track_caller]
fn assert_traceless(space: &Space, daemon: &Daemon<'_>) {
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
    for dir in ["sessions", "run/k"] {
        let left: Vec<_> = fs::read_dir(space.state.join(dir)).expect(dir).flatten().collect();
        assert!(left.is_empty(), "{dir}: {left:?}");
    }
}

#[test]
fn a_directory_that_cannot_be_worked_in_is_named() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let file = path_text(&space.write("a-file", ""));
    let missing = path_text(&space.root.join("not/there"));
    let long = format!("/{}", "x".repeat(5000));
    for (cwd, words) in [
        (missing.as_str(), ["not/there", "create it first"]),
        (&file, ["a-file", "not a directory"]),
        ("project", ["project", "absolute"]),
        ("", ["directory", "absolute"]),
        ("/tmp\0/x", ["directory", "NUL"]),
        (&long, ["4096", "longer"]),
    ] {
        let body = json!({"provider": "command", "cwd": cwd, "args": ["cat"]});
        no_start(&daemon, &body, &words);
    }
    let out = space.cli(&["start", "-p", "command", "-d", &missing, "--", "cat"]).expect(2);
    assert!(out.stderr.contains("not/there"), "{}", out.stderr);
    assert_traceless(&space, &daemon);
}

#[test]
fn a_program_that_cannot_run_is_named_and_leaves_nothing_behind() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let plain = path_text(&space.write("project/plain", "#!/bin/sh\n"));
    space.write_program("project/broken", "#!/not/there/sh\n");
    let directory = path_text(&space.project);
    for (args, words) in [
        (json!(["no-such-program"]), vec!["no-such-program", "PATH"]),
        (json!(["./nothing"]), vec!["nothing", "not a program"]),
        (json!([plain]), vec!["plain", "not a program"]),
        (json!([directory]), vec!["project", "not a program"]),
        (json!(["./broken"]), vec!["broken"]),
        (json!(["/bin/echo", "a\0b"]), vec!["NUL"]),
        (json!(["\0"]), vec!["NUL"]),
        (json!([""]), vec!["command is missing"]),
        (json!([]), vec!["command is missing"]),
        (json!(vec!["x"; 101]), vec!["100"]),
        (json!(["/bin/echo", "x".repeat(20_000)]), vec!["10240"]),
        (json!("cat"), vec!["args"]),
        (json!(["/bin/echo", 7]), vec!["args"]),
    ] {
        let body = json!({"provider": "command", "cwd": space.project, "args": args});
        no_start(&daemon, &body, &words);
    }
    assert_traceless(&space, &daemon);
}

#[test]
fn what_a_request_does_not_know_is_named_with_what_it_knows() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let start = |field: &str, value: Value| {
        let mut body = json!({"provider": "command", "cwd": space.project, "args": ["cat"]});
        body[field] = value;
        body
    };
    no_start(&daemon, &start("provider", json!("gpt")), &["gpt", "command", "claude-code"]);
    no_start(&daemon, &start("comand", json!("x")), &["comand", "provider"]);
    no_start(&daemon, &start("provider", json!(7)), &["provider", "string"]);
    no_start(&daemon, &start("env", json!({"A": 1})), &["env", "strings"]);
    no_start(&daemon, &start("env", json!({"A=B": "x"})), &["A=B"]);
    no_start(&daemon, &start("env", json!({"A": "x\0y"})), &["NUL"]);
    no_start(&daemon, &start("env", json!({"CODEPIPER_SECRET": "x"})), &["CODEPIPER_SECRET"]);
    no_start(&daemon, &json!({"cwd": "/tmp"}), &["provider", "missing"]);
    no_start(&daemon, &json!(["command"]), &["object"]);
    assert_traceless(&space, &daemon);
    let error = refused(&daemon, ("PUT", "/settings/daemon"), &json!({"maxSesions": 3}), 400);
    assert!(error.contains("maxSesions") && error.contains("maxSessions"), "{error}");
    for value in [json!(0), json!(513), json!(-1), json!(1.5), json!("3")] {
        let body = json!({"defaultPolicyAction": "deny", "maxSessions": value});
        let error = refused(&daemon, ("PUT", "/settings/daemon"), &body, 400);
        assert!(error.contains("maxSessions"), "{error}");
    }
    let settings = daemon.get("/settings/daemon")["settings"].clone();
    assert_eq!(settings["defaultPolicyAction"], "ask", "one is wrong, so none is changed");
    let out = space.cli(&["start", "-p", "gpt", "--", "x"]).expect(2);
    assert!(out.stderr.contains("claude-code"), "{}", out.stderr);
}

#[test]
fn sizes_that_no_terminal_has_are_refused_with_the_bounds() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let resize = format!("/sessions/{id}/resize");
    for wrong in [json!(0), json!(-1), json!(70000), json!(1001), json!(1.5), json!("80")] {
        for (cols, rows) in [(&wrong, &json!(24)), (&json!(80), &wrong)] {
            if *rows == json!(1001) {
                continue;
            }
            let size = json!({"cols": cols, "rows": rows});
            let error = refused(&daemon, ("POST", &resize), &size, 400);
            let named =
                error.contains("cols") || error.contains("columns") || error.contains("rows");
            assert!(named, "{size}: {error}");
            let mut body = json!({"provider": "command", "cwd": space.project, "args": ["cat"]});
            body["cols"] = cols.clone();
            body["rows"] = rows.clone();
            no_start(&daemon, &body, &[]);
        }
    }
    let error = refused(&daemon, ("POST", &resize), &json!({"cols": 80}), 400);
    assert!(error.contains("rows") && error.contains("missing"), "{error}");
    for size in [["0", "24"], ["70000", "24"], ["80", "x"]] {
        let out = space.cli(&["resize", &id, size[0], size[1]]).run();
        assert!(matches!(out.status.code(), Some(1 | 2)), "{size:?}: {out:?}");
        assert!(!out.stderr.is_empty(), "{size:?}");
    }
    let row = daemon.session(&id);
    assert_eq!((&row["ptyCols"], &row["ptyRows"]), (&json!(120), &json!(30)), "as it was");
}

#[test]
fn an_unknown_key_is_named_and_none_of_the_others_is_pressed() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let keys = format!("/sessions/{id}/keys");
    for wrong in ["entre", "ctrl+", "ctrl+enterr", "f13", "", "ab", "hyper+a", "\0"] {
        let error = refused(&daemon, ("POST", &keys), &json!({"keys": ["x", wrong]}), 400);
        assert!(error.contains("pageup") || error.contains("key"), "{wrong:?}: {error}");
    }
    for body in [json!({"keys": []}), json!({"keys": vec!["a"; 101]}), json!({"keys": "a"})] {
        refused(&daemon, ("POST", &keys), &body, 400);
    }
    let out = space.cli(&["keys", &id, "x", "entre"]).run();
    assert!(matches!(out.status.code(), Some(1 | 2)) && out.stderr.contains("entre"), "{out:?}");
    daemon.post(&keys, &json!({"keys": ["z", "enter"]}));
    let screen = daemon.wait_screen(&id, "z");
    assert!(!screen.contains('x'), "{screen}");
}

#[test]
fn names_are_unique_and_printable() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let named = |name: &str| {
        let mut body = json!({"provider": "command", "cwd": space.project, "args": ["cat"]});
        body["name"] = json!(name);
        body
    };
    let first = daemon.post("/sessions", &named("first"))["session"]["id"].clone();
    let other = daemon.start_session(&["cat"]);
    no_start(&daemon, &named("first"), &["first", "already"]);
    no_start(&daemon, &named(" first "), &["first", "already"]);
    let rename = format!("/sessions/{other}/name");
    let error = refused(&daemon, ("PUT", &rename), &json!({"name": "first"}), 409);
    assert!(error.contains("first"), "{error}");
    let long = "x".repeat(81);
    for bad in ["a\nb", "a\u{1b}[31mb", "a\0b", "a\u{9b}b", "a\u{7f}", &long] {
        let error = refused(&daemon, ("PUT", &rename), &json!({"name": bad}), 400);
        assert!(error.contains("name"), "{bad:?}: {error}");
        no_start(&daemon, &named(bad), &["name"]);
    }
    assert_eq!(daemon.session("first")["id"], first);
    assert_eq!(daemon.get("/sessions")["sessions"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_ambiguous_id_names_its_candidates() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let mut ids: Vec<String> = Vec::new();
    // Sixteen digits are possible, so the seventeenth id shares its first with another at last.
    let shared = loop {
        let id = daemon.start_session(&["cat"]);
        let digit = id[..1].to_string();
        let taken = ids.iter().any(|known| known.starts_with(&digit));
        ids.push(id);
        if taken {
            break digit;
        }
    };
    let hits: Vec<&String> = ids.iter().filter(|id| id.starts_with(&shared)).collect();
    let reply = daemon.request("GET", &format!("/sessions/{shared}"), None);
    assert_eq!(reply.status, 409, "{}", reply.text());
    for id in &hits {
        assert!(reply.text().contains(&id[..8]), "{}", reply.text());
    }
    let out = space.cli(&["kill", &shared]).expect(1);
    assert!(out.stderr.contains(&hits[0][..8]), "{}", out.stderr);
    let running = daemon.get("/sessions?status=RUNNING")["sessions"].as_array().map(Vec::len);
    assert_eq!(running, Some(ids.len()), "none was killed");
    assert_eq!(daemon.session(&hits[0][..13])["id"], json!(hits[0]));
    let reply = daemon.request("GET", "/sessions/nosuch", None);
    assert_eq!(reply.status, 404);
    space.cli(&["show", "nosuch"]).expect(4);
}

#[test]
fn the_cap_holds_for_starts_and_resumes_also_at_the_same_moment() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let body = json!({"provider": "command", "cwd": space.project, "args": ["cat"]});
    daemon.request("PUT", "/settings/daemon", Some(&json!({"maxSessions": 2}))).ok();
    let start = || daemon.request("POST", "/sessions", Some(&body)).status;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a status")).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 201).count(), 2, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 409).count(), 6, "{statuses:?}");
    no_start(&daemon, &body, &["2 sessions", "stop one"]);
    let id = daemon.get("/sessions")["sessions"][0]["id"].as_str().expect("an id").to_string();
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    let third = daemon.start_session(&["cat"]);
    let resume = format!("/sessions/{id}/resume");
    let error = refused(&daemon, ("POST", &resume), &json!({}), 409);
    assert!(error.contains("2 sessions"), "{error}");
    assert_eq!(daemon.session(&id)["status"], "STOPPED", "the refused resume changed nothing");
    daemon.post(&format!("/sessions/{third}/kill"), &json!({}));
    daemon.post(&resume, &json!({}));
}

#[test]
fn one_name_goes_to_one_session_also_at_the_same_moment() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let body = json!({
        "provider": "command", "cwd": space.project, "args": ["cat"], "name": "mine",
    });
    let start = || daemon.request("POST", "/sessions", Some(&body)).status;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a status")).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 201).count(), 1, "{statuses:?}");
    assert_eq!(daemon.get("/sessions")["sessions"].as_array().map(Vec::len), Some(1));
}

#[test]
fn an_ended_session_says_so_and_a_running_one_is_not_removed() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let error = refused(&daemon, ("DELETE", &format!("/sessions/{id}")), &Value::Null, 409);
    assert!(error.contains("stop it first"), "{error}");
    let error = refused(&daemon, ("POST", &format!("/sessions/{id}/resume")), &json!({}), 409);
    assert!(error.contains("running"), "{error}");
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    for (path, body) in [
        ("send", json!({"text": "x"})),
        ("keys", json!({"keys": ["x"]})),
        ("resize", json!({"cols": 80, "rows": 24})),
    ] {
        let error = refused(&daemon, ("POST", &format!("/sessions/{id}/{path}")), &body, 409);
        assert!(error.contains("not running") && error.contains("resume"), "{path}: {error}");
    }
    for query in ["wait?for=done", "wait?timeout=soon", "log?from=-1", "events?limit=x"] {
        refused(&daemon, ("GET", &format!("/sessions/{id}/{query}")), &Value::Null, 400);
    }
    let beyond = daemon.request("GET", &format!("/sessions/{id}/log?from=999999"), None);
    assert_eq!((beyond.status, beyond.body.len()), (200, 0), "{}", beyond.text());
}

#[test]
fn an_ended_session_is_resumed_or_removed_once_also_at_the_same_moment() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    let resume = format!("/sessions/{id}/resume");
    let one = || daemon.request("POST", &resume, Some(&json!({}))).status;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a status")).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 409).count(), 7, "{statuses:?}");
    let row = daemon.session(&id);
    assert_eq!((&row["status"], &row["epoch"]), (&json!("RUNNING"), &json!(2)), "{row}");
    daemon.post(&format!("/sessions/{id}/send"), &json!({"text": "alive"}));
    daemon.wait_screen(&id, "alive");
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    let path = format!("/sessions/{id}");
    let (removed, resumed) = std::thread::scope(|scope| {
        let remove = scope.spawn(|| daemon.request("DELETE", &path, None).status);
        let resume = scope.spawn(one);
        (remove.join().expect("a status"), resume.join().expect("a status"))
    });
    let one_won = matches!((removed, resumed), (200, 404 | 409) | (409, 200));
    assert!(one_won, "removed: {removed}, resumed: {resumed}");
}
