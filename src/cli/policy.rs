//! `policy`: which tool calls run, are asked or do not run.

use crate::base::error::{Error, Result};
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::word;
use crate::cli::out::Color;
use crate::cli::policy_default;
use crate::cli::policy_eval;
use crate::cli::policy_explain;
use crate::cli::policy_file;
use crate::cli::policy_load;
use crate::cli::policy_replay;
use crate::cli::policy_words::history;
use crate::cli::policy_words::items;
use crate::cli::policy_words::labels;
use crate::cli::policy_words::names;
use crate::cli::policy_words::on;
use crate::cli::policy_words::path;
use crate::cli::policy_words::print_rules;
use crate::cli::policy_words::scope;
use crate::cli::policy_words::summary;
use crate::cli::policy_words::table;
use crate::cli::rules;
use crate::cli::text;
use crate::cli::verb;
use crate::cli::verb::Verb;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

const NAME: Opt = value(&["--name"], "NAME", "what verdicts and logs call it");
const SESSION: Opt = value(&["--session"], "ID", "of this session alone");
const SCOPE: Opt = value(&["--scope"], "S", "global (default), or set: only where a set lists it");
const RULES: Opt = value(&["--rules"], "JSON|@FILE|-", "all its rules");
const ENABLED: Opt = value(&["--enabled"], "true|false", "whether it decides anything");
const PRIORITY: Opt = value(&["--priority"], "N", "which of equal rules is named: the highest");
const LINES: Opt = switch(&["--lines"], "only its rules, as lines for a file");
const ABOUT: Opt = value(&["--description"], "TEXT", "what it is for");

const DETAILS: &str = "\
A policy is a named list of rules. Of all rules that are about a call, deny goes
before ask and ask before allow, whatever their order; what no rule is about
takes the default action. Changes hold from the next call on.

A rule is {\"action\": allow|deny|ask, ...} with at least one of these, each a
string or a list of strings of which one must fit; all that are given must fit:

  tool     the tool's name: Bash, Write, mcp__github__*, or * for every call
  command  one command of a shell line, word by word: cargo test, git push *
  read     a file that is read: src/** below the project, ~/.ssh/** at home,
           /etc/* as it stands, **/*.pem anywhere
  write    a file that is written, in the same way
  host     a host that is spoken to: docs.rs, *.example.com
  args     an object: fields of the tool's input and what they must be
  cwd      where the call stands

A * at the end of a command is any further words: all of them where a rule
denies or asks; where it allows, only words that are no option, no secret and
nothing outside the project. A line of several commands runs only if each may.
\"reason\" is told to the agent, \"id\" names the rule in logs. To paste:

  echo '{\"name\": \"mine\", \"rules\": [
    {\"action\": \"allow\", \"command\": [\"cargo test\", \"cat *\", \"cd *\"]},
    {\"action\": \"allow\", \"tool\": [\"Write\", \"Edit\"], \"write\": \"src/**\"},
    {\"action\": \"deny\", \"command\": \"git push *\",
     \"reason\": \"pushing is mine\"}
  ]}' | codepiper policy load -

A file for load is such an object (name, description, priority, enabled, scope,
rules) or a list of rules; its name is then the file's. Rules may be lines, too,
with examples that must hold (in JSON: \"match\" and \"noMatch\"):

  allow shell cargo test ; shell cat *    # several of a kind: one must fit
    match: cat src/main.rs
    no-match: cat /etc/passwd
  allow tool Write Edit ; write src/** ; id edits
  deny host *.evil.example ; reason \"not there\"

A policy is named by its id, by the start of its id, or by its name. The file
.codepiper/policy in a project makes its sessions stricter, never milder.";

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "policy",
    aliases: &[],
    group: Group::Policies,
    usage: "VERB ...",
    about: "Decide which tool calls of agents run",
    options: &[],
    words: Words::Verbs(VERBS),
    details: DETAILS,
    examples: &[
        "codepiper policy load rules.json",
        "codepiper policy create --name ask --rules '[{\"action\":\"ask\",\"tool\":\"*\"}]'",
        "codepiper policy toggle mine",
        "codepiper policy default deny",
    ],
    run: verb::run,
}];

const VERBS: &[Verb] = &[
    Verb {
        name: "list",
        aliases: &["ls"],
        usage: "[--session ID] [--enabled true|false]",
        about: "List policies",
        options: &[SESSION, ENABLED],
        words: (0, 0),
        run: list,
    },
    Verb {
        name: "show",
        aliases: &["get"],
        usage: "ID",
        about: "Show a policy, its rules one a line",
        options: &[LINES],
        words: (1, 1),
        run: show,
    },
    Verb {
        name: "create",
        aliases: &["add"],
        usage: "--name NAME --rules JSON|@FILE|- [OPTIONS]",
        about: "Make a policy",
        options: &[NAME, RULES, ABOUT, PRIORITY, ENABLED, SCOPE, SESSION],
        words: (0, 0),
        run: create,
    },
    Verb {
        name: "update",
        aliases: &[],
        usage: "ID [OPTIONS]",
        about: "Change what the options name, and nothing else",
        options: &[NAME, RULES, ABOUT, PRIORITY, ENABLED, SCOPE],
        words: (1, 1),
        run: update,
    },
    Verb {
        name: "history",
        aliases: &[],
        usage: "ID",
        about: "Show what was changed about a policy, and by whom",
        options: &[],
        words: (1, 1),
        run: history,
    },
    Verb {
        name: "delete",
        aliases: &["rm"],
        usage: "ID",
        about: "Remove a policy, also from the sets that list it",
        options: &[],
        words: (1, 1),
        run: delete,
    },
    Verb {
        name: "toggle",
        aliases: &[],
        usage: "ID",
        about: "Switch a policy off, or on again",
        options: &[],
        words: (1, 1),
        run: toggle,
    },
    Verb {
        name: "load",
        aliases: &[],
        usage: "FILE|- [--name NAME] [--session ID]",
        about: "Make a policy from a file, or bring the one of that name to what it says",
        options: &[NAME, SESSION],
        words: (1, 1),
        run: policy_load::load,
    },
    Verb {
        name: "default",
        aliases: &[],
        usage: "[ask|deny]",
        about: "Show or set what becomes of a call that no rule is about",
        options: &[],
        words: (0, 1),
        run: policy_default::run,
    },
    policy_file::TEST,
    policy_eval::EVAL,
    policy_explain::EXPLAIN,
    policy_replay::REPLAY,
];

fn list(call: &Invocation<'_>) -> Result<i32> {
    let mut query = Vec::new();
    if let Some(session) = call.args.value("--session") {
        query.push(format!("sessionId={}", encode(session)));
    }
    if let Some(enabled) = flag(call)? {
        query.push(format!("enabled={enabled}"));
    }
    let mark = if query.is_empty() { "" } else { "?" };
    let body = call.client.get(&format!("/policies{mark}{}", query.join("&")))?;
    if call.out.json {
        return call.out.body(&body).map(|()| 0);
    }
    let policies = items(&body, "policies");
    if policies.is_empty() {
        let hint = match query.is_empty() {
            true => "no policies; see: codepiper help policy",
            false => "no such policies",
        };
        return call.out.line(hint).map(|()| 0);
    }
    table(call, policies)?;
    Ok(0)
}

fn show(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get(&path(&call.args.words[0]))?;
    if call.out.json {
        return call.out.body(&body).map(|()| 0);
    }
    let policy = &body["policy"];
    if call.args.has("--lines") {
        return call.out.bytes(rules::lines(policy)?.as_bytes()).map(|()| 0);
    }
    let plain = |name: &str| text::clean(word(policy, name));
    let facts = [
        ("id", plain("id")),
        ("name", plain("name")),
        ("about", plain("description")),
        ("state", on(policy).to_string()),
        ("problem", plain("problem")),
        ("priority", policy["priority"].to_string()),
        ("scope", scope(policy)),
        ("sets", names(items(policy, "policySets"))),
        ("version", policy["version"].to_string()),
        ("created", plain("createdAt")),
        ("updated", plain("updatedAt")),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        let name = call.out.paint(Color::Dim, &format!("{name:<10}"));
        call.out.line(&format!("{name} {value}"))?;
    }
    print_rules(call, policy)?;
    Ok(0)
}

/// What the options say of a policy, as the API wants it.
fn fields(call: &Invocation<'_>) -> Result<Map<String, Value>> {
    let mut body = Map::new();
    let options = [
        ("--name", "name"),
        ("--description", "description"),
        ("--scope", "scope"),
        ("--session", "sessionId"),
    ];
    for (option, name) in options {
        if let Some(value) = call.args.value(option) {
            body.insert(name.into(), json!(value));
        }
    }
    if let Some(priority) = call.args.number::<i64>("--priority")? {
        body.insert("priority".into(), json!(priority));
    }
    if let Some(enabled) = flag(call)? {
        body.insert("enabled".into(), json!(enabled));
    }
    if let Some(word) = call.args.value("--rules") {
        body.insert("rules".into(), rules::read(word, std::io::stdin().lock())?);
    }
    Ok(body)
}

fn flag(call: &Invocation<'_>) -> Result<Option<bool>> {
    match call.args.value("--enabled") {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(Error::invalid(format!("--enabled takes true or false, not {other:?}"))),
    }
}

fn create(call: &Invocation<'_>) -> Result<i32> {
    let body = fields(call)?;
    for (option, name) in [("--name", "name"), ("--rules", "rules")] {
        if !body.contains_key(name) {
            return Err(Error::invalid(format!("{option} is missing; see: codepiper help policy")));
        }
    }
    let answer = call.client.post("/policies", &Value::Object(body))?;
    told(call, &answer, "made")
}

fn update(call: &Invocation<'_>) -> Result<i32> {
    let body = fields(call)?;
    if body.is_empty() {
        return Err(Error::invalid("nothing to change; see: codepiper help policy"));
    }
    let answer = call.client.put(&path(&call.args.words[0]), &Value::Object(body))?;
    told(call, &answer, "changed")
}

/// Says what a policy is now.
fn told(call: &Invocation<'_>, answer: &Value, what: &str) -> Result<i32> {
    call.out.told(answer, &format!("{what} {}", summary(&answer["policy"])))
}

fn delete(call: &Invocation<'_>) -> Result<i32> {
    let answer = call.client.delete(&path(&call.args.words[0]))?;
    if call.out.json {
        return call.out.body(&answer).map(|()| 0);
    }
    let mut line = format!("removed policy {}", text::clean(word(&answer, "name")));
    let sets = items(&answer, "policySets");
    if !sets.is_empty() {
        line.push_str(&format!("; it was in the sets {}", names(sets)));
    }
    let sessions = items(&answer, "sessionIds");
    if !sessions.is_empty() {
        line.push_str(&format!("; it held for the running sessions {}", labels(sessions)));
    }
    call.out.line(&line)?;
    Ok(0)
}

fn toggle(call: &Invocation<'_>) -> Result<i32> {
    let before = call.client.get(&path(&call.args.words[0]))?;
    let policy = &before["policy"];
    let on = policy["enabled"] != json!(true);
    let answer = call.client.put(&path(word(policy, "id")), &json!({"enabled": on}))?;
    told(call, &answer, if on { "switched on" } else { "switched off" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn check(line: &[&str], requests: &[&str], body: Value) {
        let policy = r#"{"policy":{"id":"p1","name":"mine","enabled":true,"rules":[]}}"#;
        let fake = Fake::api(move |_, _| (200, policy.to_string()));
        let call = invocation(&fake, line);
        assert_eq!((call.args.verb.unwrap().run)(&call).unwrap(), 0, "{line:?}");
        assert_eq!(fake.lines(), requests);
        let sent = fake.request();
        let sent = sent.split_once("\r\n\r\n").unwrap().1;
        let sent: Value = serde_json::from_str(sent).unwrap_or_default();
        assert_eq!(sent, body, "{line:?}");
    }

    #[test]
    fn each_verb_sends_what_was_typed_and_nothing_else() {
        let rules = json!([{"action": "ask"}]);
        let line =
            ["policy", "create", "--name", "a b", "--rules", &rules.to_string(), "--priority=-3"];
        let body = json!({"name": "a b", "rules": rules, "priority": -3});
        check(&line, &["POST /policies"], body);
        let line = ["policy", "update", "a b", "--enabled", "false", "--description", ""];
        let body = json!({"enabled": false, "description": ""});
        check(&line, &["PUT /policies/a%20b"], body);
        let line = ["policy", "ls", "--session", "b/c", "--enabled", "true"];
        check(&line, &["GET /policies?sessionId=b%2Fc&enabled=true"], Value::Null);
        let twice = ["GET /policies/mine", "PUT /policies/p1"];
        check(&["policy", "toggle", "mine"], &twice, json!({"enabled": false}));
        check(&["policy", "rm", "mine"], &["DELETE /policies/mine"], Value::Null);
        let body = json!({"defaultPolicyAction": "deny"});
        check(&["policy", "default", "deny"], &["PUT /settings/daemon"], body);
    }

    #[test]
    fn what_is_missing_is_said_before_the_daemon_is_asked() {
        let fake = Fake::api(|_, _| (200, "{}".into()));
        for (line, words) in [
            (&["policy", "create", "--name", "x"][..], "--rules is missing"),
            (&["policy", "create", "--rules", "[]"], "--name is missing"),
            (&["policy", "update", "x"], "nothing to change"),
            (&["policy", "ls", "--enabled", "yes"], "true or false"),
            (&["policy", "create", "--name", "x", "--rules", "[{"], "--rules: "),
        ] {
            let call = invocation(&fake, line);
            let error = (call.args.verb.unwrap().run)(&call).unwrap_err();
            assert!(error.message.contains(words), "{line:?}: {error}");
        }
        assert!(fake.lines().is_empty());
    }
}
