//! `grants` and `grant revoke`: what a person has granted beyond one call.

use crate::base::error::{Error, Result};
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::short;
use crate::cli::describe::word;
use crate::cli::out::cell;
use crate::cli::verb;
use crate::cli::verb::Verb;
use serde_json::Value;
use serde_json::json;

/// The commands of this file.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "grants",
        aliases: &[],
        group: Group::Approvals,
        usage: "[--session ID] [--all]",
        about: "List what you have granted",
        options: &[
            value(&["-s", "--session"], "ID", "only in this session"),
            switch(&["-a", "--all"], "used up, ended and revoked ones too"),
        ],
        words: Words::Count(0, 0),
        details: "",
        examples: &["codepiper grants"],
        run: list,
    },
    Command {
        name: "grant",
        aliases: &[],
        group: Group::Approvals,
        usage: "revoke ID",
        about: "Take a grant back",
        options: &[],
        words: Words::Verbs(&[Verb {
            name: "revoke",
            aliases: &["rm"],
            usage: "ID",
            about: "Take a grant back; the next such call is asked again",
            options: &[],
            words: (1, 1),
            run: revoke,
        }]),
        details: "",
        examples: &["codepiper grant revoke 3"],
        run: verb::run,
    },
];

fn list(call: &Invocation<'_>) -> Result<i32> {
    let target = match call.args.value("--session") {
        Some(id) => format!("/grants?sessionId={}", encode(id)),
        None => "/grants".to_string(),
    };
    let body = call.client.get(&target)?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let all = call.args.has("--all");
    let grants = body["grants"].as_array().map(Vec::as_slice).unwrap_or_default();
    let shown = grants.iter().filter(|grant| all || grant["holds"] == json!(true));
    let rows: Vec<_> = shown
        .map(|grant| {
            let id = grant["id"].to_string();
            let state = match (&grant["holds"], word(grant, "revokedAt")) {
                (Value::Bool(true), _) => "holds",
                (_, "") => "ended",
                _ => "revoked",
            };
            let used = grant["used"].to_string();
            let session = short(word(grant, "sessionId"));
            let reach = word(grant, "reach");
            [id.as_str(), session, state, reach, &used, word(grant, "toolName"), &about(grant)]
                .map(cell)
                .into()
        })
        .collect();
    if rows.is_empty() {
        call.out.line("nothing is granted")?;
    } else {
        let headings = ["ID", "SESSION", "STATE", "REACH", "USED", "TOOL", "ABOUT"];
        call.out.table(&headings, &rows, 6)?;
    }
    Ok(0)
}

/// What the call does, in a word: its command or path, else its whole input.
fn about(grant: &Value) -> String {
    let args = &grant["args"];
    let known = ["command", "cmd", "file_path", "url"].iter().find_map(|name| args[*name].as_str());
    known.map_or_else(|| args.to_string(), str::to_string)
}

fn revoke(call: &Invocation<'_>) -> Result<i32> {
    let id = &call.args.words[0];
    let number: u64 = id.parse().map_err(|_| {
        Error::invalid(format!(
            "a grant is called by its number, not {id:?}; see: codepiper grants"
        ))
    })?;
    let answer = call.client.delete(&format!("/grants/{number}"))?;
    call.out.told(&answer, &format!("grant {number} taken back"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    #[test]
    fn a_grant_is_taken_back_by_its_number() {
        let fake = Fake::api(|_, _| (200, r#"{"success":true}"#.into()));
        assert_eq!(verb::run(&invocation(&fake, &["grant", "revoke", "3"])).unwrap(), 0);
        assert_eq!(fake.lines(), ["DELETE /grants/3"]);
        let error = verb::run(&invocation(&fake, &["grant", "revoke", "x"])).unwrap_err();
        assert!(error.message.contains("by its number"));
    }

    #[test]
    fn what_a_grant_is_about_is_its_command_or_path() {
        assert_eq!(about(&json!({"args": {"command": "make"}})), "make");
        assert_eq!(about(&json!({"args": {"x": 1}})), r#"{"x":1}"#);
    }
}
