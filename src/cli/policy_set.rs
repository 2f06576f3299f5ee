//! `policy-set`: lists of policies, and the sessions that they hold for.

use crate::base::error::{Error, Result};
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::word;
use crate::cli::out::Color;
use crate::cli::out::cell;
use crate::cli::policy_words;
use crate::cli::policy_words::items;
use crate::cli::policy_words::label;
use crate::cli::policy_words::labels;
use crate::cli::text;
use crate::cli::verb;
use crate::cli::verb::Verb;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

const NAME: Opt = value(&["--name"], "NAME", "what it is called");
const ABOUT: Opt = value(&["--description"], "TEXT", "what it is for");
const DEFAULT: Opt = switch(&["--default"], "new sessions get it");
const POLICY: Opt = value(&["--policy"], "ID", "a policy to put into it; may be repeated");
const COPY: Opt = value(&["--copy"], "ID", "a set whose policies it begins with");

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "policy-set",
    aliases: &[],
    group: Group::Policies,
    usage: "VERB ...",
    about: "Put policies together and apply them to sessions",
    options: &[],
    words: Words::Verbs(VERBS),
    details: "The policies of a set hold for the sessions that it is applied to, beside the\n\
              global ones and each session's own. New sessions get the default set when they\n\
              start, `standard` until you say otherwise. A built-in set stays as it is: copy\n\
              it. A set is named by its id, by the start of its id, or by its name.",
    examples: &[
        "codepiper policy-set create --name careful --copy standard",
        "codepiper policy-set add-policy careful mine",
        "codepiper policy-set apply careful build",
        "codepiper policy-set default careful",
        "codepiper policy-set default none",
    ],
    run: verb::run,
}];

const VERBS: &[Verb] = &[
    Verb {
        name: "list",
        aliases: &["ls"],
        usage: "",
        about: "List sets",
        options: &[],
        words: (0, 0),
        run: list,
    },
    Verb {
        name: "show",
        aliases: &["get"],
        usage: "ID",
        about: "Show a set with its policies",
        options: &[],
        words: (1, 1),
        run: show,
    },
    Verb {
        name: "create",
        aliases: &["add"],
        usage: "--name NAME [--policy ID]... [--copy ID] [OPTIONS]",
        about: "Make a set",
        options: &[NAME, ABOUT, POLICY, COPY, DEFAULT],
        words: (0, 0),
        run: create,
    },
    Verb {
        name: "update",
        aliases: &[],
        usage: "ID [--name NAME] [--description TEXT]",
        about: "Change what the options name",
        options: &[NAME, ABOUT],
        words: (1, 1),
        run: update,
    },
    Verb {
        name: "delete",
        aliases: &["rm"],
        usage: "ID",
        about: "Remove a set and take it off all sessions; its policies stay",
        options: &[],
        words: (1, 1),
        run: delete,
    },
    Verb {
        name: "add-policy",
        aliases: &[],
        usage: "SET POLICY",
        about: "Put a policy into a set",
        options: &[],
        words: (2, 2),
        run: add_policy,
    },
    Verb {
        name: "remove-policy",
        aliases: &[],
        usage: "SET POLICY",
        about: "Take a policy out of a set",
        options: &[],
        words: (2, 2),
        run: remove_policy,
    },
    Verb {
        name: "apply",
        aliases: &[],
        usage: "SET SESSION",
        about: "Let a set hold for a session, from its next tool call on",
        options: &[],
        words: (2, 2),
        run: apply,
    },
    Verb {
        name: "unapply",
        aliases: &[],
        usage: "SET SESSION",
        about: "Take a set off a session",
        options: &[],
        words: (2, 2),
        run: unapply,
    },
    Verb {
        name: "default",
        aliases: &[],
        usage: "[SET|none]",
        about: "Show or set the set that new sessions get",
        options: &[],
        words: (0, 1),
        run: default,
    },
];

fn path(words: &str) -> String {
    format!("/policy-sets/{}", encode(words))
}

fn list(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get("/policy-sets")?;
    if call.out.json {
        return call.out.body(&body).map(|()| 0);
    }
    let row = |set: &Value| {
        let yes = |name: &str, word: &'static str| if set[name] == true { word } else { "" };
        vec![
            cell(label(word(set, "id"))),
            cell(word(set, "name")),
            cell(set["policyCount"].to_string()),
            cell(set["sessionCount"].to_string()),
            cell([yes("isDefault", "default"), yes("builtIn", "built in")].join(" ").trim()),
            cell(word(set, "description")),
        ]
    };
    let rows: Vec<_> = items(&body, "policySets").iter().map(row).collect();
    call.out.table(&["ID", "NAME", "POLICIES", "SESSIONS", "", "ABOUT"], &rows, 5)?;
    Ok(0)
}

fn show(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get(&path(&call.args.words[0]))?;
    if call.out.json {
        return call.out.body(&body).map(|()| 0);
    }
    let set = &body["policySet"];
    let plain = |name: &str| text::clean(word(set, name));
    let yes = |name: &str| if set[name] == true { "yes" } else { "" };
    let facts = [
        ("id", plain("id")),
        ("name", plain("name")),
        ("about", plain("description")),
        ("built in", yes("builtIn").to_string()),
        ("default", yes("isDefault").to_string()),
        ("sessions", labels(items(set, "sessionIds"))),
        ("created", plain("createdAt")),
        ("updated", plain("updatedAt")),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        let name = call.out.paint(Color::Dim, &format!("{name:<10}"));
        call.out.line(&format!("{name} {value}"))?;
    }
    for policy in items(set, "policies") {
        call.out.line(&policy_words::summary(policy))?;
        policy_words::print_rules(call, policy)?;
    }
    Ok(0)
}

/// What the options say of a set, as the API wants it.
fn fields(call: &Invocation<'_>) -> Map<String, Value> {
    let mut body = Map::new();
    let options = [("--name", "name"), ("--description", "description"), ("--copy", "copyOf")];
    for (option, name) in options {
        if let Some(value) = call.args.value(option) {
            body.insert(name.into(), json!(value));
        }
    }
    let policies = call.args.values("--policy");
    if !policies.is_empty() {
        body.insert("policyIds".into(), json!(policies));
    }
    if call.args.has("--default") {
        body.insert("isDefault".into(), json!(true));
    }
    body
}

fn create(call: &Invocation<'_>) -> Result<i32> {
    let body = fields(call);
    if !body.contains_key("name") {
        return Err(Error::invalid("--name is missing; see: codepiper help policy-set"));
    }
    let answer = call.client.post("/policy-sets", &Value::Object(body))?;
    call.out.told(&answer, &format!("made {}", summary(&answer["policySet"])))
}

fn update(call: &Invocation<'_>) -> Result<i32> {
    let body = fields(call);
    if body.is_empty() {
        return Err(Error::invalid("nothing to change; see: codepiper help policy-set"));
    }
    let answer = call.client.put(&path(&call.args.words[0]), &Value::Object(body))?;
    call.out.told(&answer, &format!("changed {}", summary(&answer["policySet"])))
}

/// A set in one line: `policy set careful (3f2a91c0): 2 policies`.
fn summary(set: &Value) -> String {
    let policies = match set["policyCount"].as_u64() {
        Some(1) => "1 policy".to_string(),
        count => format!("{} policies", count.unwrap_or_default()),
    };
    let default = if set["isDefault"] == true { ", new sessions get it" } else { "" };
    let (name, id) = (text::clean(word(set, "name")), label(word(set, "id")));
    format!("policy set {name} ({id}): {policies}{default}")
}

fn delete(call: &Invocation<'_>) -> Result<i32> {
    let answer = call.client.delete(&path(&call.args.words[0]))?;
    let mut line = format!("removed policy set {}", text::clean(word(&answer, "name")));
    let sessions = items(&answer, "sessionIds");
    if !sessions.is_empty() {
        line.push_str(&format!("; it was applied to the sessions {}", labels(sessions)));
    }
    if answer["wasDefault"] == true {
        line.push_str("; new sessions get no set now, choose one: codepiper policy-set default");
    }
    call.out.told(&answer, &line)
}

/// The two words behind a verb, as they may be printed.
fn pair<'a>(call: &'a Invocation<'_>) -> (&'a str, &'a str, String, String) {
    let (set, other) = (&call.args.words[0], &call.args.words[1]);
    (set, other, text::clean(set), text::clean(other))
}

fn add_policy(call: &Invocation<'_>) -> Result<i32> {
    let (set, policy, set_shown, policy_shown) = pair(call);
    let target = format!("{}/policies", path(set));
    let answer = call.client.post(&target, &json!({"policyId": policy}))?;
    call.out.told(&answer, &format!("policy {policy_shown} is in the set {set_shown} now"))
}

fn remove_policy(call: &Invocation<'_>) -> Result<i32> {
    let (set, policy, set_shown, policy_shown) = pair(call);
    let answer = call.client.delete(&format!("{}/policies/{}", path(set), encode(policy)))?;
    call.out.told(&answer, &format!("took policy {policy_shown} out of the set {set_shown}"))
}

fn apply(call: &Invocation<'_>) -> Result<i32> {
    let (set, session, set_shown, session_shown) = pair(call);
    let target = session_path(session, "/policy-sets");
    let answer = call.client.post(&target, &json!({"policySetId": set}))?;
    let when = if answer["applied"] == false { "already" } else { "now" };
    call.out.told(&answer, &format!("set {set_shown} holds for session {session_shown} {when}"))
}

fn unapply(call: &Invocation<'_>) -> Result<i32> {
    let (set, session, set_shown, session_shown) = pair(call);
    let target = session_path(session, &format!("/policy-sets/{}", encode(set)));
    let answer = call.client.delete(&target)?;
    call.out.told(&answer, &format!("took set {set_shown} off session {session_shown}"))
}

fn default(call: &Invocation<'_>) -> Result<i32> {
    const TARGET: &str = "/settings/daemon";
    let body = match call.args.words.first().map(String::as_str) {
        None => call.client.get(TARGET)?,
        Some("none") => call.client.put(TARGET, &json!({"defaultPolicySet": null}))?,
        Some(set) => call.client.put(TARGET, &json!({"defaultPolicySet": set}))?,
    };
    let line = match body["settings"]["defaultPolicySet"].as_str() {
        Some(set) => format!("new sessions get the policy set {}", label(set)),
        None => "new sessions get no policy set".to_string(),
    };
    call.out.told(&body, &line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn check(line: &[&str], request: &str, body: Value) {
        let fake = Fake::api(move |_, _| (200, "{}".to_string()));
        let call = invocation(&fake, line);
        assert_eq!((call.args.verb.unwrap().run)(&call).unwrap(), 0, "{line:?}");
        assert_eq!(fake.lines(), [request]);
        let sent = fake.request();
        let sent = sent.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(serde_json::from_str::<Value>(sent).unwrap_or_default(), body, "{line:?}");
    }

    #[test]
    fn each_verb_sends_what_was_typed_and_nothing_else() {
        let line = "policy-set create --name a --policy p --policy q --copy standard --default";
        let line: Vec<&str> = line.split(' ').collect();
        let body =
            json!({"name": "a", "policyIds": ["p", "q"], "copyOf": "standard", "isDefault": true});
        check(&line, "POST /policy-sets", body);
        let body = json!({"description": "x"});
        check(&["policy-set", "update", "a", "--description", "x"], "PUT /policy-sets/a", body);
        check(&["policy-set", "rm", "a/b"], "DELETE /policy-sets/a%2Fb", Value::Null);
        let (add, take) = (["policy-set", "add-policy", "s", "p"], "remove-policy");
        check(&add, "POST /policy-sets/s/policies", json!({"policyId": "p"}));
        check(&["policy-set", take, "s", "p"], "DELETE /policy-sets/s/policies/p", Value::Null);
        let body = json!({"policySetId": "s"});
        check(&["policy-set", "apply", "s", "build"], "POST /sessions/build/policy-sets", body);
        let target = "DELETE /sessions/build/policy-sets/s";
        check(&["policy-set", "unapply", "s", "build"], target, Value::Null);
        let target = "PUT /settings/daemon";
        check(&["policy-set", "default", "s"], target, json!({"defaultPolicySet": "s"}));
        check(&["policy-set", "default", "none"], target, json!({"defaultPolicySet": null}));
        check(&["policy-set", "default"], "GET /settings/daemon", Value::Null);
    }
}
