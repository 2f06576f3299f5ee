//! `sandbox`: what cages hold on this host, and what projects are granted.

use crate::base::error::{Context, Result};
use crate::cage::grants;
use crate::cli::Invocation;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::value;
use crate::cli::describe::word;
use crate::cli::out::cell;
use crate::cli::sandbox_check;
use crate::cli::verb;
use crate::cli::verb::Verb;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "sandbox",
    aliases: &[],
    group: Group::Sessions,
    usage: "check | grants | revoke NAME",
    about: "What cages hold and let in",
    options: &[],
    words: Words::Verbs(&[
        Verb {
            name: "check",
            aliases: &[],
            usage: "[LEVEL] [-d DIR]",
            about: "Try on this host what a cage holds, from inside one",
            options: &[value(&["-d", "--dir"], "DIR", "the project; default one of its own")],
            words: (0, 1),
            run: sandbox_check::check,
        },
        Verb {
            name: "grants",
            aliases: &[],
            usage: "",
            about: "List what can be granted, and what projects are granted for good",
            options: &[],
            words: (0, 0),
            run: list,
        },
        Verb {
            name: "revoke",
            aliases: &["rm"],
            usage: "NAME [-d DIR]",
            about: "Take back what --remember granted to a project",
            options: &[value(&["-d", "--dir"], "DIR", "the project; default here")],
            words: (1, 1),
            run: revoke,
        },
    ]),
    details: "Every session runs in a cage, at the level of the setting `sandbox` or of\n\
              start --sandbox:\n\
              \x20 auto       guard, or the best that this host has (default)\n\
              \x20 guard      codepiper's own files, other sessions, and the sockets of your\n\
              \x20            other programs (docker, ssh-agent, bus, tmux) are out of reach\n\
              \x20 workspace  and it writes only to its directory, temporary files and the\n\
              \x20            agent's own state\n\
              \x20 strict     and it reads only what is listed, and connects only to TCP\n\
              \x20            ports that are listed\n\
              \x20 keys-only  for hosts without user namespaces: codepiper's files alone\n\
              \x20 off        no cage; it can answer its own questions\n\
              A level that is named is had, or the session does not start. What it holds is\n\
              tried from inside before the program runs, and shown by codepiper show.\n\
              Inside, sudo does not work, files of other users show as nobody's, and what\n\
              the program leaves running ends with the session.",
    examples: &[
        "codepiper sandbox check workspace",
        "codepiper sandbox grants",
        "codepiper sandbox revoke ssh-agent -d ~/project",
    ],
    run: verb::run,
}];

fn list(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get("/sandbox/grants")?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let rows = |name: &str, columns: [&str; 2]| {
        let all = body[name].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        all.map(|grant: &Value| columns.map(|column| cell(word(grant, column))).into())
            .collect::<Vec<_>>()
    };
    call.out.table(&["GRANT", "WHAT IT GIVES AWAY"], &rows("grants", ["name", "gives"]), 1)?;
    let projects = rows("projectGrants", ["name", "project"]);
    call.out.line("")?;
    match projects.is_empty() {
        true => call.out.line("no project is granted anything for good"),
        false => call.out.table(&["GRANTED", "PROJECT"], &projects, 1),
    }?;
    Ok(0)
}

fn revoke(call: &Invocation<'_>) -> Result<i32> {
    let dir = call.args.value("--dir").unwrap_or(".");
    let project = std::fs::canonicalize(dir).internal(|| format!("cannot find {dir}"))?;
    let (name, project) = (&call.args.words[0], project.to_string_lossy().into_owned());
    let asked = json!({"project": project, "name": name});
    let answer = call.client.post("/sandbox/revoke", &asked)?;
    match call.out.json {
        true => call.out.body(&answer)?,
        false => call.out.line(&format!("{project} is no longer granted {name}"))?,
    }
    Ok(0)
}

/// The names of what sessions in this directory are granted for good.
fn remembered(call: &Invocation<'_>, dir: &Path) -> Result<Vec<String>> {
    let body = call.client.get("/sandbox/grants")?;
    let Ok(project) = dir.canonicalize() else { return Ok(Vec::new()) };
    let all = body["projectGrants"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let ours = all.filter(|grant| Path::new(word(grant, "project")) == project);
    Ok(ours.map(|grant| word(grant, "name").to_string()).collect())
}

/// Adds the variables that go with what the project is granted for good.
pub fn add_remembered(
    call: &Invocation<'_>,
    lookup: impl Fn(&str) -> Option<OsString>,
    body: &mut Map<String, Value>,
) -> Result<()> {
    let dir = body.get("cwd").and_then(Value::as_str).unwrap_or_default();
    let names = remembered(call, Path::new(dir))?;
    for (name, value) in variables(&names, lookup) {
        let env = body.entry("env").or_insert_with(|| json!({}));
        if env[&name].is_null() {
            env[name] = value;
        }
    }
    Ok(())
}

/// A grant's name as it is, a path from here made one from the root.
pub fn granted(word: &str) -> String {
    let is_path = word.contains('/');
    let absolute = std::path::absolute(word).ok().filter(|_| is_path);
    absolute.map_or_else(|| word.to_string(), |path| path.to_string_lossy().into_owned())
}

/// What the variables of granted things are here: their values are no secrets.
pub fn variables(
    names: &[String],
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Vec<(String, Value)> {
    let known = grants::all();
    let named = known.iter().filter(|grant| names.iter().any(|name| name == grant.name));
    let value = |name: &&'static str| {
        let value = lookup(name)?.into_string().ok()?;
        Some((name.to_string(), Value::String(value)))
    };
    named.flat_map(|grant| &grant.variables).filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    #[test]
    fn a_projects_grant_is_taken_back_by_name_and_directory() {
        let fake = Fake::api(|_, body| {
            assert!(body.contains(r#""project":"/usr""#) && body.contains("docker"), "{body}");
            (200, r#"{"success":true}"#.into())
        });
        let line = ["sandbox", "revoke", "docker", "-d", "/usr/bin/.."];
        assert_eq!(verb::run(&invocation(&fake, &line)).unwrap(), 0);
        assert_eq!(fake.lines(), ["POST /sandbox/revoke"]);
    }

    #[test]
    fn variables_of_what_the_project_is_granted_for_good_go_along_and_no_others() {
        let fake = Fake::api(|_, _| {
            let grant = |project: &str, name: &str| json!({"project": project, "name": name});
            let all = [grant("/usr", "ssh-agent"), grant("/usr", "/etc"), grant("/etc", "tmux")];
            (200, json!({"projectGrants": all}).to_string())
        });
        let call = invocation(&fake, &["start", "-p", "command"]);
        let lookup = |name: &str| Some(format!("{name} here").into());
        let mut asked = Map::from_iter([("cwd".to_string(), json!("/usr/bin/.."))]);
        add_remembered(&call, lookup, &mut asked).unwrap();
        assert_eq!(asked["env"], json!({"SSH_AUTH_SOCK": "SSH_AUTH_SOCK here"}));
    }
}
