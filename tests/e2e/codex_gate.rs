//! The gate, shown with the real Codex against a scripted model: with its interface and headless,
//! with tools called one by one and from the model's own scripts.

use crate::codex::Codex;
use crate::codex::Ground;
use crate::codex::SCRIPTING;
use crate::codex::answer;
use crate::codex::entry;
use crate::codex::script;
use crate::codex::shell;
use crate::model;
use crate::support::daemon::BINARY;
use crate::support::daemon::read_only_home;
use crate::support::space::path_text;
use crate::support::tmux::Tmux;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const REASON: &str = "this file is not yours to make";
/// A patch that makes a file.
fn patch(file: &str) -> Value {
    let text = format!("*** Begin Patch\n*** Add File: {file}\n+x\n*** End Patch\n");
    json!([{"name": "apply_patch", "input": text}])
}

fn policy() -> Value {
    json!([
        {"action": "allow", "tool": "Bash", "command": [
            "touch allowed", "touch late", "touch sub", "sleep 30", "bash",
        ]},
        {"action": "allow", "tool": ["spawn_agent", "wait_agent", "multi_agent_v1wait_agent"]},
        {"action": "deny", "tool": ["Bash"], "command": "touch denied", "reason": REASON},
        {"action": "allow", "tool": "apply_patch"},
        {"action": "deny", "write": "**/patched", "reason": "no patches here"},
    ])
}

#[test]
fn an_allowed_tool_runs_a_denied_one_does_not_and_one_that_is_asked_waits_for_its_person() {
    let ground = Ground::new(&json!({"prompts": [
        entry("the allowed", shell(&["touch allowed"])),
        entry("the denied", shell(&["touch denied"])),
        entry("the unnamed", shell(&["touch unnamed"])),
        entry("the patch", patch("patched")),
        entry("the mending", patch("mended")),
    ]}));
    let codex = Codex::start(&ground, &policy());

    let told = codex.ask("do the allowed thing");
    assert!(told.contains("exited with code 0"), "{told}");
    assert!(ground.has("allowed"), "the allowed tool has run");
    let told = codex.ask("do the denied thing");
    assert!(told.contains("blocked by PreToolUse hook") && told.contains(REASON), "{told}");
    assert!(!ground.has("denied"), "the denied tool has not run");
    codex.say("do the unnamed thing");
    let no = ["deny", "--reason", "not on a Friday"];
    ground.space.answer(&no);
    let told = ground.model.texts("do the unnamed thing", 0).join("");
    assert!(told.contains("not on a Friday"), "{told}");
    assert!(!ground.has("unnamed"), "what was refused has not run");
    codex.wait_idle();
    let told = codex.ask("do the patch thing");
    assert!(told.contains("no patches here"), "{told}");
    assert!(!ground.has("patched"), "the denied patch was not applied");
    codex.ask("do the mending thing");
    assert!(ground.has("mended"), "it was its file that was denied, and no other");

    assert_eq!(codex.daemon.session(&codex.id)["guarded"], true);
    assert_eq!(codex.decisions("allow"), 2, "one row for each allowed call");
    assert_eq!(codex.decisions("deny"), 2, "one row for each denied one");
    assert_eq!(codex.decisions("ask"), 1, "one row for the one that was asked");
    codex.stop();
}

#[test]
fn who_sits_at_the_terminal_is_told_what_a_held_call_waits_for() {
    let ground =
        Ground::new(&json!({"prompts": [entry("the unnamed", shell(&["touch unnamed"]))]}));
    let codex = Codex::start(&ground, &policy());
    let attach = format!("{BINARY} attach {}", codex.id);
    let terminal = Tmux::start(&ground.space, 100, 30, &attach);
    terminal.wait_text("›");
    codex.say("do the unnamed thing");
    let is_note = |line: &str| line.contains("codepiper asks: approve 1 | deny 1: Bash touch un");
    terminal.wait_screen("the note on the last line, and Codex's own words", |screen| {
        let last = screen.lines().last().unwrap_or_default();
        is_note(last) && screen.contains("waiting for codepiper's policy")
    });
    // Codex paints its clock on and on meanwhile: the note neither moves nor doubles.
    terminal.wait_screen("the clock to go on", |screen| screen.contains("3s"));
    let held = terminal.screen();
    assert_eq!(held.lines().filter(|line| is_note(line)).count(), 1, "{held}");
    ground.space.answer(&["approve"]);
    ground.model.texts("do the unnamed thing", 0);
    codex.wait_idle();
    terminal.wait_screen("the note to go", |screen| !screen.contains("codepiper asks"));
    assert!(ground.has("unnamed"), "what was approved has run");
    codex.stop();
}

#[test]
fn tools_that_a_script_of_the_model_calls_are_judged_one_by_one() {
    let code = "for (const name of ['allowed', 'denied', 'unnamed']) {\n\
                  try { await tools.exec_command({cmd: 'touch ' + name}); }\n\
                  catch (error) { text(error); }\n\
                }\n\
                try { await tools.apply_patch('*** Begin Patch\\n*** Add File: patched\\n+x\\n\
                *** End Patch\\n'); } catch (error) { text(error); }\n\
                try { await tools.exec_command({cmd: 'bash', tty: true}); }\n\
                catch (error) { text(error); }";
    let ground = Ground::new(&json!({"prompts": [entry("the script", script(code))]}));
    ground.configure(SCRIPTING, "");
    let codex = Codex::start(&ground, &policy());

    codex.say("run the script");
    ground.space.answer(&["deny", "--reason", "not on a Friday"]);
    let told = ground.model.texts("run the script", 0).join("");
    codex.wait_idle();
    for words in [REASON, "not on a Friday", "no patches here", "TTY execution is disabled"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(ground.has("allowed"), "the allowed tool has run");
    for name in ["denied", "unnamed", "patched"] {
        assert!(!ground.has(name), "{name}");
    }
    let count = ["allow", "deny", "ask"].map(|word| codex.decisions(word));
    assert_eq!(count, [2, 2, 1]);
    codex.stop();
}

#[test]
fn a_headless_run_is_judged_and_ends_by_itself() {
    let both = shell(&["touch allowed", "touch denied", "touch unnamed"]);
    let ground = Ground::new(&json!({"prompts": [entry("both things", both)]}));
    let line = ["exec", "--json", "do both things"];
    let codex = Codex::start_with(&ground, &policy(), &line);

    ground.space.answer(&["deny", "--reason", "not on a Friday"]);
    let told = ground.model.texts("both things", 0);
    assert!(told[0].contains("exited with code 0"), "{told:?}");
    assert!(told[1].contains(REASON), "{told:?}");
    assert!(told[2].contains("not on a Friday"), "{told:?}");
    assert!(ground.has("allowed") && !ground.has("denied") && !ground.has("unnamed"));
    ground.space.cli(&["wait", &codex.id, "--for", "ended", "--timeout", "30s"]).expect(0);
    let session = codex.daemon.session(&codex.id);
    assert_eq!((&session["guarded"], &session["exitCode"]), (&json!(true), &json!(0)), "{session}");
}

#[test]
fn a_subagents_call_is_judged_too() {
    let spawn = json!([
        {"name": "spawn_agent", "namespace": "multi_agent_v1", "input": {"message": "do sub work"}}
    ]);
    let sub = shell(&["touch sub", "touch denied"]);
    let ground = Ground::new(&json!({"prompts": [
        entry("sub work", sub),
        entry("spawn one", spawn),
    ]}));
    let codex = Codex::start(&ground, &policy());
    codex.say("spawn one");
    let told = ground.model.texts("sub work", 0);
    assert!(told[1].contains(REASON), "{told:?}");
    assert!(ground.has("sub") && !ground.has("denied"));
    codex.stop();
}

#[test]
fn nothing_can_be_typed_into_a_tool_that_was_judged_already() {
    let tool = |name: &str, input: Value| json!([{"name": name, "input": input}]);
    let typed = json!({"session_id": "${found}", "chars": "touch typed\n", "yield_time_ms": 500});
    let ground = Ground::new(&json!({"prompts": [
        entry("a terminal", tool("exec_command", json!({"cmd": "bash", "tty": true}))),
        {"match": "a pipe", "steps": [
            answer(tool("exec_command", json!({"cmd": "sleep 30", "yield_time_ms": 300}))),
            {"find": "session ID (\\d+)", "tools": tool("write_stdin", typed)},
            {"text": "done"},
        ]},
    ]}));
    let codex = Codex::start(&ground, &policy());
    let told = codex.ask("take a terminal");
    assert!(told.contains("TTY execution is disabled"), "{told}");
    codex.say("take a pipe");
    let told = ground.model.texts("a pipe", 1).join("");
    assert!(told.contains("stdin is closed"), "{told}");
    assert_eq!(codex.decisions("allow"), 2, "both programs were allowed, and got no input");
    codex.stop();
}

#[test]
fn a_daemon_killed_and_restarted_while_a_tool_waits_still_decides() {
    let held = |thing: &str, file: &str| {
        let mut held = entry(thing, shell(&[&format!("touch {file}")]));
        held["steps"][0]["hold"] = json!(model::hold_name(thing));
        held
    };
    let ground = Ground::new(&json!({"prompts": [
        held("held allowed", "allowed"), held("held denied", "denied"),
    ]}));
    let mut codex = Codex::start(&ground, &policy());
    for (thing, word) in [("held allowed", "exited with code 0"), ("held denied", REASON)] {
        codex.say(&format!("do the {thing} thing"));
        ground.model.wait_asked(thing);
        codex.daemon.kill9();
        ground.model.let_go(&model::hold_name(thing));
        crate::claude::agent::wait_hook(&ground.space);
        codex.restart();
        let told = ground.model.texts(thing, 0).join("");
        assert!(told.contains(word), "{thing}: {told}");
    }
    assert!(ground.has("allowed") && !ground.has("denied"));
    codex.stop();
}

#[test]
fn without_a_daemon_no_tool_runs_and_the_session_lives_on() {
    let mut held = entry("held late", shell(&["touch late"]));
    held["steps"][0]["hold"] = json!(model::hold_name("held late"));
    let ground =
        Ground::new(&json!({"prompts": [held, entry("the allowed", shell(&["touch allowed"]))]}));
    let mut codex = Codex::start(&ground, &policy());
    codex.say("do the held late thing");
    ground.model.wait_asked("held late");
    codex.daemon.kill9();
    ground.model.let_go(&model::hold_name("held late"));
    let told =
        ground.model.texts_within("held late", 0, crate::claude::agent::PAST_THE_DEADLINE).join("");
    assert!(told.contains("the gate cannot decide"), "{told}");
    assert!(!ground.has("late"), "nothing has run without a decision");

    codex.restart();
    codex.wait_idle();
    let told = codex.ask("do the allowed thing");
    assert!(told.contains("exited with code 0") && ground.has("allowed"), "{told}");
    codex.stop();
}

#[test]
fn a_hook_program_that_is_gone_or_dies_blocks_the_call() {
    let ground = Ground::new(&json!({"prompts": [
        entry("first thing", shell(&["touch allowed"])),
        entry("second thing", shell(&["touch late"])),
    ]}));
    let codex = Codex::start(&ground, &policy());
    let hooks = ground.space.state.join("hook");
    let mut files = fs::read_dir(&hooks).expect("the hook directory").flatten();
    let is_program = |name: &str| name.starts_with("codepiper-");
    let program = files.find(|f| f.file_name().to_str().is_some_and(is_program));
    let program = program.expect("the pinned program").path();
    fs::remove_file(&program).expect("the pinned program can be removed");
    let told = codex.ask("do the first thing");
    assert!(told.contains("codepiper: the call was not run"), "{told}");
    fs::write(&program, "#!/bin/sh\nkill -9 $$\n").expect("a program in its place");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o500)).expect("mode 0500");
    let told = codex.ask("do the second thing");
    assert!(told.contains("codepiper: the call was not run"), "{told}");
    assert!(!ground.has("allowed") && !ground.has("late"), "both would have been allowed");
}

#[test]
fn a_resumed_session_goes_on_with_its_conversation_under_the_gate() {
    let ground = Ground::new(&json!({"prompts": [
        entry("the allowed", shell(&["touch allowed"])),
        entry("the denied", shell(&["touch denied"])),
    ]}));
    let codex = Codex::start(&ground, &policy());
    codex.ask("do the allowed thing");
    let conversation = |codex: &Codex<'_>| {
        codex.daemon.session(&codex.id)["metadata"]["providerSession"]["id"].clone()
    };
    let before = conversation(&codex);
    assert!(before.is_string(), "{before}");
    codex.wait_idle();
    codex.stop();

    ground.space.cli(&["resume", &codex.id]).expect(0);
    codex.open_folder();
    codex.daemon.wait_screen(&codex.id, "do the allowed thing");
    let told = codex.ask("do the denied thing");
    assert!(told.contains(REASON) && !ground.has("denied"), "{told}");
    assert_eq!(conversation(&codex), before, "the same conversation");
    let start = || codex.daemon.get(&format!("/sessions/{}/events?type=SessionStart", codex.id));
    wait_until("both starts in the record", SOON, || {
        start()["events"].to_string().contains("\"resume\"")
    });
    codex.stop();
}

#[test]
fn a_home_that_nobody_can_write_to_is_a_clear_error_and_no_ungated_run() {
    let both = entry("both things", shell(&["touch allowed", "touch denied"]));
    let ground = Ground::new(&json!({"prompts": [both]}));
    let mut codex = Codex::start(&ground, &policy());
    codex.daemon.kill9();
    codex.daemon.start_binary(&read_only_home(&ground.space));
    let cwd = path_text(&ground.cwd);
    let line = ["start", "-p", "codex", "-d", &cwd, "--", "exec", "do both things"];
    let out = ground.space.cli(&line).expect(1);
    assert!(out.stderr.contains("Read-only file system"), "{}", out.stderr);
    assert!(!ground.has("allowed") && !ground.has("denied"), "nothing has run");
    let sessions = codex.daemon.get("/sessions")["sessions"].as_array().map(Vec::len);
    assert_eq!(sessions, Some(1), "a failed start leaves nothing");
    codex.stop();
}
