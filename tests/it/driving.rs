//! Promise: a program that drives an agent from outside never answers the agent's questions by
//! accident. Nothing of it is typed while the agent asks; what waits for the agent is typed in
//! order, once, or not at all. The agent is a stand-in that tells its state as the real ones do.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::http::Reply;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::tmux::Tmux;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const PASTE: &str = "\x1b[?2004h";
const WORKING: &str = "\x1b]7501;state=working\x1b\\";
const BLOCKED: &str = "\x1b]7501;state=blocked:kind=permission\x1b\\";

/// A stand-in that has just started and has said nothing yet.
fn starting<'a>(space: &'a Space) -> (Daemon<'a>, Inside) {
    Inside::install_claude(space);
    let daemon = Daemon::start(space);
    let agent = Inside::start_claude(space, &daemon, "agent");
    agent.listen();
    agent.say(PASTE);
    (daemon, agent)
}

/// A stand-in that takes prompts.
fn idle<'a>(space: &'a Space) -> (Daemon<'a>, Inside) {
    let (daemon, agent) = starting(space);
    say_hello(&agent);
    agent.state(&daemon, "idle");
    (daemon, agent)
}

fn say_hello(agent: &Inside) {
    agent.greet("f247f362-4fbd-4e57-94f6-073b3cd68e4f", &json!({}));
}

fn post(daemon: &Daemon<'_>, agent: &Inside, route: &str, body: &Value) -> Reply {
    daemon.request("POST", &format!("/sessions/{}/{route}", agent.id), Some(body))
}

/// Sends a request whose answer takes its time; closing the stream is hanging up.
fn begin(space: &Space, agent: &Inside, route: &str, body: &Value) -> UnixStream {
    let body = body.to_string();
    let id = &agent.id;
    let mut stream = UnixStream::connect(space.control()).expect("the control socket");
    let head = format!(
        "POST /sessions/{id}/{route} HTTP/1.1\r\nHost: codepiper\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("a request");
    stream
}

fn queue(space: &Space, agent: &Inside, text: &str) -> UnixStream {
    begin(space, agent, "send", &json!({"text": text, "queue": true}))
}

fn wait_held(daemon: &Daemon<'_>, agent: &Inside, count: usize) {
    let what = format!("{count} inputs to be held");
    wait_until(&what, SOON, || daemon.session(&agent.id)["queued"] == count);
}

/// The whole answer to [`begin`].
fn answer(stream: UnixStream) -> Reply {
    use std::io::Read;
    let mut bytes = Vec::new();
    (&stream).read_to_end(&mut bytes).expect("an answer");
    crate::support::http::parse(&bytes).expect("a whole answer")
}

fn pasted(text: &str) -> String {
    format!("\x1b[200~{text}\x1b[201~\r")
}

#[test]
fn nothing_is_typed_while_the_agent_asks_and_the_error_says_where_to_answer() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    for kind in ["permission", "question"] {
        agent.state(&daemon, &format!("blocked:kind={kind}"));
        for (route, body) in [
            ("send", json!({"text": "yes"})),
            ("send", json!({"text": "", "newline": true})),
            ("keys", json!({"keys": ["enter"]})),
            ("slash", json!({"command": "clear"})),
        ] {
            let reply = post(&daemon, &agent, route, &body);
            assert_eq!((reply.status, &reply.json()["code"]), (409, &json!("conflict")), "{route}");
            assert!(reply.text().contains("codepiper attach"), "{}", reply.text());
        }
        let out = space.cli(&["send", &agent.id, "yes"]).expect(1);
        assert!(out.stderr.contains("waits for an answer"), "{}", out.stderr);
    }
    // The hooks say so while the terminal does not, yet.
    agent.state(&daemon, "working");
    let mut ask =
        json!({"hook_event_name": "Notification", "notification_type": "permission_prompt"});
    ask["session_id"] = json!("f247f362-4fbd-4e57-94f6-073b3cd68e4f");
    ask["cwd"] = json!("/tmp");
    agent.hook(&ask);
    assert_eq!(daemon.session(&agent.id)["status"], "NEEDS_PERMISSION");
    assert_eq!(post(&daemon, &agent, "send", &json!({"text": "yes"})).status, 409);
    agent.state(&daemon, "idle");
    post(&daemon, &agent, "send", &json!({"text": "now"})).ok();
    agent.wait_typed(&pasted("now"));
}

#[test]
fn queued_prompts_go_one_after_the_other_each_when_the_agent_rests() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    agent.state(&daemon, "working");
    let first = queue(&space, &agent, "first");
    wait_held(&daemon, &agent, 1);
    let second = queue(&space, &agent, "second\nline");
    wait_held(&daemon, &agent, 2);
    assert_eq!(agent.typed(), "");
    agent.react("\r", WORKING);
    agent.state(&daemon, "done");
    agent.wait_typed(&pasted("first"));
    assert_eq!(answer(first).ok(), json!({"success": true, "queued": true}));
    wait_until("the first turn", SOON, || daemon.session(&agent.id)["agent"] == "state=working");
    assert_eq!(daemon.session(&agent.id)["queued"], 1);
    assert_eq!(agent.typed(), pasted("first"), "the second waits for the first one's turn");
    agent.state(&daemon, "idle");
    agent.wait_typed(&(pasted("first") + &pasted("second\nline")));
    assert_eq!(answer(second).ok()["queued"], true);
    let reply = post(&daemon, &agent, "send", &json!({"text": "third"}));
    assert_eq!(reply.ok()["queued"], false);
}

#[test]
fn a_queued_prompt_outwaits_a_question_and_is_no_answer_to_it() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    agent.state(&daemon, "working");
    let waiting = queue(&space, &agent, "later");
    wait_held(&daemon, &agent, 1);
    // Straight from work to a question, and through it to another, without a rest.
    agent.state(&daemon, "blocked:kind=permission");
    agent.state(&daemon, "blocked:kind=question");
    // A rest that is over before anybody could type into it.
    agent.say("\x1b]7501;state=idle\x1b\\\x1b]7501;state=blocked:kind=permission\x1b\\");
    agent.state(&daemon, "blocked:kind=permission");
    assert_eq!(agent.typed(), "");
    assert_eq!(daemon.session(&agent.id)["queued"], 1);
    agent.state(&daemon, "idle");
    agent.wait_typed(&pasted("later"));
    answer(waiting).ok();
}

#[test]
fn an_agent_that_begins_to_ask_between_a_text_and_its_enter_does_not_get_the_enter() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    agent.react("\x1b[201~", BLOCKED);
    let reply = post(&daemon, &agent, "send", &json!({"text": "hello"}));
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert!(reply.text().contains("the text was typed, but no Enter"), "{}", reply.text());
    agent.state(&daemon, "working");
    post(&daemon, &agent, "keys", &json!({"keys": ["x"]})).ok();
    agent.wait_typed("\x1b[200~hello\x1b[201~x");
}

#[test]
fn who_hangs_up_takes_the_text_back() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    agent.state(&daemon, "working");
    let first = queue(&space, &agent, "never");
    wait_held(&daemon, &agent, 1);
    let second = queue(&space, &agent, "in the end");
    wait_held(&daemon, &agent, 2);
    drop(first);
    wait_held(&daemon, &agent, 1);
    agent.state(&daemon, "idle");
    agent.wait_typed(&pasted("in the end"));
    answer(second).ok();
}

#[test]
fn the_first_prompt_waits_until_the_agent_is_up_and_behind_the_gate() {
    let space = Space::new();
    let (daemon, agent) = starting(&space);
    let waiting = begin(&space, &agent, "send", &json!({"text": "begin"}));
    wait_held(&daemon, &agent, 1);
    agent.state(&daemon, "idle");
    assert_eq!(agent.typed(), "", "idle, but its hooks have not come");
    assert_eq!(daemon.session(&agent.id)["queued"], 1);
    say_hello(&agent);
    agent.wait_typed(&pasted("begin"));
    assert_eq!(answer(waiting).ok()["queued"], true);
}

#[test]
fn keys_answer_a_question_only_where_a_person_says_so_and_it_is_recorded() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    let line = ["keys", "--at-dialog", &agent.id, "1"];
    let out = space.cli(&line).expect(1);
    assert!(out.stderr.contains("asks nothing"), "{}", out.stderr);
    agent.state(&daemon, "blocked:kind=permission");
    space.cli(&line).expect(0);
    agent.wait_typed("1");
    let events = daemon.get(&format!("/sessions/{}/events?type=dialog", agent.id));
    let events = events["events"].as_array().expect("a list").clone();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["payload"], json!({"keys": ["1"]}));
}

#[test]
fn a_person_at_a_terminal_answers_while_programs_must_not() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    agent.state(&daemon, "working");
    let waiting = queue(&space, &agent, "later");
    wait_held(&daemon, &agent, 1);
    agent.state(&daemon, "blocked:kind=permission");
    let terminal = Tmux::start(&space, 90, 28, &format!("{BINARY} attach {}", agent.id));
    terminal.wait_text("inside");
    terminal.text("y");
    wait_until("the person's key", SOON, || agent.typed().contains('y'));
    assert!(!agent.typed().contains("later"));
    drop(waiting);
}

#[test]
fn a_command_to_the_agent_is_typed_as_a_line_and_only_at_rest() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    space.cli(&["slash", &agent.id, "compact", "keep", "--it", "short"]).expect(0);
    agent.wait_typed("/compact keep --it short\r");
    for state in ["working", "idle", "working"] {
        agent.state(&daemon, state);
    }
    let out = space.cli(&["slash", &agent.id, "clear"]).expect(1);
    assert!(out.stderr.contains("the agent works"), "{}", out.stderr);
    for (command, args) in [("clear", "a\nb"), ("clear\r", ""), ("!rm", ""), ("x", "\u{1b}")] {
        let body = json!({"command": command, "args": args});
        assert_eq!(post(&daemon, &agent, "slash", &body).status, 400, "{body}");
    }
    let out = space.cli(&["slash", &agent.id, "/model", "opus"]).expect(1);
    assert!(out.stderr.contains("codepiper model"), "{}", out.stderr);
    let out = space.cli(&["send", &agent.id, "!touch x"]).expect(2);
    assert!(out.stderr.contains("past the gate"), "{}", out.stderr);
    assert_eq!(agent.typed(), "/compact keep --it short\r");
}

#[test]
fn text_behind_a_command_waits_until_that_is_over() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    agent.react("\r", WORKING);
    post(&daemon, &agent, "slash", &json!({"command": "clear"})).ok();
    let waiting = begin(&space, &agent, "send", &json!({"text": "hello"}));
    wait_held(&daemon, &agent, 1);
    wait_until("the command", SOON, || daemon.session(&agent.id)["agent"] == "state=working");
    assert_eq!(agent.typed(), "/clear\r", "an agent that clears its prompt loses it");
    agent.state(&daemon, "idle");
    agent.wait_typed(&("/clear\r".to_string() + &pasted("hello")));
    answer(waiting).ok();
}

#[test]
fn send_with_wait_returns_after_the_turn_that_it_began_and_no_earlier() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    agent.state(&daemon, "done");
    // Typing alone makes some agents say that they are idle: that is no turn.
    agent.react("\r", "\x1b]7501;state=idle\x1b\\");
    let waiting = begin(&space, &agent, "send", &json!({"text": "go", "wait": true}));
    agent.wait_typed(&pasted("go"));
    wait_until("idle", SOON, || daemon.session(&agent.id)["agent"] == "state=idle");
    waiting.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out");
    let early = std::io::Read::read(&mut &waiting, &mut [0; 1]);
    assert!(early.is_err(), "answered before there was a turn");
    waiting.set_read_timeout(Some(SOON)).expect("a time-out");
    // A turn so short that both its ends come in one piece of output.
    agent.say("\x1b]7501;state=working\x1b\\\x1b]7501;state=idle\x1b\\");
    answer(waiting).ok();
}

#[test]
fn an_agent_with_a_prompt_on_its_way_is_not_idle_and_one_that_has_nothing_to_do_is_again() {
    let space = Space::new();
    let (daemon, agent) = idle(&space);
    post(&daemon, &agent, "send", &json!({"text": "/model x"})).ok();
    let path = format!("/sessions/{}/wait?for=idle&timeout=1", agent.id);
    assert_eq!(daemon.request("GET", &path, None).status, 408);
    let waiting = queue(&space, &agent, "next");
    wait_held(&daemon, &agent, 1);
    agent.wait_typed(&(pasted("/model x") + &pasted("next")));
    answer(waiting).ok();
    agent.state(&daemon, "working");
    agent.state(&daemon, "idle");
    daemon.get(&format!("/sessions/{}/wait?for=idle&timeout=20", agent.id));
}

#[test]
fn a_daemon_that_goes_takes_nothing_into_the_terminal_and_the_next_one_knows_the_agent() {
    let space = Space::new();
    let (mut daemon, agent) = idle(&space);
    agent.state(&daemon, "working");
    let waiting = queue(&space, &agent, "lost");
    wait_held(&daemon, &agent, 1);
    daemon.stop();
    let told = answer(waiting);
    assert_eq!(told.status, 503, "{}", told.text());
    assert!(told.text().contains("nothing was typed"), "{}", told.text());
    agent.say(BLOCKED);
    daemon.start_binary(BINARY);
    wait_until("the session to be adopted", SOON, || {
        daemon.session(&agent.id)["agent"] == "state=blocked:kind=permission"
    });
    assert_eq!(post(&daemon, &agent, "send", &json!({"text": "yes"})).status, 409);
    let waiting = queue(&space, &agent, "kept");
    wait_held(&daemon, &agent, 1);
    agent.state(&daemon, "idle");
    agent.wait_typed(&pasted("kept"));
    answer(waiting).ok();
    let waiting = queue(&space, &agent, "never");
    daemon.crash_and_restart();
    drop(waiting);
    wait_until("adoption", SOON, || daemon.session(&agent.id)["agent"] == "state=idle");
    post(&daemon, &agent, "send", &json!({"text": "on"})).ok();
    assert!(agent.typed().ends_with(&pasted("on")), "{:?}", agent.typed());
}

#[test]
fn a_session_without_an_agent_takes_text_at_once_and_has_no_queue() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    space.cli(&["send", &id, "!hello"]).expect(0);
    daemon.wait_screen(&id, "!hello\n!hello");
    let out = space.cli(&["send", "--queue", &id, "hello"]).expect(2);
    assert!(out.stderr.contains("does not tell when it is idle"), "{}", out.stderr);
    let out = space.cli(&["slash", &id, "clear"]).expect(2);
    assert!(out.stderr.contains("use send"), "{}", out.stderr);
}
