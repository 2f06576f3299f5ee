//! The promise: freeze stops every process of a session at once, whatever it does, until thaw; it
//! is shown everywhere, outlives the daemon, and takes nothing from stop and kill.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;
use codepiper::sys::tree;
use serde_json::Value;
use serde_json::json;

/// A shell with a job that counts, a daemon that left it, and a process that ignores what it can.
const BUSY: &str = "(setsid sh -c 'while :; do sleep 0.01; done' &) ; \
    sh -c 'trap \"\" HUP INT TERM CONT TSTP; while :; do :; done' & \
    echo up; i=0; while :; do i=$((i+1)); echo n $i; sleep 0.01; done";

fn busy(daemon: &Daemon<'_>) -> String {
    let id = daemon.start_session(&["sh", "-c", BUSY]);
    daemon.wait_screen(&id, "n 3");
    id
}

/// A shell that has just called vfork(2) waits in the kernel (D) for its child, which is stopped;
/// it runs nothing either.
fn is_still(state: char) -> bool {
    matches!(state, 'T' | 'D')
}

#[track_caller]
fn stands_still(keeper: i32) {
    let states: Vec<(char, String)> =
        proc::descendants(keeper).into_iter().map(|s| (s.state, s.comm)).collect();
    assert!(states.len() >= 3, "{states:?}");
    assert!(states.iter().all(|(state, _)| is_still(*state)), "{states:?}");
}

fn events(daemon: &Daemon<'_>, id: &str, kind: &str) -> usize {
    let page = daemon.get(&format!("/sessions/{id}/events?type={kind}&limit=1000"));
    page["events"].as_array().expect("a list").len()
}

#[test]
fn all_of_a_session_stands_still_and_goes_on_and_it_is_shown() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = busy(&daemon);
    let keeper = daemon.keeper(&id);
    let frozen = daemon.post(&format!("/sessions/{id}/freeze"), &json!({}));
    assert_eq!(frozen["session"]["frozen"], true);
    stands_still(keeper);
    let log = daemon.log(&id);
    assert!(space.cli(&["ls"]).expect(0).stdout.contains("frozen"));
    assert!(space.cli(&["show", &id]).expect(0).stdout.contains("codepiper thaw"));
    space.cli(&["freeze", &id]).expect(0);
    let refused =
        daemon.request("POST", &format!("/sessions/{id}/send"), Some(&json!({"text": "x"})));
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("codepiper thaw"), "{}", refused.text());
    assert_eq!(daemon.log(&id), log, "nothing was printed meanwhile");
    space.cli(&["rm", &id]).expect(1);
    space.cli(&["resume", &id]).expect(1);
    space.cli(&["thaw", &id]).expect(0);
    wait_until("it to print again", SOON, || daemon.log(&id).len() > log.len());
    assert!(proc::descendants(keeper).iter().all(|s| s.state != 'T'));
    space.cli(&["thaw", &id]).expect(0);
    assert_eq!(daemon.session(&id)["frozen"], false);
    assert_eq!((events(&daemon, &id, "frozen"), events(&daemon, &id, "thawed")), (1, 1));
}

#[test]
fn it_outlives_the_daemon_and_is_told_when_somebody_else_undid_it() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = busy(&daemon);
    let keeper = daemon.keeper(&id);
    space.cli(&["freeze", &id]).expect(0);
    daemon.crash_and_restart();
    let adopted = |daemon: &Daemon<'_>| {
        wait_until("adoption", SOON, || daemon.session(&id)["adopting"] == false);
    };
    adopted(&daemon);
    assert_eq!(daemon.session(&id)["frozen"], true);
    stands_still(keeper);
    space.cli(&["thaw", &id]).expect(0);
    space.cli(&["freeze", &id]).expect(0);
    daemon.kill9();
    assert_eq!(tree::resume(keeper), []);
    daemon.start_binary(BINARY);
    wait_until("the truth", SOON, || daemon.session(&id)["frozen"] == false);
    // One that a freeze stopped only in part, as its daemon was killed in the middle.
    space.cli(&["freeze", &id]).expect(0);
    daemon.kill9();
    let one = proc::descendants(keeper).pop().expect("a process");
    proc::signal(one.pid, Name::SIGCONT).expect("SIGCONT");
    daemon.start_binary(BINARY);
    wait_until("all to stand still", SOON, || {
        proc::descendants(keeper).iter().all(|s| is_still(s.state))
    });
    assert_eq!(daemon.session(&id)["frozen"], true);
}

#[test]
fn a_persons_own_ctrl_z_is_no_freeze() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "sleep 600 & kill -STOP $!; echo up; wait"]);
    daemon.wait_screen(&id, "up");
    daemon.crash_and_restart();
    wait_until("adoption", SOON, || daemon.session(&id)["adopting"] == false);
    assert_eq!(daemon.session(&id)["frozen"], false);
}

#[test]
fn stop_and_kill_end_a_frozen_session_and_an_ended_one_cannot_be_frozen() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let asked = daemon.start_session(&[
        "sh",
        "-c",
        "trap '' HUP; trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done",
    ]);
    daemon.wait_screen(&asked, "up");
    let killed = busy(&daemon);
    let all = space.cli(&["freeze", "--all", "--json"]).expect(0).json();
    let shown: Vec<&Value> = all["sessions"].as_array().expect("a list").iter().collect();
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|one| one["session"]["frozen"] == true && one["error"].is_null()));
    space.cli(&["stop", &asked]).expect(0);
    space.cli(&["kill", &killed]).expect(0);
    let ended = daemon.session(&asked);
    assert_eq!((&ended["exitCode"], &ended["frozen"]), (&json!(7), &json!(false)), "not killed");
    assert_eq!(daemon.session(&killed)["frozen"], false);
    for verb in ["freeze", "thaw"] {
        let refused = daemon.request("POST", &format!("/sessions/{asked}/{verb}"), None);
        assert_eq!(refused.status, 409, "{verb}: {}", refused.text());
    }
    assert_eq!(space.cli(&["freeze", "--all"]).expect(0).stdout, "no session runs\n");
}

#[test]
fn a_hook_that_was_frozen_goes_on_or_blocks_the_call() {
    let space = Space::new();
    Inside::install_claude(&space);
    let mut daemon = Daemon::start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let keeper = daemon.keeper(&agent.id);
    let call = |deadline: &str| {
        json!({"do": "hook", "env": {"CODEPIPER_HOOK_DEADLINE_MS": deadline}, "stdin": {
            "hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
            "transcript_path": "/tmp/t.jsonl", "tool_name": "TodoWrite", "tool_input": {},
            "tool_use_id": "toolu_1", "cwd": "/tmp",
        }})
    };
    for (deadline, code) in [("20000", 0), ("200", 2)] {
        daemon.kill9();
        let asked = agent.tell(&call(deadline));
        let is_hook = |name: &str| name.starts_with("codepiper") && name != "codepiper-cage";
        let waits = || proc::descendants(keeper).iter().any(|s| is_hook(&s.comm));
        wait_until("the hook to wait for a daemon", SOON, waits);
        assert_eq!(tree::stop(keeper).running, []);
        // Past the second deadline, well before the first.
        std::thread::sleep(std::time::Duration::from_millis(400));
        daemon.start_binary(BINARY);
        assert_eq!(tree::resume(keeper), []);
        let ran = agent.result(asked);
        assert_eq!(ran["code"], code, "{deadline}: {ran}");
        assert_eq!(code == 2, ran["stdout"] == "", "{ran}");
    }
}

#[test]
fn nobody_inside_a_session_can_freeze_thaw_or_lift() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let inside = Inside::start(&space, &daemon, "inside");
    for (method, rest) in
        [("POST", "/freeze"), ("POST", "/thaw"), ("PUT", "/dangerous"), ("DELETE", "/dangerous")]
    {
        let request = format!(
            "{method} /sessions/{}{rest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: 2\r\n\r\n{{}}",
            inside.id
        );
        let reply = inside.request("orphan", &space.control(), &request);
        assert_eq!(reply.status, 403, "{method} {rest}: {}", reply.text());
    }
}
