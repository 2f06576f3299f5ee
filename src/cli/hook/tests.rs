//! hook-forward against a daemon that misbehaves in every way we could think of.

mod daemon;
#[cfg(test)]
mod hold;

use super::*;
use crate::base::json;
use crate::base::thread;
use crate::sys::poll::Waker;
use daemon::Act;
use daemon::Daemon;
use daemon::free_path;
use std::collections::BTreeMap;
use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

pub const SESSION: &str = "0b7e4c1e-9d43-4c5e-8a7e-1f5a3b2c4d5e";
pub const SECRET: &str = "5ec2e75ec2e7";
/// For runs that must succeed: longer than any hiccup of a loaded machine.
const LONG: Duration = Duration::from_secs(9);
/// For runs that must give up.
const SHORT: Duration = Duration::from_millis(120);

pub fn reply(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nServer: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

pub fn verdict(word: &str) -> String {
    said(word, word)
}

/// A reply whose verdict is `word` for us and `inside` for the agent.
pub fn said(word: &str, inside: &str) -> String {
    let inner = format!("{{\"hookEventName\":\"PreToolUse\",\"permissionDecision\":\"{inside}\"}}");
    let output = format!("{{\"hookSpecificOutput\":{inner}}}");
    reply(200, &format!("{{\"decision\":\"{word}\",\"reason\":\"r\",\"output\":{output}}}"))
}

pub fn event(name: &str) -> Vec<u8> {
    let rest = r#""cwd":"/p","tool_name":"Bash","tool_input":{"command":"ls"}"#;
    format!("{{\"session_id\":\"x\",\"hook_event_name\":\"{name}\",{rest}}}").into_bytes()
}

fn env_for(path: &Path) -> BTreeMap<&'static str, String> {
    let socket = path.display().to_string();
    let (session, secret) = (SESSION.to_string(), SECRET.to_string());
    BTreeMap::from([(env::HOOK_SOCKET, socket), (env::SESSION, session), (env::SECRET, secret)])
}

/// One run with injected surroundings; the ones that matter to a test are changed by it.
struct Run<'a> {
    env: BTreeMap<&'static str, String>,
    stdin: Vec<u8>,
    wait: Duration,
    hold: Duration,
    withdrawn: Arc<Waker>,
    orphaned: &'a dyn Fn() -> bool,
}

impl Run<'_> {
    fn new(path: &Path, stdin: Vec<u8>, wait: Duration) -> Run<'static> {
        let withdrawn = Arc::new(Waker::new().unwrap());
        Run { env: env_for(path), stdin, wait, hold: LONG, withdrawn, orphaned: &|| false }
    }

    fn go(mut self) -> Outcome {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let stdin = std::mem::take(&mut self.stdin);
        // A pipe holds 64 KiB; hook-forward stops reading where it has seen enough.
        let feed = thread::spawn("t-stdin", move || drop(writer.write_all(&stdin))).unwrap();
        let outcome = self.go_with(reader);
        feed.join().unwrap();
        outcome
    }

    fn go_with(self, reader: PipeReader) -> Outcome {
        carry(Call {
            stdin: OwnedFd::from(reader).into(),
            env: &|name| self.env.get(name).cloned(),
            waits: Waits {
                gate: self.wait,
                tell: self.wait,
                gate_hold: self.hold,
                dialog_hold: self.hold,
            },
            withdrawn: self.withdrawn.as_fd(),
            orphaned: self.orphaned,
        })
    }
}

/// At PreToolUse: blocked with a reason that shows no secret. At other events: silence.
fn check_fails(what: &str, run: impl Fn(Vec<u8>) -> Outcome) {
    check_blocked(what, run(event("PreToolUse")));
    for told in ["Stop", "PermissionRequest"] {
        assert_eq!(run(event(told)), silent(), "{what}");
    }
}

fn silent() -> Outcome {
    Outcome::said(Vec::new())
}

fn check_blocked(what: &str, outcome: Outcome) {
    assert_eq!((outcome.code, outcome.stdout.len()), (2, 0), "{what}: {outcome:?}");
    assert!(
        outcome.stderr.len() > "codepiper: not run, the gate cannot decide: \n".len(),
        "{what}"
    );
    assert!(!outcome.stderr.contains(SECRET), "{what}: {}", outcome.stderr);
}

#[test]
fn a_verdict_is_printed_as_it_came_and_alone() {
    for word in ["allow", "deny", "ask"] {
        let daemon = Daemon::saying(verdict(word));
        let outcome = Run::new(&daemon.path, event("PreToolUse"), LONG).go();
        let want = format!(
            "{{\"hookSpecificOutput\":{{\"hookEventName\":\"PreToolUse\",\
             \"permissionDecision\":\"{word}\"}}}}"
        );
        let stdout = want.into_bytes();
        assert_eq!(outcome, Outcome::said(stdout), "{word}");
        for told in ["Stop", "PermissionRequest"] {
            let told = Run::new(&daemon.path, event(told), LONG).go();
            assert_eq!(told, silent(), "an event that only tells prints nothing");
        }
    }
}

#[test]
fn the_request_holds_the_input_untouched_and_proves_the_session() {
    let daemon = Daemon::saying(verdict("allow"));
    Run::new(&daemon.path, event("PreToolUse"), LONG).go();
    let request = daemon.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hooks/claude HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nX-CodePiper-Secret: {SECRET}\r\n")), "{head}");
    let body = json::parse(body.as_bytes()).unwrap();
    assert_eq!(body["sessionId"], SESSION);
    assert_eq!(body["event"], "PreToolUse");
    assert!(id::is_uuid(body["requestId"].as_str().unwrap()));
    assert_eq!(body["data"], json::parse(&event("PreToolUse")).unwrap());
}

#[test]
fn a_daemon_that_restarts_is_asked_the_same_question_again() {
    let gone = || Act::Say(String::new());
    let cut = || Act::Say(verdict("allow")[..60].to_string());
    let busy = Act::Say(reply(503, "{\"error\":\"busy\"}"));
    let acts = vec![gone(), cut(), busy, Act::Say(verdict("deny"))];
    let daemon = Daemon::start(free_path(), acts);
    let outcome = Run::new(&daemon.path, event("PreToolUse"), LONG).go();
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("deny"), "{outcome:?}");
    let requests = daemon.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| *request == requests[0]), "one request id");
}

#[test]
fn a_daemon_that_comes_up_late_is_found() {
    let (path, waits) = (free_path(), Cell::new(0));
    let daemon = Mutex::new(None);
    let orphaned = || {
        waits.set(waits.get() + 1);
        if waits.get() == 5 {
            let acts = vec![Act::Say(verdict("ask"))];
            *daemon.lock().unwrap() = Some(Daemon::start(path.clone(), acts));
        }
        false
    };
    let run = Run { orphaned: &orphaned, ..Run::new(&path, event("PreToolUse"), LONG) };
    let outcome = run.go();
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("ask"), "{outcome:?}");
}

#[test]
fn a_daemon_that_is_not_there_or_does_not_answer_blocks_in_time() {
    let cut = verdict("allow");
    for (what, act) in [
        ("hangs", Act::Hang),
        ("closes at once", Act::Say(String::new())),
        ("closes inside the head", Act::Say(cut[..20].to_string())),
        ("closes inside the body", Act::Say(cut[..cut.len() - 1].to_string())),
        ("is always busy", Act::Say(reply(503, "{}"))),
    ] {
        let daemon = Daemon::start(free_path(), vec![act]);
        check_fails(what, |stdin| Run::new(&daemon.path, stdin, SHORT).go());
    }
    let path = free_path();
    check_fails("no socket", |stdin| Run::new(&path, stdin, SHORT).go());
    std::fs::write(&path, "").unwrap();
    check_fails("a plain file", |stdin| Run::new(&path, stdin, SHORT).go());
    std::fs::remove_file(&path).unwrap();
    let long = PathBuf::from(format!("/{}", "x".repeat(200)));
    check_fails("a path too long", |stdin| Run::new(&long, stdin, LONG).go());
}

#[test]
fn a_reply_that_is_no_verdict_blocks_at_once() {
    let body = |text: &str| reply(200, text);
    let output = |text: &str| body(&format!("{{\"decision\":\"allow\",\"output\":{text}}}"));
    let inner = |text: &str| output(&format!("{{\"hookSpecificOutput\":{text}}}"));
    let good = verdict("allow");
    for (what, text) in [
        ("garbage", "\0\0 what\r\n\r\n".to_string()),
        ("no length", good.replace("Content-Length", "Length")),
        ("two lengths", good.replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n")),
        ("chunks", good.replace("Server: x", "Transfer-Encoding: chunked")),
        ("a bad length", good.replace("Content-Length: ", "Content-Length: -")),
        ("endless head", format!("HTTP/1.1 200 X\r\nX: {}", "x".repeat(70_000))),
        ("too long", body(&"x".repeat(limits::gate::HOOK_REPLY_BYTES))),
        ("not JSON", body("allow")),
        ("JSON behind a word", body("ok {}")),
        ("empty", body("")),
        ("empty object", body("{}")),
        ("not an object", body("[]")),
        ("no output", body(r#"{"decision":"allow","allow":true}"#)),
        ("silence for a no", body(r#"{"decision":"deny","output":null}"#)),
        ("silence for a question", body(r#"{"decision":"ask","output":null}"#)),
        ("silence for nothing", body(r#"{"output":null}"#)),
        ("a yes that says no", said("allow", "deny")),
        ("a no that says yes", said("deny", "allow")),
        ("a question that says yes", said("ask", "allow")),
        ("a no that asks", said("deny", "ask")),
        ("text output", output("\"allow\"")),
        ("no hookEventName", inner(r#"{"permissionDecision":"allow"}"#)),
        ("no decision", inner(r#"{"hookEventName":"PreToolUse"}"#)),
        ("wrong hookEventName", good.replacen("PreToolUse", "PostToolUs", 1)),
        ("unknown decision", good.replace("allow", "defer")),
        ("decision in capitals", good.replace("allow", "ALLOW")),
        ("refused: 401", reply(401, r#"{"error":"bad secret","code":"denied"}"#)),
        ("refused: 403", reply(403, r#"{"error":"bad secret","code":"denied"}"#)),
        ("refused: 404", reply(404, r#"{"error":"no such session","code":"not_found"}"#)),
        ("refused: 500", reply(500, "<html>")),
        ("a verdict under a wrong status", good.replace("200", "201")),
    ] {
        let daemon = Daemon::saying(text);
        let outcome = Run::new(&daemon.path, event("PreToolUse"), LONG).go();
        let words = what.starts_with("refused: 4").then_some("(HTTP 4");
        assert!(outcome.stderr.contains(words.unwrap_or("")), "{what}: {outcome:?}");
        check_blocked(what, outcome);
        assert_eq!(daemon.requests().len(), 1, "{what}: final");
        let stop = Run::new(&daemon.path, event("Stop"), LONG).go();
        assert_eq!(stop, silent(), "{what}");
    }
}

#[test]
fn a_plain_yes_may_be_silence_for_an_agent_that_takes_it_so() {
    let daemon = Daemon::saying(reply(200, r#"{"decision":"allow","output":null}"#));
    let outcome = Run::new(&daemon.path, event("PreToolUse"), LONG).go();
    assert_eq!(outcome, silent());
}

#[test]
fn what_asks_may_be_a_no_for_an_agent_that_cannot_ask_and_never_a_yes() {
    let daemon = Daemon::saying(said("ask", "deny"));
    let outcome = Run::new(&daemon.path, event("PreToolUse"), LONG).go();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("\"deny\""), "{outcome:?}");
}

#[test]
fn a_missing_or_odd_variable_blocks() {
    let daemon = Daemon::saying(verdict("allow"));
    for (name, value) in [
        (env::HOOK_SOCKET, None),
        (env::HOOK_SOCKET, Some("hook.sock")),
        (env::SESSION, None),
        (env::SESSION, Some("a\",\"b")),
        (env::SECRET, None),
        (env::SECRET, Some("")),
        (env::SECRET, Some("a\r\nX: y")),
    ] {
        check_fails(&format!("{name}={value:?}"), |stdin| {
            let mut run = Run::new(&daemon.path, stdin, LONG);
            run.env.remove(name);
            run.env.extend(value.map(|value| (name, value.to_string())));
            run.go()
        });
    }
    assert!(daemon.requests().is_empty(), "nothing was sent");
}

#[test]
fn input_that_is_too_long_or_names_no_event_is_not_sent_and_blocks_unless_it_only_tells() {
    let daemon = Daemon::saying(verdict("allow"));
    check_fails("too long", |mut stdin| {
        stdin.pop();
        stdin
            .extend(format!(",\"x\":\"{}\"}}", "x".repeat(limits::gate::HOOK_STDIN_BYTES)).bytes());
        Run::new(&daemon.path, stdin, LONG).go()
    });
    for stdin in [
        "",
        " \n",
        "garbage",
        "null",
        "[]",
        "{}",
        "\"Stop\"",
        r#"["hook_event_name","Stop"]"#,
        r#"{"hook_event_name":"#,
        r#"{"hook_event_name":"Sto"#,
        r#"{"hook_event_name":""}"#,
        r#"{"hook_event_name":7}"#,
        r#"{"hook_event_name":{"hook_event_name":"Stop"}}"#,
        r#"{"x":{"y":1,"hook_event_name":"Stop"}}"#,
        r#"{"hook_event_name":"Stop","hook_event_name":"PreToolUse"}"#,
        r#"{"hook_event_name":"PreToolUse","hook_event_name":"Stop"}"#,
        r#"{"hook_event_name":"preToolUse"}"#,
        r#"{"hook_event_name":"BeforeTool"}"#,
        r#"{"hook_event_name":"stop"}"#,
        r#"{"x":"\"hook_event_name\":\"Stop\""}"#,
    ] {
        check_blocked(stdin, Run::new(&daemon.path, stdin.into(), LONG).go());
    }
    assert!(daemon.requests().is_empty(), "nothing was sent");
}

#[test]
fn input_that_never_ends_blocks_in_time() {
    let daemon = Daemon::saying(verdict("allow"));
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&event("PreToolUse")).unwrap();
    let outcome = Run::new(&daemon.path, Vec::new(), SHORT).go_with(reader);
    assert!(outcome.stderr.contains("did not end"), "{outcome:?}");
    check_blocked("no end", outcome);
}

#[test]
fn a_variable_may_shorten_the_wait_and_never_lengthen_it() {
    let second = limits::gate::HOOK_TELL;
    let asked = |text: &str| shortened(second, Some(text.to_string()));
    assert_eq!(asked("7"), Duration::from_millis(7));
    assert_eq!(asked("0"), Duration::ZERO);
    for text in ["", "-1", "1e3", "7 s", "99999999", "18446744073709551615", "99999999999999999999"]
    {
        assert_eq!(asked(text), second, "{text:?}");
    }
    assert_eq!(shortened(second, None), second);
    let daemon = Daemon::start(free_path(), vec![Act::Hang]);
    let mut run = Run::new(&daemon.path, event("PreToolUse"), LONG);
    run.env.insert(env::HOOK_DEADLINE, "50".to_string());
    let begun = time::now();
    check_blocked("a short wait", run.go());
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}

#[test]
fn a_large_input_arrives_whole() {
    let daemon = Daemon::saying(verdict("allow"));
    let mut stdin = event("PreToolUse");
    stdin.pop();
    stdin.extend(format!(",\"x\":\"{}\"}}", "x".repeat(1024 * 1024)).into_bytes());
    let outcome = Run::new(&daemon.path, stdin.clone(), LONG).go();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(daemon.requests()[0].ends_with(&format!("{}}}", String::from_utf8(stdin).unwrap())));
}

#[test]
fn a_withdrawn_question_never_lets_the_tool_run() {
    check_fails("withdrawn", |stdin| {
        let waker = Arc::new(Waker::new().unwrap());
        let daemon = Daemon::start(free_path(), vec![Act::Ring(Arc::clone(&waker))]);
        let run = Run::new(&daemon.path, stdin, LONG);
        let outcome = Run { withdrawn: waker, ..run }.go();
        assert_eq!(daemon.requests().len(), 1);
        outcome
    });
}

#[test]
fn an_orphan_gives_up() {
    check_fails("orphaned", |stdin| {
        let flag = Arc::new(AtomicBool::new(false));
        let daemon = Daemon::start(free_path(), vec![Act::Raise(Arc::clone(&flag))]);
        let orphaned = || flag.load(Ordering::SeqCst);
        Run { orphaned: &orphaned, ..Run::new(&daemon.path, stdin, LONG) }.go()
    });
}

#[test]
fn a_panic_blocks() {
    let panics = || panic!("on purpose, with {SECRET}");
    let run = Run::new(&free_path(), event("PreToolUse"), LONG);
    check_blocked("a panic", Run { orphaned: &panics, ..run }.go());
}
