//! The promise: without a decision nothing runs. A hook is answered exactly as the policy says,
//! after the decision is durable; a restarted daemon still decides; with no daemon the call is
//! blocked. The agent is a stand-in that runs the hooks of its settings overlay; `make e2e` has the
//! real one.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::http;
use crate::support::http::Reply;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;
use std::time::Instant;

/// A daemon with the stand-in installed.
fn start(space: &Space) -> Daemon<'_> {
    Inside::install_claude(space);
    Daemon::start(space)
}

/// Makes these rules the only ones besides those that every session gets.
pub fn set_policy(daemon: &Daemon<'_>, rules: &Value) -> Reply {
    let new = json!({"id": "mine", "name": "mine", "rules": rules});
    match daemon.request("GET", "/policies/mine", None).status {
        404 => daemon.request("POST", "/policies", Some(&new)),
        _ => daemon.request("PUT", "/policies/mine", Some(&json!({"rules": rules}))),
    }
}

/// Allows `cargo test`, denies `git push` in words.
fn usual(daemon: &Daemon<'_>) {
    set_policy(
        daemon,
        &json!([
            {"id": "tests", "action": "allow", "tool": "Bash", "command": "cargo test"},
            {"action": "deny", "tool": "Bash", "command": "git push", "reason": "pushing is mine"},
        ]),
    )
    .ok();
}

fn call(command: &str) -> Value {
    json!({
        "hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/tmp/t.jsonl", "permission_mode": "default",
        "tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": "toolu_1",
    })
}

fn told(event: &str) -> Value {
    json!({
        "hook_event_name": event, "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/tmp/t.jsonl", "cwd": "/tmp", "source": "startup",
    })
}

/// The answer that an agent gets on stdout.
fn answer(word: &str, reason: &str) -> String {
    let mut inner = json!({"hookEventName": "PreToolUse", "permissionDecision": word});
    if word != "allow" {
        inner["permissionDecisionReason"] = json!(reason);
    }
    json!({"hookSpecificOutput": inner}).to_string()
}

#[track_caller]
fn expect(ran: &Value, word: &str, reason: &str) {
    assert_eq!(ran["code"], 0, "{ran}");
    assert_eq!(ran["stderr"], "", "{ran}");
    let stdout = ran["stdout"].as_str().expect("text");
    let said: Value = serde_json::from_str(stdout).expect("one JSON value and nothing else");
    let wanted: Value = serde_json::from_str(&answer(word, reason)).expect("JSON");
    assert_eq!(said, wanted);
}

#[track_caller]
fn expect_blocked(ran: &Value, words: &str) {
    assert_eq!((&ran["code"], &ran["stdout"]), (&json!(2), &json!("")), "{ran}");
    let stderr = ran["stderr"].as_str().expect("text");
    assert!(stderr.contains("not run") && stderr.contains(words), "{stderr}");
}

fn decisions(daemon: &Daemon<'_>, id: &str) -> Vec<Value> {
    let page = daemon.get(&format!("/policy-decisions?sessionId={id}"));
    page["decisions"].as_array().expect("a list").clone()
}

#[test]
fn each_verdict_reaches_the_agent_exactly_and_has_one_durable_row() {
    let space = Space::new();
    let mut daemon = start(&space);
    usual(&daemon);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let started = agent.hook(&told("SessionStart"));
    assert_eq!((&started["code"], &started["stdout"]), (&json!(0), &json!("")), "{started}");
    assert_eq!(daemon.session(&agent.id)["guarded"], true);
    expect(&agent.hook(&call("cargo test")), "allow", "");
    expect(&agent.hook(&call("git push")), "deny", "pushing is mine");
    let asked = agent.hook(&call("git fetch"));
    let said: Value = serde_json::from_str(asked["stdout"].as_str().expect("text")).expect("JSON");
    assert_eq!(said["hookSpecificOutput"]["permissionDecision"], "ask", "{asked}");
    daemon.crash_and_restart();
    let rows = decisions(&daemon, &agent.id);
    let summary: Vec<(&Value, &Value)> =
        rows.iter().map(|row| (&row["decision"], &row["args"]["command"])).collect();
    let (allow, deny, ask) = (json!("allow"), json!("deny"), json!("ask"));
    let commands = [json!("cargo test"), json!("git push"), json!("git fetch")];
    let wanted = [(&allow, &commands[0]), (&deny, &commands[1]), (&ask, &commands[2])];
    assert_eq!(summary, wanted);
    assert_eq!((&rows[0]["ruleId"], &rows[0]["toolName"]), (&json!("tests"), &json!("Bash")));
    assert_eq!((&rows[0]["policyName"], &rows[2]["policyName"]), (&json!("mine"), &Value::Null));
    assert_eq!(
        (&rows[1]["reason"], &rows[1]["toolUseId"]),
        (&json!("pushing is mine"), &json!("toolu_1"))
    );
    let denied = daemon.get("/policy-decisions?decision=deny")["decisions"].clone();
    assert_eq!(denied.as_array().map(Vec::len), Some(1));
    let logs = space.cli(&["logs", &agent.id]).expect(0).stdout;
    for words in
        ["cargo test", "allow", "git push", "deny", "[mine: rule 2]", "pushing is mine", "ask"]
    {
        assert!(logs.contains(words), "no {words:?} in:\n{logs}");
    }
}

#[test]
fn deny_goes_before_ask_before_allow_whatever_the_order() {
    let space = Space::new();
    let daemon = start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let (allow, ask, deny) = (
        json!({"action": "allow", "tool": "Bash"}),
        json!({"action": "ask", "tool": "Bash", "command": ["b", "c"], "reason": "look"}),
        json!({"action": "deny", "tool": "Bash", "command": "c", "reason": "never"}),
    );
    for policy in [json!([allow, ask, deny]), json!([deny, allow, ask])] {
        set_policy(&daemon, &policy).ok();
        expect(&agent.hook(&call("a")), "allow", "");
        expect(&agent.hook(&call("b")), "ask", "look");
        expect(&agent.hook(&call("c")), "deny", "never");
    }
}

#[test]
fn a_policy_that_is_wrong_is_refused_by_name_and_the_old_one_stays_in_force() {
    let space = Space::new();
    let mut daemon = start(&space);
    usual(&daemon);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let (allow, good) =
        (json!({"action": "allow", "tool": "Write"}), json!({"action": "deny", "tool": "Read"}));
    for (policy, words) in [
        (json!([allow, {"action": "permit"}]), "rule 2"),
        (json!([{"tool": "Bash"}]), "action"),
        (json!([{"action": "allow", "comand": "ls"}]), "comand"),
        (json!([{"action": "allow", "tool": null}]), "tool"),
        (json!([{"action": "allow", "command": []}]), "command"),
        (json!([{"action": "allow"}]), "every call"),
        (json!([{"action": "allow", "command": "*"}]), "every program"),
        (json!([{"action": "deny", "command": "git [s"}]), "command"),
        (
            json!([good, {"id": "a", "tool": "A", "action": "deny"}, {"id": "a", "tool": "B",
            "action": "ask"}]),
            "rule 3",
        ),
        (json!({"action": "allow"}), "list"),
        (json!("allow"), "list"),
        (json!(7), "list"),
    ] {
        let reply = set_policy(&daemon, &policy);
        assert_eq!(reply.status, 400, "{policy}: {}", reply.text());
        assert!(reply.text().contains(words), "{policy}: no {words:?} in {}", reply.text());
    }
    let wrong = "[{\"action\":\"permit\"}]";
    let out = space.cli(&["policy", "update", "mine", "--rules", wrong]).expect(2);
    assert!(out.stderr.contains("rule 1"), "{}", out.stderr);
    expect(&agent.hook(&call("git push")), "deny", "pushing is mine");
    daemon.crash_and_restart();
    expect(&agent.hook(&call("git push")), "deny", "pushing is mine");
    expect(&agent.hook(&call("cargo test")), "allow", "");
}

#[test]
fn the_same_request_has_the_same_answer_for_ever() {
    let space = Space::new();
    let mut daemon = start(&space);
    usual(&daemon);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let secret = agent.variable("CODEPIPER_SECRET");
    let door = space.state.join("hook/hook.sock");
    let ask = |request: &str, command: &str| {
        let mut data = call(command);
        data["cwd"] = json!(agent.dir);
        let body = json!({
            "sessionId": agent.id, "requestId": request, "event": "PreToolUse", "data": data,
        })
        .to_string();
        let head = format!(
            "POST /hooks/claude HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             X-CodePiper-Secret: {secret}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        agent.request("plain", &door, &format!("{head}{body}"))
    };
    let first = ask("r1", "git push");
    assert_eq!((first.status, &first.json()["decision"]), (200, &json!("deny")));
    set_policy(&daemon, &json!([{"action": "allow", "tool": "*"}])).ok();
    assert_eq!(ask("r1", "git push").json(), first.json(), "the policy has changed since");
    assert_eq!(ask("r2", "git push").json()["decision"], "allow", "a new request is judged anew");
    daemon.crash_and_restart();
    wait_until("the session to be adopted", SOON, || {
        daemon.session(&agent.id)["adopting"] == false
    });
    assert_eq!(ask("r1", "git push").json(), first.json(), "another daemon");
    let other = ask("r1", "rm -rf /");
    assert_eq!(other.status, 403, "one request, one call: {}", other.text());
    assert_eq!(decisions(&daemon, &agent.id).len(), 2);
    for request in ["", &"x".repeat(513)] {
        let reply = ask(request, "ls");
        assert_eq!(reply.status, 400, "{}", reply.text());
    }
}

#[test]
fn an_unproven_process_is_refused_at_once_also_while_a_session_is_being_adopted() {
    let space = Space::new();
    let mut daemon = start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let program = daemon.session(&agent.id)["pid"].as_i64().expect("a pid") as i32;
    let keeper = proc::stat(program).expect("the program").ppid;
    let secret = agent.variable("CODEPIPER_SECRET");
    proc::signal(keeper, Name::SIGSTOP).expect("a keeper that cannot be adopted");
    daemon.crash_and_restart();
    let body = json!({"sessionId": agent.id, "requestId": "r", "event": "Stop", "data": {}});
    let body = body.to_string();
    for secret in ["wrong", &secret] {
        let head = format!(
            "POST /hooks/claude HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             X-CodePiper-Secret: {secret}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let door = space.state.join("hook/hook.sock");
        let reply = http::exchange(&door, format!("{head}{body}").as_bytes()).expect("a reply");
        assert_eq!(reply.status, 403, "not told to wait and ask again: {}", reply.text());
    }
    proc::signal(keeper, Name::SIGCONT).expect("a keeper that goes on");
}

#[test]
fn a_daemon_killed_and_restarted_in_between_still_decides() {
    let space = Space::new();
    let mut daemon = start(&space);
    usual(&daemon);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    daemon.crash_and_restart();
    // Right away: the session may not be adopted yet, and the hook waits for it.
    expect(&agent.hook(&call("cargo test")), "allow", "");
    let program = daemon.session(&agent.id)["pid"].as_i64().expect("a pid") as i32;
    daemon.kill9();
    let order = json!({"do": "hook", "stdin": call("git push")});
    let asked = agent.tell(&order);
    wait_until("the hook to run and find nobody", SOON, || {
        proc::descendants(program).iter().any(|p| p.comm.starts_with("codepiper"))
    });
    daemon.start_binary(BINARY);
    expect(&agent.result(asked), "deny", "pushing is mine");
    assert_eq!(decisions(&daemon, &agent.id).len(), 2);
}

#[test]
fn with_no_daemon_at_all_the_call_is_blocked() {
    let space = Space::new();
    let mut daemon = start(&space);
    set_policy(&daemon, &json!([{"action": "allow", "tool": "*"}])).ok();
    let agent = Inside::start_claude(&space, &daemon, "agent");
    expect(&agent.hook(&call("ls")), "allow", "");
    daemon.stop();
    let begun = Instant::now();
    expect_blocked(&agent.hook(&call("ls")), "did not answer in time");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(29), "before the agent gives up on the hook: {took:?}");
    // What only tells is silent, and does not hold the agent up for long.
    let begun = Instant::now();
    let told = agent.hook(&told("Stop"));
    assert_eq!(told, json!({"code": 0, "stdout": "", "stderr": ""}));
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[test]
fn a_hook_in_doubt_blocks_and_says_why_without_the_secret() {
    let space = Space::new();
    let daemon = start(&space);
    set_policy(&daemon, &json!([{"action": "allow", "tool": "*"}])).ok();
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let other = Inside::start_claude(&space, &daemon, "other");
    let secret = agent.variable("CODEPIPER_SECRET");
    let hook = |stdin: &Value, name: &str, value: &str| {
        let env = json!({name: value});
        agent.ask(&json!({"do": "hook", "stdin": stdin, "env": env}))
    };
    let mut nameless = call("ls");
    nameless["tool_name"] = Value::Null;
    let cases = [
        ("a wrong secret", hook(&call("ls"), "CODEPIPER_SECRET", "0000"), "refused"),
        ("no secret", hook(&call("ls"), "CODEPIPER_SECRET", ""), "CODEPIPER_SECRET"),
        ("another's session", hook(&call("ls"), "CODEPIPER_SESSION", &other.id), "refused"),
        ("no session", hook(&call("ls"), "CODEPIPER_SESSION", "x"), "CODEPIPER_SESSION"),
        ("no socket", hook(&call("ls"), "CODEPIPER_UNIX_SOCK", "x"), "CODEPIPER_UNIX_SOCK"),
        ("no tool", hook(&nameless, "LANG", "C"), "tool_name"),
    ];
    for (what, ran, words) in cases {
        assert_eq!((&ran["code"], &ran["stdout"]), (&json!(2), &json!("")), "{what}: {ran}");
        let stderr = ran["stderr"].as_str().expect("text");
        assert!(stderr.contains(words), "{what}: {stderr}");
        assert!(!stderr.contains(&secret), "{what}: the secret is told");
    }
    assert_eq!(decisions(&daemon, &agent.id), Vec::<Value>::new());
    assert_eq!(decisions(&daemon, &other.id), Vec::<Value>::new());
}

#[test]
fn secrets_stand_in_no_command_line_no_file_and_no_log() {
    let space = Space::new();
    let daemon = start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    agent.hook(&told("SessionStart"));
    agent.hook(&call("ls"));
    let secret = agent.variable("CODEPIPER_SECRET");
    assert_eq!(secret.len(), 64);
    let facts = agent.ask(&json!({"do": "facts"}));
    assert!(!facts["argv"].to_string().contains(&secret));
    let mut dirs = vec![space.state.clone()];
    while let Some(dir) = dirs.pop() {
        for path in std::fs::read_dir(dir).expect("a directory").flatten().map(|e| e.path()) {
            match std::fs::read(&path) {
                Ok(bytes) => {
                    let found = bytes.windows(64).any(|w| w == secret.as_bytes());
                    assert!(!found, "{} holds the secret", path.display());
                }
                Err(_) if path.is_dir() => dirs.push(path),
                Err(_) => {}
            }
        }
    }
    assert!(!space.daemon_log().contains(&secret));
    let shown = daemon.request("GET", &format!("/sessions/{}", agent.id), None).text();
    assert!(!shown.contains(&secret));
}

#[test]
fn a_decision_that_cannot_be_stored_is_a_no() {
    let space = Space::new();
    let mut daemon = start(&space);
    set_policy(&daemon, &json!([{"action": "allow", "tool": "*"}])).ok();
    let agent = Inside::start_claude(&space, &daemon, "agent");
    expect(&agent.hook(&call("ls")), "allow", "");
    daemon.stop();
    std::fs::write(space.state.join("codepiper.db"), "no database any more").expect("damage");
    daemon.start_binary(BINARY);
    wait_until("the session to be adopted", SOON, || {
        let reply = daemon.request("GET", &format!("/sessions/{}", agent.id), None);
        reply.status == 200 && reply.json()["session"]["adopting"] == false
    });
    expect_blocked(&agent.hook(&call("ls")), "refused");
}
