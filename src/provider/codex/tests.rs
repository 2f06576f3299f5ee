//! The command line of Codex.

use super::*;
use std::collections::BTreeMap;

const SESSION: &str = "0b7e4c1e-9d43-4c5e-8a7e-1f5a3b2c4d5e";
const TALK: &str = "01a21522-422a-7df3-895a-ad2549744f67";

struct Case<'a> {
    args: &'a [&'a str],
    given: (&'a str, &'a str),
    resume: Option<&'a str>,
    fork: bool,
    cwd: &'a str,
}

const PLAIN: Case<'_> =
    Case { args: &[], given: ("LANG", "C"), resume: None, fork: false, cwd: "/home/u/proj" };

fn try_start(case: &Case<'_>) -> Result<Launch> {
    let args: Vec<String> = case.args.iter().map(|a| a.to_string()).collect();
    let given = BTreeMap::from([(case.given.0.to_string(), case.given.1.to_string())]);
    start(&LaunchRequest {
        session: SESSION,
        args: &args,
        given: &given,
        hook_program: "/home/u/.codepiper/hook/codepiper-1a2b",
        hook_socket: "/home/u/.codepiper/hook/hook.sock",
        secret: "5ec2e7",
        dir: "/home/u/.codepiper/sessions/s",
        resume: case.resume,
        fork: case.fork,
        cwd: case.cwd,
        project_settings: false,
    })
}

/// The line without hooks and settings, which are the same in each.
fn line(case: &Case<'_>) -> String {
    let launch = try_start(case).unwrap_or_else(|error| panic!("{:?}: {error}", case.args));
    let all_the_same = ["--no-daemon", "--enable", "--disable", "--config=hooks.", "--config=proj"];
    let own = launch.args.iter().filter(|arg| {
        !all_the_same.iter().any(|start| arg.starts_with(start))
            && !["web_search", "sqlite_home"].iter().any(|key| arg.contains(key))
    });
    own.cloned().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_queued_for_it_lies_in_a_directory_of_its_own() {
    let launch = try_start(&PLAIN).unwrap();
    let dir = "/home/u/.codepiper/sessions/s/codex";
    assert!(launch.args.contains(&format!("--config=sqlite_home=\"{dir}\"")));
    assert_eq!(launch.dirs, [dir]);
}

#[test]
fn every_hook_comes_with_its_trust_and_switched_on() {
    let args = try_start(&PLAIN).unwrap().args;
    assert!(args.contains(&"--enable=hooks".to_string()));
    for (event, key, timeout) in EVENTS {
        let command = "/home/u/.codepiper/hook/codepiper-1a2b hook-forward";
        let command = match *event {
            "PreToolUse" => format!(
                "/bin/sh -c '{command} || {{ echo codepiper: the call was not run >&2; exit 2; }}'"
            ),
            _ => command.to_string(),
        };
        let shown = match *timeout {
            630 => ",statusMessage=\"waiting for codepiper's policy\"",
            _ => "",
        };
        let hook = format!(
            "--config=hooks.{event}=[{{hooks=[{{type=\"command\",command=\"{command}\",\
             timeout={timeout}{shown}}}]}}]"
        );
        assert!(args.contains(&hook), "{hook}");
        let state = args.iter().find(|arg| arg.starts_with("--config=hooks.state=")).unwrap();
        let state = state.split_once(&format!(":{key}:0:0\"={{trusted_hash=\"sha256:")).unwrap().1;
        assert_eq!(&state[64..79], "\",enabled=true}", "{key}");
    }
    assert!(!args.iter().any(|a| a.contains("5ec2e7")), "no secret in arguments");
    assert!(hook_args("/h/code piper").unwrap_err().message.contains("CODEPIPER_HOME"));
    assert!(hook_args("codepiper").is_err());
}

#[test]
fn the_trust_is_the_one_that_codex_itself_writes() {
    // As told by `hooks/list` of the app server of 0.169.0 for this command.
    let command = "/home/u/hook-forward run";
    let gate = "cd7fcaa4bb2ed37b21d79b15e4f08ccca4cb4576dd751e81ad48de68535aa121";
    let told = "82e3e18b5a9fbd877539cd31bbcd032f27c976ebfc5d8274fba520a6f70bc8f3";
    let end = "60ccbc63653da7bad94c8c3fef551b39ffeaca0f09ce645c1fc8deded887088d";
    for (key, timeout, hash) in
        [("pre_tool_use", 60, gate), ("session_start", 10, told), ("session_end", 3, end)]
    {
        assert_eq!(trusted_hash(key, command, timeout, None), format!("sha256:{hash}"), "{key}");
    }
    let shown = "ed353f0aa027e56cbb57fbdddf4cef32e865a035812abd21bb34717e5e8e0339";
    let hash = trusted_hash("pre_tool_use", command, 60, Some("waiting"));
    assert_eq!(hash, format!("sha256:{shown}"));
}

#[test]
fn the_project_is_untrusted_from_the_root_down_and_tools_get_no_terminal() {
    let args = try_start(&PLAIN).unwrap().args;
    let places = ["/home/u/proj", "/home/u", "/home", "/"];
    let places = places.map(|place| format!("\"{place}\"={{trust_level=\"untrusted\"}}"));
    assert!(args.contains(&format!("--config=projects={{{}}}", places.join(","))));
    for setting in SETTINGS {
        assert!(args.contains(&setting.to_string()), "{setting}");
    }
    let odd = try_start(&Case { cwd: "/a \"b\\c\u{1}\u{7f}é", ..PLAIN }).unwrap().args;
    let odd = odd.iter().find(|arg| arg.starts_with("--config=projects")).unwrap();
    assert!(odd.contains("{\"/a \\\"b\\\\c\\u0001\\u007fé\"={"), "{odd}");
}

#[test]
fn the_users_arguments_follow_ours_and_the_prompt_stands_behind_dashes() {
    let usual = "--ask-for-approval=on-request --sandbox=workspace-write";
    for (args, want) in [
        (vec![], usual.to_string()),
        (vec!["do it"], format!("{usual} -- do it")),
        (vec!["-m", "big", "do it"], format!("{usual} --model=big -- do it")),
        (vec!["-mbig", "--json", "--", "resume"], format!("{usual} --model=big --json -- resume")),
        (vec!["-s=read-only"], "--ask-for-approval=on-request --sandbox=read-only".to_string()),
        (vec!["-a", "never"], "--sandbox=workspace-write --ask-for-approval=never".to_string()),
        (vec!["exec", "do it"], format!("{usual} exec -- do it")),
        (
            vec!["-m", "exec", "exec", "--json", "-i", "a.png", "do", "exec"],
            format!("{usual} --model=exec exec --json --image=a.png -- do exec"),
        ),
        (vec!["e", "-sread-only", "-"], {
            "--ask-for-approval=on-request exec --sandbox=read-only -- -".to_string()
        }),
        (vec!["-c", "model_verbosity=\"low\""], {
            format!("{usual} --config=model_verbosity=\"low\"")
        }),
    ] {
        assert_eq!(line(&Case { args: &args, ..PLAIN }), want, "{args:?}");
    }
}

#[test]
fn a_resume_goes_on_with_the_conversation_where_the_program_takes_its_options() {
    let usual = "--ask-for-approval=on-request --sandbox=workspace-write";
    let args = ["-m", "big", "go on"];
    let resumed = Case { args: &args, resume: Some(TALK), ..PLAIN };
    assert_eq!(line(&resumed), format!("{usual} resume {TALK} --model=big -- go on"));
    let forked = Case { fork: true, ..resumed };
    assert_eq!(line(&forked), format!("{usual} fork {TALK} --model=big -- go on"));
    let args = ["exec", "--json", "go on"];
    let headless = Case { args: &args, resume: Some(TALK), ..PLAIN };
    assert_eq!(line(&headless), format!("{usual} exec --json resume {TALK} -- go on"));
    let odd = Case { resume: Some("--last"), ..PLAIN };
    assert!(try_start(&odd).is_err(), "an id is no option");
}

#[test]
fn variables_that_would_undo_the_gate_are_refused() {
    for given in [
        ("CODEX_EXEC_SERVER_URL", "ws://127.0.0.1:1"),
        ("CODEX_SQLITE_HOME", "/home/u"),
        ("CODEX_HOME", "/home/u/proj/.codex"),
        ("CODEX_HOME", "/home/u/proj"),
    ] {
        let error = try_start(&Case { given, ..PLAIN }).err().unwrap();
        assert!(error.message.starts_with(given.0), "{error}");
    }
    for given in [("CODEX_HOME", "/home/u/project"), ("OPENAI_API_KEY", "x")] {
        assert!(try_start(&Case { given, ..PLAIN }).is_ok(), "{given:?}");
    }
}
