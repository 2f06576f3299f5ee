//! A session in words, from the API's JSON. Everything here is safe to print: names, paths and
//! reasons come from strangers.

use crate::cli::text;
use crate::model::session::State;
use serde_json::Value;
use serde_json::json;

/// A member of a session as text, empty where it has none.
pub fn word<'a>(session: &'a Value, name: &str) -> &'a str {
    session[name].as_str().unwrap_or("")
}

/// What a user may type for this session: its name, else the start of its id.
pub fn label(session: &Value) -> String {
    match word(session, "name") {
        "" => text::clean(short(word(session, "id"))),
        name => text::clean(name),
    }
}

/// The first eight characters of an id.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Whether the session's program may still run.
pub fn is_live(session: &Value) -> bool {
    State::from_word(word(session, "status")).is_some_and(State::is_live)
}

/// How a program ended, in words: `exit code 3`, `SIGKILL`, `host restarted`.
pub fn how_it_ended(session: &Value) -> String {
    if let Some(code) = session["exitCode"].as_i64() {
        return format!("exit code {code}");
    }
    if let Some(number) = session["exitSignal"].as_i64() {
        return crate::sys::signal::name(number as i32);
    }
    match word(session, "reason") {
        "" => "without a word".into(),
        reason => text::clean(reason),
    }
}

/// The lines of `show`; nothing is shown that is not there.
pub fn facts(session: &Value) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    let mut add = |name, value: String| {
        if !value.is_empty() {
            facts.push((name, value));
        }
    };
    let plain = |name: &str| text::clean(word(session, name));
    let number = |name: &str| session[name].as_i64().map(|n| n.to_string()).unwrap_or_default();
    add("id", plain("id"));
    add("name", plain("name"));
    add("status", plain("status"));
    add("reason", plain("reason"));
    if session["frozen"] == json!(true) {
        add("frozen", "yes, see: codepiper thaw".into());
    }
    if !is_live(session) {
        add("ended", how_it_ended(session));
    }
    add("provider", plain("provider"));
    add("directory", plain("cwd"));
    let args = session["args"].as_array().map(Vec::as_slice).unwrap_or_default();
    // Of a `command` session the first argument is the program as the user wrote it.
    let known = usize::from(word(session, "provider") == "command" && !args.is_empty());
    let words = args[known..].iter().filter_map(Value::as_str).map(|a| format!(" {}", quote(a)));
    add("program", plain("program") + &words.collect::<String>());
    add("pid", number("pid"));
    add("size", format!("{}x{}", number("ptyCols"), number("ptyRows")));
    add("created", plain("createdAt"));
    add("updated", plain("updatedAt"));
    match session["epoch"].as_i64() {
        Some(2) => add("resumed", "once".into()),
        Some(epoch) if epoch > 2 => add("resumed", format!("{} times", epoch - 1)),
        _ => {}
    }
    if let Some(bytes) = session["logBytes"].as_u64() {
        let degraded = session["logDegraded"] == json!(true);
        let note = if degraded { " (with a gap: the disk was full)" } else { "" };
        add("output", text::bytes(bytes) + note);
    }
    if let Some(guarded) = session["guarded"].as_bool() {
        add("guarded", if guarded { "yes" } else { "no" }.into());
    }
    if session["metadata"]["launch"]["projectSettings"] == json!(true) {
        add("settings", "the repository's own were let in".into());
    }
    add("policy", tightened(session));
    add("dangerous", until(session));
    add("sandbox", sandbox(session));
    add("ALARM", plain("alarm"));
    add("gate", gate(session).into());
    add("transcript", plain("transcriptPath"));
    add("last line", plain("lastLine"));
    facts
}

/// A session's cage in words.
pub fn sandbox(session: &Value) -> String {
    let sandbox = &session["sandbox"];
    let list = |name: &str| {
        let words = sandbox[name].as_array().map(Vec::as_slice).unwrap_or_default();
        words.iter().filter_map(Value::as_str).map(text::clean).collect::<Vec<_>>().join(", ")
    };
    let (asked, held) = (word(sandbox, "requested"), word(sandbox, "verified"));
    let (partial, grants) = (list("partial"), list("grants"));
    let notes = [
        (asked != held && asked != "auto", format!("asked for: {asked}")),
        (!partial.is_empty(), partial),
        (!grants.is_empty(), format!("granted: {grants}")),
    ];
    let notes: Vec<String> =
        notes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, note)| note).collect();
    match (held, notes.is_empty()) {
        ("", _) => String::new(),
        (held, true) => held.to_string(),
        (held, false) => format!("{held} ({})", notes.join("; ")),
    }
}

/// What a list shows beside a session's state.
pub fn notes(session: &Value) -> Vec<&'static str> {
    let known = [
        (!word(session, "alarm").is_empty(), "ALARM"),
        (session["frozen"] == json!(true), "frozen"),
        (!word(session, "dangerousUntil").is_empty(), "DANGEROUS"),
        (word(&session["sandbox"], "verified") == "off", "uncaged"),
    ];
    known.into_iter().filter(|(is_so, _)| *is_so).map(|(_, note)| note).collect()
}

/// Dangerous mode in words; empty where it is off.
pub fn until(session: &Value) -> String {
    match word(session, "dangerousUntil") {
        "" => String::new(),
        at => format!("until {}: what no rule denies is allowed", text::clean(at)),
    }
}

/// What the session's repository does to it, in words; empty where it brings no policy.
pub fn tightened(session: &Value) -> String {
    let brought = &session["repositoryPolicy"];
    let (path, problem) = (text::clean(word(brought, "path")), word(brought, "problem"));
    let count = |name: &str| brought[name].as_u64().unwrap_or_default();
    match (path.is_empty(), problem) {
        (true, _) => String::new(),
        (false, "") => {
            let (rules, ignored) = (count("rules"), count("ignored"));
            let of_them = format!("{path} tightens: rules that hold: {rules}");
            let rest = format!(", that would allow and are ignored: {ignored}");
            if ignored > 0 { of_them + &rest } else { of_them }
        }
        (false, why) => format!(
            "{path} is not understood, so what would be allowed is asked: {}",
            text::clean(why)
        ),
    }
}

/// What is known of a session's gate, in words; empty for a program that has none.
pub fn gate(session: &Value) -> &'static str {
    match word(session, "gateProof") {
        "proven" => "proven on this program",
        "unclear" => "not proven, see: codepiper doctor",
        "disproved" => "does not hold, see: codepiper doctor",
        "none" => "not proven",
        _ => "",
    }
}

/// A word as a shell would need it, harmless on a terminal.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", text::clean(&word.replace('\'', "'\\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Value {
        json!({
            "id": "0b7e4c1e-0000-4000-8000-000000000000", "provider": "command", "cwd": "/tmp/a b",
            "status": "CRASHED", "exitCode": 3, "reason": "exit code 3", "program": "/bin/sh",
            "args": ["sh", "-c", "it's", "\u{1b}[2J"], "ptyCols": 80, "ptyRows": 24, "epoch": 2,
            "logBytes": 4200, "logDegraded": true, "lastLine": "bye\u{7}", "gateProof": "n/a"
        })
    }

    #[test]
    fn facts_show_what_is_there_and_nothing_raw() {
        let facts = facts(&session());
        let find = |name: &str| facts.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        assert_eq!(find("program"), Some(r"/bin/sh -c 'it'\''s' '\x1b[2J'"));
        assert_eq!(find("ended"), Some("exit code 3"));
        assert_eq!(find("output"), Some("4.1 KiB (with a gap: the disk was full)"));
        assert_eq!((find("resumed"), find("size")), (Some("once"), Some("80x24")));
        assert_eq!(find("last line"), Some("bye\\x07"));
        assert_eq!((find("pid"), find("name")), (None, None));
        assert_eq!(find("gate"), None, "a plain command has none");
        assert!(gate(&json!({"gateProof": "unclear"})).contains("not proven"));
    }

    #[test]
    fn what_a_person_must_know_stands_beside_the_state() {
        assert_eq!(notes(&session()), Vec::<&str>::new());
        let all = json!({"alarm": "x", "frozen": true, "dangerousUntil": "2026-01-01T00:00:00Z"});
        assert_eq!(notes(&all), ["ALARM", "frozen", "DANGEROUS"]);
        let shown = facts(&all);
        assert!(shown.iter().any(|(name, _)| *name == "frozen"));
        assert!(shown.iter().any(|(name, v)| *name == "dangerous" && v.contains("2026-01-01")));
    }

    #[test]
    fn a_policy_of_the_repository_is_told_with_what_it_does() {
        let said = |policy: Value| tightened(&json!({"repositoryPolicy": policy}));
        assert_eq!(tightened(&session()), "");
        let brought = said(json!({"path": "/p/x", "rules": 2, "ignored": 1}));
        let want = "/p/x tightens: rules that hold: 2, that would allow and are ignored: 1";
        assert_eq!(brought, want);
        assert!(said(json!({"path": "/p/x", "rules": 2, "ignored": 0})).ends_with("hold: 2"));
        let broken = said(json!({"path": "/p/x", "rules": 1, "problem": "bad\u{7}"}));
        assert!(broken.contains("is asked") && broken.ends_with("bad\\x07"), "{broken}");
    }

    #[test]
    fn the_end_is_told_by_code_signal_or_reason() {
        assert_eq!(how_it_ended(&json!({"exitSignal": 9})), "SIGKILL");
        assert_eq!(how_it_ended(&json!({"reason": "host restarted"})), "host restarted");
        assert_eq!(how_it_ended(&json!({})), "without a word");
    }

    #[test]
    fn a_session_is_called_by_its_name_or_the_start_of_its_id() {
        assert_eq!(label(&session()), "0b7e4c1e");
        assert_eq!(label(&json!({"id": "x", "name": "b\u{1b}"})), "b\\x1b");
        assert!(is_live(&json!({"status": "NEEDS_INPUT"})) && !is_live(&session()));
    }
}
