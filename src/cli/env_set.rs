//! `env-set`: variables that sessions get, sealed in the database.
//!
//! 1. A value MUST NOT be printed, whatever was asked for.
//! 2. Whoever gave one on the command line MUST be told that others could read it there.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::secret::Vars;
use crate::base::secret::wipe;
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::short;
use crate::cli::describe::word;
use crate::cli::env_file;
use crate::cli::out::Color;
use crate::cli::out::cell;
use crate::cli::policy_words::items;
use crate::cli::policy_words::labels;
use crate::cli::prompt;
use crate::cli::text;
use crate::cli::verb;
use crate::cli::verb::Verb;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

const NAME: Opt = value(&["--name"], "NAME", "what it is called");
const ABOUT: Opt = value(&["--description"], "TEXT", "what it is for");
const VAR: Opt = value(&["--var"], "K[=V]", "a variable; without =V you are asked for it");
const FILE: Opt = value(&["--from-file"], "FILE", "variables from a file of lines K=V");
const STDIN: Opt = switch(&["--stdin"], "the same from standard input");
const UNSET: Opt = value(&["--unset"], "K", "a variable to take out; may be repeated");
const LOADERS: Opt =
    switch(&["--allow-loader-vars"], "also LD_PRELOAD, NODE_OPTIONS and their like");

const DETAILS: &str = "\
The values are sealed under master.key (AES-256-GCM) and opened only for the
start of a session: codepiper start --env-set NAME. Nothing prints them again.
A set is named by its id, by the start of its id, or by its name.

--var K asks for the value and does not show it; without a terminal it takes
the next line of standard input. --var K=V works too, but while it runs every
user of this host can read the value in the process list, and your shell may
keep it.

--from-file and --stdin read lines NAME=VALUE, with `export` before them or
not. A line that begins with # is a comment. A value goes to the end of its
line; in 'single quotes' it is taken as it is, in \"double quotes\" with \\n \\t
\\r \\\" \\\\, and in both it may have several lines. Nothing is put in place of
$NAME.

Variables that make programs load or run other code (LD_*, NODE_OPTIONS,
BASH_ENV, GIT_SSH_COMMAND, PATH ...) are refused without --allow-loader-vars.
Sessions that run keep what they have; a changed set counts from their next
start.";

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "env-set",
    aliases: &["env-sets"],
    group: Group::Sessions,
    usage: "VERB ...",
    about: "Keep variables for sessions, sealed",
    options: &[],
    words: Words::Verbs(VERBS),
    details: DETAILS,
    examples: &[
        "codepiper env-set create --name work --var GITHUB_TOKEN --var DB_URL",
        "codepiper env-set create --name production --from-file .env",
        "pass show prod-env | codepiper env-set create --name production --stdin",
        "codepiper env-set update production --var GITHUB_TOKEN --unset OLD_TOKEN",
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
        name: "get",
        aliases: &["show"],
        usage: "ID|NAME",
        about: "Show a set with the names of its variables",
        options: &[],
        words: (1, 1),
        run: get,
    },
    Verb {
        name: "create",
        aliases: &["add"],
        usage: "--name NAME [--var K[=V]]... [--from-file FILE] [OPTIONS]",
        about: "Make a set",
        options: &[NAME, ABOUT, VAR, FILE, STDIN, LOADERS],
        words: (0, 0),
        run: create,
    },
    Verb {
        name: "update",
        aliases: &[],
        usage: "ID|NAME [--var K[=V]]... [--unset K]... [OPTIONS]",
        about: "Change what the options name; other variables stay",
        options: &[NAME, ABOUT, VAR, FILE, STDIN, UNSET, LOADERS],
        words: (1, 1),
        run: update,
    },
    Verb {
        name: "delete",
        aliases: &["rm"],
        usage: "ID|NAME",
        about: "Remove a set; sessions that run keep what they have",
        options: &[],
        words: (1, 1),
        run: delete,
    },
];

fn path(words: &str) -> String {
    format!("/env-sets/{}", encode(words))
}

fn list(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get("/env-sets")?;
    if call.out.json {
        return call.out.body(&body).map(|()| 0);
    }
    let row = |set: &Value| {
        vec![
            cell(short(word(set, "id"))),
            cell(word(set, "name")),
            cell(set["varCount"].to_string()),
            cell(word(set, "updatedAt")),
            cell(word(set, "description")),
        ]
    };
    let rows: Vec<_> = items(&body, "envSets").iter().map(row).collect();
    call.out.table(&["ID", "NAME", "VARIABLES", "CHANGED", "ABOUT"], &rows, 4)?;
    Ok(0)
}

fn get(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get(&path(&call.args.words[0]))?;
    if call.out.json {
        return call.out.body(&body).map(|()| 0);
    }
    let set = &body["envSet"];
    let plain = |name: &str| text::clean(word(set, name));
    for name in ["id", "name", "description", "createdAt", "updatedAt"] {
        if !plain(name).is_empty() {
            let label = call.out.paint(Color::Dim, &format!("{name:<12}"));
            call.out.line(&format!("{label} {}", plain(name)))?;
        }
    }
    for (name, mask) in set["maskedVars"].as_object().into_iter().flatten() {
        let mask = text::clean(mask.as_str().unwrap_or_default());
        call.out.line(&format!("{}={mask}", text::clean(name)))?;
    }
    Ok(0)
}

fn create(call: &Invocation<'_>) -> Result<i32> {
    let mut body = fields(call);
    if !body.contains_key("name") {
        return Err(Error::invalid("--name is missing; see: codepiper help env-set"));
    }
    let vars = variables(call)?;
    if vars.is_empty() {
        let text = "a set without a variable is of no use; give it one with --var, --from-file or \
                    --stdin";
        return Err(Error::invalid(text));
    }
    body.insert("vars".into(), json!(*vars));
    send(call, "POST", "/env-sets", body, "made")
}

fn update(call: &Invocation<'_>) -> Result<i32> {
    let mut body = fields(call);
    let vars = variables(call)?;
    if !vars.is_empty() {
        body.insert("set".into(), json!(*vars));
    }
    let unset = call.args.values("--unset");
    if !unset.is_empty() {
        body.insert("unset".into(), json!(unset));
    }
    if body.keys().all(|name| name == "allowLoaderVars") {
        return Err(Error::invalid("nothing to change; see: codepiper help env-set"));
    }
    send(call, "PUT", &path(&call.args.words[0]), body, "changed")
}

/// Asks for it; the values in the request go at once.
fn send(
    call: &Invocation<'_>,
    method: &str,
    target: &str,
    body: Map<String, Value>,
    done: &str,
) -> Result<i32> {
    let mut body = Value::Object(body);
    let answer = match method {
        "POST" => call.client.post(target, &body),
        _ => call.client.put(target, &body),
    };
    wipe(&mut body);
    let answer = answer?;
    let set = &answer["envSet"];
    let (name, id) = (text::clean(word(set, "name")), short(word(set, "id")));
    let count = match set["varCount"].as_u64() {
        Some(1) => "1 variable".to_string(),
        count => format!("{} variables", count.unwrap_or_default()),
    };
    call.out.told(&answer, &format!("{done} env set {name} ({id}): {count}"))
}

fn delete(call: &Invocation<'_>) -> Result<i32> {
    let answer = call.client.delete(&path(&call.args.words[0]))?;
    let mut line = format!("removed env set {}", text::clean(word(&answer, "name")));
    let sessions = items(&answer, "sessionIds");
    if !sessions.is_empty() {
        let ids = labels(sessions);
        line.push_str(&format!("; to start again, these need --env-set or --no-env-set: {ids}"));
    }
    call.out.told(&answer, &line)
}

/// What the options say of a set besides its variables.
fn fields(call: &Invocation<'_>) -> Map<String, Value> {
    let mut body = Map::new();
    for (option, name) in [("--name", "name"), ("--description", "description")] {
        if let Some(value) = call.args.value(option) {
            body.insert(name.into(), json!(value));
        }
    }
    if call.args.has("--allow-loader-vars") {
        body.insert("allowLoaderVars".into(), json!(true));
    }
    body
}

/// The variables of all options: files first, then what was named one by one.
fn variables(call: &Invocation<'_>) -> Result<Vars> {
    let mut vars = Vars::default();
    for file in call.args.values("--from-file") {
        let read = from_file(Path::new(file))?;
        vars.put_all(&read);
    }
    let named = call.args.values("--var");
    if call.args.has("--stdin") {
        if let Some(name) = named.iter().find(|name| !name.contains('=')) {
            let text =
                format!("--var {name} asks for a value where --stdin reads; use one of them");
            return Err(Error::invalid(text));
        }
        let read = std::io::read_to_string(std::io::stdin().lock()).map(Zeroizing::new);
        let read = read.code(Code::Invalid, || "cannot read standard input as text".into())?;
        let wrong = |error: Error| Error::invalid(format!("standard input: {error}"));
        let read = env_file::parse(&read).map_err(wrong)?;
        vars.put_all(&read);
    }
    let mut shown = Vec::new();
    for name in named {
        match name.split_once('=') {
            Some((name, value)) => {
                vars.put(name, value);
                // One without a name is refused, by an error that says so.
                shown.extend(Some(name).filter(|name| !name.is_empty()));
            }
            None => vars.put(name, prompt::secret(&format!("{}: ", text::clean(name)))?.expose()),
        }
    }
    if !shown.is_empty() {
        let names = text::clean(&shown.join(", "));
        eprintln!(
            "codepiper: warning: the value of {names} stood in the process list, where others on \
             this host could read it, and may be in your shell's history; --var NAME asks for it"
        );
    }
    Ok(vars)
}

fn from_file(path: &Path) -> Result<Vars> {
    let shown = path.display();
    let read = std::fs::read_to_string(path).map(Zeroizing::new);
    let read = read.code(Code::Invalid, || format!("cannot read {shown}"))?;
    let mode = path.metadata().map(|meta| meta.permissions().mode()).unwrap_or_default();
    if mode & 0o077 != 0 {
        eprintln!(
            "codepiper: warning: {shown} can be read by others (mode {:04o}); \
             run: chmod 600 {shown}",
            mode & 0o7777
        );
    }
    env_file::parse(&read).map_err(|error| Error::invalid(format!("{shown}: {error}")))
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
        let line = ["env-set", "create", "--name", "a b", "--var", "A=x=y", "--var", "B="];
        let body = json!({"name": "a b", "vars": {"A": "x=y", "B": ""}});
        check(&line, "POST /env-sets", body);
        let line = ["env-set", "update", "a/b", "--var", "A=1", "--unset", "B", "--unset", "C"];
        check(&line, "PUT /env-sets/a%2Fb", json!({"set": {"A": "1"}, "unset": ["B", "C"]}));
        let line = ["env-set", "update", "a", "--name", "b", "--description", ""];
        check(&line, "PUT /env-sets/a", json!({"name": "b", "description": ""}));
        check(&["env-set", "rm", "a"], "DELETE /env-sets/a", Value::Null);
        check(&["env-set", "get", "a"], "GET /env-sets/a", Value::Null);
        check(&["env-set", "ls"], "GET /env-sets", Value::Null);
    }

    #[test]
    fn a_line_that_names_nothing_or_asks_twice_sends_nothing() {
        let fake = Fake::api(|_, _| (200, "{}".into()));
        for line in [
            &["env-set", "create", "--var", "A=1"][..],
            &["env-set", "create", "--name", "a"],
            &["env-set", "update", "a", "--allow-loader-vars"],
            &["env-set", "create", "--name", "a", "--stdin", "--var", "A"],
            &["env-set", "create", "--name", "a", "--from-file", "/nonexistent"],
        ] {
            let call = invocation(&fake, line);
            assert!((call.args.verb.unwrap().run)(&call).is_err(), "{line:?}");
        }
        assert!(fake.lines().is_empty());
    }
}
