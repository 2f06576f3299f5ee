//! Seeded random input for everything hook-forward reads: it never panics, and at the gate exit
//! code 0 comes with a verdict on stdout or with a plain yes of the daemon's, and never otherwise.

use super::*;
use crate::base::json;
use crate::base::seeded::Random;
use crate::base::seeded::rounds;
use crate::provider::hook::GATE;
use tests::SECRET;
use tests::SESSION;
use tests::event;
use tests::reply;
use tests::said;
use tests::verdict;
use wire::Reply;

/// What the readers turn on.
const WORDS: &[&str] = &[
    "\"hook_event_name\":\"PreToolUse\"",
    "\"hook_event_name\":\"Stop\"",
    "\"hook_event_name\"",
    "\"hookEventName\":\"PreToolUse\"",
    "\"permissionDecision\":\"allow\"",
    "\"permissionDecision\":\"deny\"",
    "\"decision\":\"allow\"",
    "\"decision\":\"deny\"",
    "\"output\":null",
    "\"PreToolUse\"",
    "\"Stop\"",
    "null",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u0061",
    ",",
    ":",
    "\r\n",
    "\r\n\r\n",
    "Content-Length: 2\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "HTTP/1.1 200 X\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "\0",
    "\u{fc}",
    " ",
];

/// A few changes to a good text.
fn spoil(random: &mut Random, text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] = random.byte(),
            1 => drop(bytes.drain(at..(at + random.below(12)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, random.pick(WORDS).bytes())),
            3 => bytes.extend_from_slice(random.pick(WORDS).as_bytes()),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// What an agent makes of stdout at the gate, read by another reader than hook-forward's own.
fn told(stdout: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(stdout).ok()?;
    let inner = &value["hookSpecificOutput"];
    let word =
        inner["permissionDecision"].as_str().filter(|w| ["allow", "deny", "ask"].contains(w));
    (inner["hookEventName"] == GATE).then(|| word.map(str::to_string)).flatten()
}

/// Whether some reading of the reply is the daemon's plain yes.
fn says_yes(reply: &[u8]) -> bool {
    let value: serde_json::Value = serde_json::from_slice(reply).unwrap_or_default();
    value["decision"] == "allow" && value["output"].is_null()
}

#[test]
fn no_reply_becomes_an_exit_0_without_a_verdict() {
    let mut random = Random::new(7);
    let good = [verdict("allow"), verdict("deny"), said("deny", "allow"), {
        reply(200, r#"{"decision":"allow","output":null}"#)
    }];
    let good = good.map(|text| text.split_once("\r\n\r\n").unwrap().1.as_bytes().to_vec());
    let mut printed = 0;
    for round in 0..rounds(60_000) {
        let body = spoil(&mut random, &good[round % good.len()]);
        let outcome = match answer::at_gate(&body) {
            Ok(Said::Print(stdout)) => Outcome::said(stdout),
            // It asks again, and that is no end.
            Ok(Said::Hold) => continue,
            Err(failed) => Outcome::failed(Kind::Gate, &failed),
        };
        let shown = String::from_utf8_lossy(&body);
        match (outcome.code, told(&outcome.stdout)) {
            (2, _) => assert!(outcome.stdout.is_empty() && outcome.stderr.len() > 60, "{shown}"),
            (0, Some(word)) => {
                let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let same = value["decision"] == word;
                assert!(same || (value["decision"] == "ask" && word == "deny"), "{shown}");
                printed += 1;
            }
            (0, None) => assert!(outcome.stdout.is_empty() && says_yes(&body), "{shown}"),
            (code, _) => panic!("exit code {code}: {shown}"),
        }
    }
    assert!(printed > 1_000, "{printed} replies were verdicts: the input is too wild to find much");
}

#[test]
fn no_reply_on_the_wire_is_taken_for_more_than_it_says() {
    let (mut random, mut whole) = (Random::new(11), 0);
    let good =
        [verdict("allow"), reply(200, "{}"), reply(503, "{}"), reply(403, "{\"error\":\"x\"}")];
    for round in 0..rounds(60_000) {
        let bytes = spoil(&mut random, good[round % good.len()].as_bytes());
        let Ok(Some(Reply { status, body })) = wire::parse(&bytes) else { continue };
        let shown = String::from_utf8_lossy(&bytes);
        assert!((100..1000).contains(&status), "{shown}");
        // The head by another reader: lines up to an empty one, the length named once.
        let lines = bytes.split(|b| *b == b'\n').map(|line| line.trim_ascii_end());
        let head: Vec<String> = lines
            .skip_while(|line| line.is_empty())
            .take_while(|line| !line.is_empty())
            .map(|line| String::from_utf8_lossy(line).to_ascii_lowercase())
            .collect();
        let field = |name: &str| {
            let of_name = |line: &&String| line.split(':').next() == Some(name);
            head.iter().filter(of_name).count()
        };
        assert_eq!((field("content-length"), field("transfer-encoding")), (1, 0), "{shown}");
        let length = head.iter().find_map(|line| line.strip_prefix("content-length:")).unwrap();
        assert_eq!(length.trim().parse(), Ok(body.len()), "{shown}");
        whole += 1;
    }
    assert!(whole > 1_000, "{whole} replies were whole: the input is too wild to find much");
}

#[test]
fn no_input_is_taken_for_an_event_that_it_does_not_name() {
    let mut random = Random::new(13);
    let good = [event("PreToolUse"), event("Stop"), event("PermissionRequest")];
    for round in 0..rounds(60_000) {
        let stdin = spoil(&mut random, &good[round % good.len()]);
        let name = super::event::name(&stdin);
        // Where it is JSON that names an event once, another reader finds the same.
        let Ok(value) = json::parse(&stdin) else { continue };
        let escaped = stdin.contains(&b'\\');
        let read = value.get("hook_event_name").and_then(|name| name.as_str());
        let shown = String::from_utf8_lossy(&stdin);
        if read == Some(GATE) && !escaped {
            assert_eq!(name, read, "{shown}");
        }
        if let Some(name) = name {
            assert_eq!(Some(name), read, "{shown}");
        }
        let request = request(SESSION, SECRET, name.unwrap_or("X"), &stdin).unwrap();
        let text = String::from_utf8(request).unwrap();
        let body = json::parse(text.split_once("\r\n\r\n").unwrap().1.as_bytes()).unwrap();
        assert_eq!(body["data"], value, "{shown}");
    }
}

#[test]
fn no_invalid_input_becomes_a_valid_request() {
    let mut random = Random::new(17);
    let names = ["sessionId", "requestId", "event", "data"];
    for _ in 0..rounds(60_000) {
        let stdin = spoil(&mut random, &event("PreToolUse"));
        if json::parse(&stdin).is_ok() {
            continue;
        }
        let request = request(SESSION, SECRET, GATE, &stdin).unwrap();
        let at = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let Ok(body) = json::parse(&request[at..]) else { continue };
        // Only with a field that the daemon does not know.
        let fields = body.as_object().unwrap();
        assert!(fields.keys().any(|k| !names.contains(&k.as_str())), "{body}");
    }
}
