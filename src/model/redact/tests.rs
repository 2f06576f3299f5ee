//! Tests of the shapes: what goes, what only looks alike and stays, and how much is kept.

use super::*;
use crate::base::seeded::Random;
use serde_json::json;

fn check(from: &str, to: &str) {
    assert_eq!(text(from), to, "{from}");
    assert_eq!(text(to), to, "done twice: {to}");
}

/// Built here, so that no scanner takes this file for a leak.
fn token(prefix: &str, length: usize) -> String {
    let letters = "A1b2C3d4E5f6G7h8I9j0".chars().cycle().take(length);
    format!("{prefix}{}", letters.collect::<String>())
}

#[test]
fn tokens_go_by_their_shape_wherever_they_stand() {
    for (prefix, length, kind) in [
        ("ghp_", 36, "github-token"),
        ("github_pat_", 40, "github-token"),
        ("glpat-", 20, "gitlab-token"),
        ("sk-ant-api03-", 80, "anthropic-key"),
        ("sk-proj-", 48, "openai-key"),
        ("sk-", 48, "openai-key"),
        ("sk_live_", 24, "stripe-key"),
        ("xoxb-", 30, "slack-token"),
        ("AIza", 35, "google-key"),
        ("npm_", 36, "npm-token"),
        ("hf_", 34, "hugging-face-token"),
    ] {
        let secret = token(prefix, length);
        let word = format!("[redacted:{kind}]");
        for (before, after) in [("", ""), ("echo ", " >x"), ("a=\"", "\""), ("(", ")"), ("é ", "é")]
        {
            check(&format!("{before}{secret}{after}"), &format!("{before}{word}{after}"));
        }
    }
    check(&format!("AKIA{}", "Q7".repeat(8)), "[redacted:aws-key-id]");
    let jwt = format!("{}.{}.{}", token("eyJ", 20), token("eyJ", 30), token("", 43));
    check(&format!("curl -H x:{jwt}"), "curl -H x:[redacted:web-token]");
    let begin = format!("-----BEGIN {} KEY-----", "OPENSSH PRIVATE");
    let end = format!("-----END {} KEY-----", "OPENSSH PRIVATE");
    check(&format!("a\n{begin}\nAAAA\nBBBB\n{end}\nb"), "a\n[redacted:private-key]\nb");
    check(&format!("a {begin}\nAAAA"), "a [redacted:private-key]");
}

#[test]
fn what_has_a_telling_name_goes() {
    for (from, to) in [
        ("mysql --password=hunter2 -h db", "mysql --password=[redacted:password] -h db"),
        ("x --token hunter2 y", "x --token [redacted:token] y"),
        ("x --api-key 'a b' y", "x --api-key '[redacted:key]' y"),
        ("PGPASSWORD=x psql", "PGPASSWORD=x psql"),
        ("DB_PASSWORD=hunter2 run", "DB_PASSWORD=[redacted:password] run"),
        ("export FOO_SECRET=\"a b\"; go", "export FOO_SECRET=\"[redacted:secret]\"; go"),
        ("GITHUB_TOKEN=abc gh", "GITHUB_TOKEN=[redacted:token] gh"),
        ("DEPLOY_KEY=abc", "DEPLOY_KEY=[redacted:key]"),
        ("https://h/p?token=abc&x=1", "https://h/p?token=[redacted:token]&x=1"),
        (
            "{\"password\": \"hunter2\", \"a\": 1}",
            "{\"password\": \"[redacted:password]\", \"a\": 1}",
        ),
        (
            "curl -H 'Authorization: Basic YWJj' x",
            "curl -H 'Authorization: [redacted:authorization]' x",
        ),
        ("authorization: token abc\nb", "authorization: [redacted:authorization]\nb"),
        ("Bearer abcdefghij0123456789", "Bearer [redacted:bearer-token]"),
        ("git clone https://me:hunter2@h/r", "git clone https://me:[redacted:password]@h/r"),
        ("psql postgres://u:p@w:1@h:5432/db", "psql postgres://u:[redacted:password]@h:5432/db"),
        ("mysql -u root -phunter2 db", "mysql -u root -p[redacted:password] db"),
        ("/usr/bin/sshpass -p hunter2 ssh h", "/usr/bin/sshpass -p [redacted:password] ssh h"),
        ("curl -u me:hunter2 https://h", "curl -u [redacted:password] https://h"),
    ] {
        check(from, to);
    }
}

#[test]
fn what_only_looks_alike_stays() {
    for same in [
        "git show 4cf29611a66934862f29acfcc817e30b905c1ab73d5e65831413eb6b454d49db",
        "0b7e4c1e-1234-4000-8000-000000000000",
        "/home/me/src/task-runner-with-a-long-name-2026/keys/token.rs",
        "cargo test token_is_refused -- --nocapture",
        "docker login --password-stdin < token.txt",
        "curl --token \"$TOKEN\" -H \"Authorization: $AUTH\"",
        "TOKEN=$(cat file) PASSWORD= run",
        "let token: String = password(x); if token == y {}",
        "max_tokens=4096 primary_key=True sort_key=name",
        "the bearer certificates of authorization",
        "mkdir -p a/b; ssh -p 22 host; mysql -p db",
        "https://example.org:8080/@scope/pkg user@host:path",
        "git clone git@github.com:a/b.git",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "sk-learn-is-a-package-with-a-long-name",
    ] {
        check(same, same);
    }
}

#[test]
fn values_are_looked_through_to_their_leaves() {
    let secret = token("ghp_", 36);
    let input = json!({
        "command": format!("echo {secret}"),
        "env": {"API_KEY": "x", "apiKey": "y", "accessToken": "z", "monkey": "m", "n": 7},
        "list": [secret.clone(), null, true],
        secret.clone(): 1,
    });
    let out = value(&input);
    assert_eq!(
        out["env"],
        json!({"API_KEY": "[redacted:key]", "apiKey": "[redacted:key]",
            "accessToken": "[redacted:token]", "monkey": "m", "n": 7})
    );
    assert!(!out.to_string().contains(&secret), "{out}");
    let plain = json!({"command": "ls", "timeout": 5, "a": [], "b": {}, "c": ""});
    assert_eq!(value(&plain), plain);
}

#[test]
fn a_huge_value_is_cut_and_says_by_how_much() {
    let long = "a".repeat(8 << 20);
    let out = value(&json!({"content": long, "file_path": "/x"}));
    assert!(out.to_string().len() < limits::AUDIT_ARGS + 200, "{}", out.to_string().len());
    assert_eq!(out["file_path"], "/x");
    assert!(out["content"].as_str().unwrap().ends_with(" bytes]"));
    let many = value(&json!(vec!["abc"; 1 << 20]));
    assert!(many.to_string().len() < 2 * limits::AUDIT_ARGS);
    // A secret across the cut is not half shown.
    let secret = token("ghp_", 36);
    for back in 0..50 {
        let text = format!("{} {secret} tail", "é".repeat((limits::AUDIT_ARGS - back) / 2));
        assert!(!super::text(&text).contains("ghp_"), "{back}");
    }
}

#[test]
fn no_text_breaks_it_or_takes_long() {
    let mut random = Random::new(7);
    let pieces = [
        "sk-",
        "ghp_",
        "token=",
        "--password ",
        "\"",
        "'",
        "://",
        ":",
        "@",
        "é",
        "eyJ",
        ".",
        "=",
        " ",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "Bearer ",
        "Authorization:",
        "mysql ",
        "-p",
        "\n",
        "a1",
        "$",
        "[redacted:",
        "\u{202e}",
        "curl -u ",
    ];
    for _ in 0..2000 {
        let count = random.below(40);
        let text: String = (0..count).map(|_| pieces[random.below(pieces.len())]).collect();
        let _ = super::text(&text);
    }
    for piece in pieces {
        let _ = super::text(&piece.repeat(100_000));
    }
}
