//! Whatever fails between the agent and the daemon: the tool does not run, and the model is told.

use crate::claude::agent::Agent;
use crate::claude::agent::PAST_THE_DEADLINE;
use crate::claude::person::Person;
use crate::claude::script::Script;
use crate::claude::script::touch;
use crate::model::ToolResult;
use crate::support::daemon::BINARY;
use crate::support::space::Space;
use crate::support::wait::SOON;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

/// One way in which nobody answers, and whether the daemon runs on.
type Silence = (&'static str, fn(&mut Agent<'_>), bool);

/// Each takes the whole of a deadline.
const SILENCES: [Silence; 5] = [
    ("the daemon is gone", |agent| agent.daemon.kill9(), false),
    ("the daemon has stopped", |agent| stop_daemon(agent), true),
    ("the socket is missing", |agent| fs::remove_file(socket(agent)).expect("a socket"), true),
    ("somebody else takes the call and says nothing", |agent| answer_instead(agent, vec![]), false),
    ("the hook never ends", |agent| replace_hook(agent, "#!/bin/sh\nexec sleep 1000\n"), true),
];

/// Answers of somebody who is not the daemon.
fn garbage() -> Vec<String> {
    let reply = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let inner = json!({"hookEventName": "PostToolUse", "permissionDecision": "allow"});
    let misnamed = json!({"decision": "allow", "output": {"hookSpecificOutput": inner}});
    vec![
        "garbage\r\n\r\n".to_string(),
        "HTTP/1.1 200 OK\r\n\r\n{\"decision\":\"allow\"}".to_string(),
        reply("200 OK", "hello"),
        reply("200 OK", r#"{"decision":"allow"}"#),
        reply("200 OK", r#"{"decision":"allow","output":{}}"#),
        reply("200 OK", &misnamed.to_string()),
        reply("403 Forbidden", "{}"),
    ]
}

fn stop_daemon(agent: &Agent<'_>) {
    proc::signal(agent.daemon.pid(), Name::SIGSTOP).expect("SIGSTOP");
}

fn socket(agent: &Agent<'_>) -> PathBuf {
    agent.space.state.join("hook/hook.sock")
}

fn hook(agent: &Agent<'_>) -> PathBuf {
    agent.space.state.join(format!("hook/codepiper-{}", codepiper::BUILD))
}

fn replace_hook(agent: &Agent<'_>, script: &str) {
    let new = agent.space.write_program("new-hook", script);
    fs::rename(new, hook(agent)).expect("a program in place of the hook's");
}

fn mend_hook(agent: &Agent<'_>) {
    let new = agent.space.root.join("new-hook");
    fs::copy(BINARY, &new).expect("a copy");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o500)).expect("mode 0500");
    fs::rename(new, hook(agent)).expect("the hook's program again");
}

/// Kills the daemon, takes its place and gives these answers to calls that ask; then silence.
fn answer_instead(agent: &mut Agent<'_>, answers: Vec<String>) {
    agent.daemon.kill9();
    fs::remove_file(socket(agent)).expect("a dead socket");
    let listener = UnixListener::bind(socket(agent)).expect("the hook socket");
    std::thread::spawn(move || {
        let (mut answers, mut silent) = (answers.into_iter(), Vec::new());
        for stream in listener.incoming() {
            let mut stream = stream.expect("a call");
            let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
            // The head; the event stands early in the body, and its first piece holds both.
            while !heard.windows(9).any(|w| w == b"\"event\":\"") {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => heard.extend_from_slice(&buffer[..count]),
                }
            }
            let asks = String::from_utf8_lossy(&heard).contains("\"event\":\"PreToolUse\"");
            match asks.then(|| answers.next()).flatten() {
                Some(answer) => drop(stream.write_all(answer.as_bytes())),
                None => silent.push(stream),
            }
        }
    });
}

/// The model is told that the tool did not run, and by whom.
#[track_caller]
fn expect_refused(what: &str, result: &ToolResult) {
    let told = ["codepiper", "hook"].iter().any(|word| result.text.contains(word));
    assert!(result.is_error && told, "{what}: {result:?}");
}

#[test]
fn while_nobody_answers_no_tool_runs_and_the_session_lives_on() {
    let script = Script::new()
        .held("do the held thing", &[touch("held")])
        .on("do the next thing", &[touch("next")])
        .allow(&["touch held", "touch next"]);
    let silence = |(what, fault, lives): Silence| {
        let space = Space::new();
        let mut agent = Agent::start(&space, &script);
        agent.say("do the held thing");
        agent.model.wait_asked("do the held thing");
        fault(&mut agent);
        agent.let_go("do the held thing");
        expect_refused(what, &agent.model.result_at("do the held thing", 1, PAST_THE_DEADLINE));
        assert!(!agent.made("held"), "{what}: nothing has run without a decision");

        if lives {
            agent.daemon.kill9();
        }
        let _ = fs::remove_file(socket(&agent));
        mend_hook(&agent);
        agent.restart();
        assert!(!agent.ask("do the next thing").is_error, "{what}: over");
        assert!(agent.made("next") && !agent.made("held"), "{what}: over");
        agent.stop();
    };
    std::thread::scope(|scope| {
        for one in SILENCES {
            scope.spawn(move || silence(one));
        }
    });
}

#[test]
fn a_hook_program_that_is_broken_runs_no_tool() {
    let space = Space::new();
    type Fault = (&'static str, fn(&Agent<'_>));
    let faults: [Fault; 4] = [
        ("gone", |agent| fs::remove_file(hook(agent)).expect("the hook's program")),
        ("no program", |agent| {
            fs::set_permissions(hook(agent), fs::Permissions::from_mode(0o400)).expect("mode 0400");
        }),
        ("failing", |agent| replace_hook(agent, "#!/bin/sh\nexit 1\n")),
        ("killed", |agent| replace_hook(agent, "#!/bin/sh\nkill -9 $$\n")),
    ];
    let mut script = Script::new().rule(json!({"action": "allow", "tool": "Bash"}));
    for (what, _) in faults {
        script = script.on(&format!("do it {what}"), &[touch(&what.replace(' ', "-"))]);
    }
    let agent = Agent::start(&space, &script.on("do it again", &[touch("again")]));

    for (what, fault) in faults {
        fault(&agent);
        expect_refused(what, &agent.ask(&format!("do it {what}")));
        assert!(!agent.made(&what.replace(' ', "-")), "{what}");
        mend_hook(&agent);
    }
    assert!(!agent.ask("do it again").is_error && agent.made("again"), "the hook is mended");
    assert_eq!(agent.verdicts(), ["allow"]);
    agent.stop();
}

#[test]
fn a_wrong_answer_or_a_killed_hook_runs_no_tool() {
    let space = Space::new();
    let answers = garbage();
    let files: Vec<String> = (0..answers.len()).map(|at| format!("garbage-{at}")).collect();
    let calls: Vec<Value> = files.iter().map(|file| touch(file)).collect();
    let script = Script::new()
        .held("do it for garbage", &calls)
        .held("do it with a signal", &[touch("signal")])
        .on("do it again", &[touch("again")])
        .rule(json!({"action": "allow", "tool": "Bash"}));
    let mut agent = Agent::start(&space, &script);

    agent.say("do it for garbage");
    agent.model.wait_asked("do it for garbage");
    answer_instead(&mut agent, answers.clone());
    agent.let_go("do it for garbage");
    for (at, answer) in answers.iter().enumerate() {
        let result = agent.model.result_at("do it for garbage", at as u64 + 1, SOON);
        expect_refused(answer, &result);
        assert!(!agent.made(&files[at]), "{answer}");
    }
    fs::remove_file(socket(&agent)).expect("the other's socket");
    agent.restart();

    agent.say("do it with a signal");
    agent.model.wait_asked("do it with a signal");
    stop_daemon(&agent);
    agent.let_go("do it with a signal");
    proc::signal(agent.wait_hook(), Name::SIGTERM).expect("SIGTERM");
    expect_refused("SIGTERM", &agent.model.result_of("do it with a signal"));
    proc::signal(agent.daemon.pid(), Name::SIGCONT).expect("SIGCONT");
    assert!(!agent.made("signal"));

    assert!(!agent.ask("do it again").is_error && agent.made("again"), "all is well again");
    assert_eq!(agent.verdicts().last().map(String::as_str), Some("allow"));
    agent.stop();
}

#[test]
fn another_sessions_name_or_a_wrong_secret_runs_no_tool() {
    let space = Space::new();
    let script = Script::new()
        .on("do it in another name", &[touch("name")])
        .on("do it with a wrong secret", &[touch("secret")])
        .rule(json!({"action": "allow", "tool": "Bash"}));
    let mut agent = Agent::start(&space, &script);
    let other = agent.id.clone();

    // The person's own settings reach the environment of the hooks.
    let path = space.home.join(".claude/settings.json");
    let before = fs::read_to_string(&path).expect("the settings");
    for (prompt, name, value) in [
        ("do it in another name", "CODEPIPER_SESSION", &*other),
        ("do it with a wrong secret", "CODEPIPER_SECRET", "0000"),
    ] {
        let mut settings: Value = serde_json::from_str(&before).expect("JSON");
        settings["env"][name] = json!(value);
        fs::write(&path, settings.to_string()).expect("the settings");
        agent.id = agent.another(&[]);
        // To programs it is not ready, and never will be; a person can type all the same.
        Person::at(&agent).say(&agent, prompt);
        expect_refused(prompt, &agent.model.result_of(prompt));
        let spoken_for = if name == "CODEPIPER_SESSION" { &other } else { &agent.id };
        assert!(!agent.events_of(spoken_for, "refused").is_empty(), "{prompt}: it is recorded");
        assert_eq!(agent.row()["guarded"], false, "{prompt}");
    }
    assert!(!agent.made("name") && !agent.made("secret"));
    assert_eq!(agent.daemon.session(&other)["guarded"], true, "nothing was said in its name");
}
