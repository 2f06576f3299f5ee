//! What `notify` asks the daemon for, and what it takes from where.

use super::*;
use crate::cli::fake::Fake;
use crate::cli::fake::invocation;

fn check(line: &[&str], request: &str, body: Value) {
    let fake = Fake::api(move |_, _| (200, r#"{"delivery":{"state":"sent"}}"#.to_string()));
    let call = invocation(&fake, line);
    assert_eq!((call.args.verb.unwrap().run)(&call).unwrap(), 0, "{line:?}");
    assert_eq!(fake.lines(), [request]);
    let sent = fake.request();
    let sent = sent.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(serde_json::from_str::<Value>(sent).unwrap_or_default(), body, "{line:?}");
}

fn refused(line: &[&str], part: &str) {
    let fake = Fake::api(|_, _| (200, "{}".into()));
    let call = invocation(&fake, line);
    let error = (call.args.verb.unwrap().run)(&call).unwrap_err();
    assert!(error.message.contains(part), "{error}");
    assert!(fake.lines().is_empty(), "{line:?}");
}

#[test]
fn each_verb_sends_what_was_typed_and_secrets_come_from_files() {
    const MAKE: &str = "POST /notifications/channels";
    let line = ["notify", "command", "desk", "--after", "90s", "--", "/bin/sh", "-c", "x --y"];
    let body = json!({"name": "desk", "kind": "command", "afterMinutes": 1.5, "program": "/bin/sh",
        "args": ["-c", "x --y"]});
    check(&line, MAKE, body);
    let dir = std::env::temp_dir().join(format!("cp-notify-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (url, token) = (dir.join("url"), dir.join("token"));
    std::fs::write(&url, "https://ntfy.sh/topic\n").unwrap();
    std::fs::write(&token, "tk_1").unwrap();
    let (url, token) = (url.to_str().unwrap(), token.to_str().unwrap());
    let files = ["--url-file", url, "--token-file", token];
    let more = ["--body", "ntfy", "--events", "crashed,ended", "--with-call", "--allow-private"];
    let line = [&["notify", "webhook", "phone"][..], &files, &more].concat();
    let body = json!({"name": "phone", "kind": "webhook", "url": "https://ntfy.sh/topic",
        "token": "tk_1", "body": "ntfy", "events": ["crashed", "ended"], "withCall": true,
        "allowPrivate": true});
    check(&line, MAKE, body);
    std::fs::remove_dir_all(dir).unwrap();
    let one = "PUT /notifications/channels/a%20b";
    check(&["notify", "on", "a b"], one, json!({"enabled": true}));
    check(&["notify", "off", "a b"], one, json!({"enabled": false}));
    check(&["notify", "rm", "a"], "DELETE /notifications/channels/a", Value::Null);
    check(&["notify", "test", "a"], "POST /notifications/channels/a/test", json!({}));
    check(&["notify", "test"], "POST /notifications/test", json!({}));
    check(&["notify", "ls"], "GET /notifications/channels", Value::Null);
}

#[test]
fn a_line_that_could_not_work_sends_nothing() {
    refused(&["notify", "command", "a", "b"], "behind --");
    refused(&["notify", "command", "a", "--", "no-such-program-anywhere"], "not on your PATH");
    refused(&["notify", "webhook", "a", "--token-file", "-"], "--url-file FILE");
    refused(&["notify", "webhook", "a", "--url-file", "/nonexistent"], "cannot read");
    refused(&["notify", "webhook", "a", "--url-file", "/dev/null"], "on one line");
    refused(&["notify", "command", "a", "--after", "x", "--", "sh"], "duration");
}

#[test]
fn a_test_that_does_not_get_through_is_an_error_for_scripts() {
    let answer = r#"{"delivery":{"state":"failed","detail":"HTTP 403"}}"#;
    let fake = Fake::api(move |_, _| (200, answer.to_string()));
    let call = invocation(&fake, &["notify", "test", "a"]);
    assert_eq!((call.args.verb.unwrap().run)(&call).unwrap(), 1);
}

#[test]
fn a_line_says_what_a_channel_is_and_how_it_went() {
    let channel = json!({"name": "phone", "kind": "webhook", "body": "ntfy", "enabled": true,
        "afterMinutes": 5, "events": ["session.crashed"], "target": "https://ntfy.sh",
        "last": {"state": "failed", "detail": "HTTP 403\nmore"}});
    let wanted =
        ["phone", "webhook ntfy", "on", "5m", "crashed", "failed: HTTP 403", "https://ntfy.sh"];
    assert_eq!(row(&channel), wanted);
}
