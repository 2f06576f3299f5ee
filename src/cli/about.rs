//! Commands about the daemon's surroundings: providers, settings, doctor, and the two that
//! codepiper runs itself.

use crate::base::error::{Code, Context, Error, Result};
use crate::cli::Invocation;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::describe::word;
use crate::cli::hook;
use crate::cli::out::Color;
use crate::cli::out::cell;
use crate::cli::text;
use crate::limits;
use serde_json::Value;
use serde_json::json;
use std::io::Read;

const NONE: &[Opt] = &[];

/// The commands of this file.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "providers",
        aliases: &[],
        group: Group::Daemon,
        usage: "",
        about: "List what can be started",
        options: NONE,
        words: Words::Count(0, 0),
        details: "",
        examples: &["codepiper providers"],
        run: providers,
    },
    Command {
        name: "settings",
        aliases: &[],
        group: Group::Daemon,
        usage: "[KEY [VALUE|@FILE|-]]",
        about: "Show or change the daemon's settings",
        options: NONE,
        words: Words::Count(0, 2),
        details: "A value is JSON where it reads as such, else text. @FILE takes it from a\n\
                  file, - from standard input; null brings the default back (and for\n\
                  defaultPolicySet means none).",
        examples: &[
            "codepiper settings",
            "codepiper settings maxSessions 100",
            "codepiper settings defaultPolicyAction deny",
        ],
        run: settings,
    },
    Command {
        name: "doctor",
        aliases: &[],
        group: Group::Daemon,
        usage: "[--prove [PROVIDER]]",
        about: "Check this machine and say what to do",
        options: &[switch(&["--prove"], "prove the gate again, on all agents or one")],
        words: Words::Count(0, 1),
        details: "Before an agent's program is started for the first time, the daemon proves its\n\
                  gate: it runs that program once in a throw-away home, against a model of its\n\
                  own, and sees that a denied call does not run. A proof that was unclear is\n\
                  tried again by the next daemon, or by --prove.\n\
                  Exit code 1 when a check fails, 3 when the daemon is not running.",
        examples: &["codepiper doctor", "codepiper doctor --prove claude-code"],
        run: doctor,
    },
    Command {
        name: "hook-forward",
        aliases: &[],
        group: Group::Daemon,
        usage: "",
        about: "Ask the daemon about a tool call (run by agents)",
        options: NONE,
        words: Words::Count(0, usize::MAX),
        details: hook::HELP,
        examples: &["codepiper hook-forward < call.json"],
        run: |call| Ok((call.outside.hook_forward)()),
    },
    Command {
        name: "keeper",
        aliases: &[],
        group: Group::Hidden,
        usage: "",
        about: "Keep one session's terminal and output (run by the daemon)",
        options: NONE,
        words: Words::Count(0, usize::MAX),
        details: "",
        examples: &["codepiper keeper"],
        run: |call| Ok((call.outside.keeper)()),
    },
];

fn providers(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get("/providers")?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let rows: Vec<_> = list(&body, "providers")
        .iter()
        .map(|p| {
            let able = p["capabilities"].as_object().map(|c| {
                let on = c.iter().filter(|(_, v)| **v == json!(true)).map(|(name, _)| name);
                on.cloned().collect::<Vec<_>>().join(" ")
            });
            vec![
                cell(word(p, "id")),
                cell(word(p, "label")),
                cell(word(p, "runtime")),
                cell(able.unwrap_or_default()),
            ]
        })
        .collect();
    call.out.table(&["ID", "LABEL", "RUNTIME", "ABLE TO"], &rows, 3)?;
    Ok(0)
}

fn list<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn settings(call: &Invocation<'_>) -> Result<i32> {
    const TARGET: &str = "/settings/daemon";
    let words = &call.args.words;
    let body = match words.get(1) {
        None => call.client.get(TARGET)?,
        Some(given) => {
            let value = setting_value(given, std::io::stdin().lock())?;
            let change = json!({ words[0].as_str(): value });
            call.client.json("PUT", TARGET, Some(&change), limits::gate::CLIENT_WAIT)?
        }
    };
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let Some(all) = body["settings"].as_object() else {
        return Err(Error::internal("the daemon's answer has no settings"));
    };
    match words.first() {
        None => {
            for (key, value) in all {
                let key = call.out.paint(Color::Dim, &text::clean(key));
                call.out.line(&format!("{key} {}", shown(value)))?;
            }
        }
        Some(key) => match all.get(key.as_str()) {
            Some(value) => call.out.line(&shown(value))?,
            None => return Err(Error::new(Code::NotFound, format!("no such setting {key:?}"))),
        },
    }
    Ok(0)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text::clean(text),
        other => text::clean(&other.to_string()),
    }
}

/// The value that a word stands for: a file's content for `@FILE`, all of `input` for `-`.
fn setting_value(word: &str, input: impl Read) -> Result<Value> {
    let most = limits::BODY_BYTES as u64;
    let mut content = String::new();
    match word.strip_prefix('@') {
        Some(path) => {
            let cannot = || format!("cannot read {path}");
            let file = std::fs::File::open(path).code(Code::Invalid, cannot)?;
            file.take(most).read_to_string(&mut content).code(Code::Invalid, cannot)?;
        }
        None if word == "-" => {
            let read = input.take(most).read_to_string(&mut content);
            read.code(Code::Invalid, || "cannot read standard input".into())?;
        }
        None => content = word.to_string(),
    }
    let from_text = || Value::String(content.trim_end_matches('\n').to_string());
    Ok(serde_json::from_str(&content).unwrap_or_else(|_| from_text()))
}

fn doctor(call: &Invocation<'_>) -> Result<i32> {
    let body = match (call.args.has("--prove"), call.args.words.first()) {
        (false, None) => call.client.get("/doctor")?,
        (false, Some(_)) => return Err(Error::invalid("a provider is named only with --prove")),
        (true, provider) => {
            let asked = provider.map_or_else(|| json!({}), |id| json!({"provider": id}));
            call.client.json("POST", "/doctor/prove", Some(&asked), limits::PROVE_WAIT)?
        }
    };
    let checks = list(&body, "checks");
    let failed = checks.iter().any(|c| c["ok"] != json!(true));
    if call.out.json {
        call.out.body(&body)?;
        return Ok(i32::from(failed));
    }
    for check in checks {
        let ok = check["ok"] == json!(true);
        let mark = match ok {
            true => call.out.paint(Color::Green, "ok  "),
            false => call.out.paint(Color::Red, "FAIL"),
        };
        let (name, detail) = (text::clean(word(check, "name")), text::clean(word(check, "detail")));
        call.out.line(&format!("{mark} {name}: {detail}"))?;
        if let Some(fix) = check["fix"].as_str().filter(|fix| !ok && !fix.is_empty()) {
            call.out.line(&format!("     {}", text::clean(fix)))?;
        }
    }
    Ok(i32::from(failed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    #[test]
    fn a_setting_is_json_where_it_reads_as_such() {
        let value = |word: &str| setting_value(word, &b"[1,\n2]\n"[..]).unwrap();
        assert_eq!(value("true"), json!(true));
        assert_eq!(value("12"), json!(12));
        assert_eq!(value("ask me"), json!("ask me"));
        assert_eq!(value("-"), json!([1, 2]));
        let path = std::env::temp_dir().join(format!("cp-setting-{}", std::process::id()));
        std::fs::write(&path, "plain\n").unwrap();
        assert_eq!(value(&format!("@{}", path.display())), json!("plain"));
        std::fs::remove_file(&path).unwrap();
        let error = setting_value(&format!("@{}", path.display()), &b""[..]).unwrap_err();
        assert!(error.message.contains("cp-setting"), "{error}");
    }

    #[test]
    fn a_change_names_only_its_key() {
        let fake = Fake::api(|_, body| {
            assert!(body.is_empty() || body == r#"{"rules":["a"]}"#, "{body}");
            (200, r#"{"settings":{"rules":["a"],"x":1}}"#.into())
        });
        assert_eq!(settings(&invocation(&fake, &["settings", "rules", r#"["a"]"#])).unwrap(), 0);
        let error = settings(&invocation(&fake, &["settings", "nope"])).unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        assert_eq!(fake.lines(), ["PUT /settings/daemon", "GET /settings/daemon"]);
    }

    #[test]
    fn doctor_fails_when_one_check_fails() {
        let fake = Fake::api(|_, _| {
            (200, r#"{"checks":[{"name":"a","ok":true},{"name":"b","ok":false,"fix":"x"}]}"#.into())
        });
        assert_eq!(doctor(&invocation(&fake, &["doctor"])).unwrap(), 1);
    }

    #[test]
    fn proofs_are_asked_for_in_words() {
        let fake = Fake::api(|_, body| {
            assert!(["", "{}", r#"{"provider":"codex"}"#].contains(&body), "{body}");
            (200, r#"{"checks":[{"name":"a","ok":true}]}"#.into())
        });
        assert_eq!(doctor(&invocation(&fake, &["doctor", "--prove"])).unwrap(), 0);
        assert_eq!(doctor(&invocation(&fake, &["doctor", "--prove", "codex"])).unwrap(), 0);
        let error = doctor(&invocation(&fake, &["doctor", "codex"])).unwrap_err();
        assert!(error.message.contains("--prove"), "{error}");
        assert_eq!(fake.lines(), ["POST /doctor/prove", "POST /doctor/prove"]);
    }
}
