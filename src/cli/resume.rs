//! Commands that start an agent again: `resume`, `fork`, and `model` where it changes one.

use crate::base::error::{Error, Result};
use crate::cli;
use crate::cli::Invocation;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::{label, short, word};
use crate::cli::sandbox;
use crate::cli::show_env;
use crate::cli::start;
use crate::cli::text;
use crate::limits;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The commands of this file.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "resume",
        aliases: &[],
        group: Group::Sessions,
        usage: "ID... [-e NAME] [--env-set SET] [-b WHO] [-- ARGS...]",
        about: "Start ended sessions again, under the same id",
        options: &[
            start::ENV,
            start::ENV_SET,
            switch(&["--no-env-set"], "give it no env set any more"),
            start::BILLING,
        ],
        words: Words::Program(1, usize::MAX),
        details: "The output goes on where it ended; agents continue their conversation.\n\
                  Arguments, env sets and billing stay as they were unless they are given anew;\n\
                  values that came by --env are never kept, so give those again.",
        examples: &[
            "codepiper resume 3f2a91c0",
            "codepiper resume build --env GITHUB_TOKEN",
            "codepiper resume build -b api -- --model opus",
        ],
        run: resume,
    },
    Command {
        name: "fork",
        aliases: &[],
        group: Group::Sessions,
        usage: "ID [-n NAME] [-e NAME] [--env-set SET] [-a] [-- ARGS...]",
        about: "Start a new session with a copy of an agent's conversation",
        options: &[
            value(&["-n", "--name"], "NAME", "a name for the new session"),
            start::ENV,
            start::ENV_SET,
            start::BILLING,
            switch(&["-a", "--attach"], "attach to it at once"),
        ],
        words: Words::Program(1, 1),
        details: "The session itself stays as it is, running or ended. Directory, arguments, env\n\
                  sets and billing are the same unless given; variables by --env are not.",
        examples: &["codepiper fork build -n build-2", "codepiper fork 3f2a91c0 --attach"],
        run: fork,
    },
    Command {
        name: "model",
        aliases: &[],
        group: Group::Terminal,
        usage: "ID [MODEL]",
        about: "Show an agent's model, or change it",
        options: &[],
        words: Words::Count(1, 2),
        details: "Changing it starts the agent again, with its conversation and --model; it must\n\
                  be idle. That is on purpose: Claude Code's own /model also makes the model\n\
                  the default of all your sessions, and may ask in a dialog that nobody sees.\n\
                  Other agents' models are changed in their own terminals.",
        examples: &["codepiper model build", "codepiper model build opus"],
        run: model,
    },
];

/// The same for every id; each failure is told, the first decides the exit code.
fn resume(call: &Invocation<'_>) -> Result<i32> {
    let mut body = Map::new();
    start::shared(call, |name| std::env::var_os(name), &mut body)?;
    if call.args.dashes {
        body.insert("args".into(), json!(call.args.rest));
    }
    if call.args.has("--no-env-set") {
        if body.contains_key("envSetIds") {
            return Err(Error::invalid("--env-set and --no-env-set: choose one"));
        }
        body.insert("envSetIds".into(), json!([]));
    }
    let mut code = 0;
    for id in &call.args.words {
        match resume_one(call, id, &body) {
            Ok(own) => code = if code == 0 { own } else { code },
            Err(error) => {
                cli::report(&error, call.out.json);
                code = if code == 0 { cli::exit_code(error.code) } else { code };
            }
        }
    }
    Ok(code)
}

fn resume_one(call: &Invocation<'_>, id: &str, body: &Map<String, Value>) -> Result<i32> {
    let before = call.client.get(&session_path(id, ""))?;
    let answer = match start::launch(call, &session_path(id, "/resume"), body.clone())? {
        Ok(answer) => answer,
        Err(code) => return Ok(code),
    };
    note_lost(&before["session"], body);
    show_env::note_dropped(&answer["session"]);
    if call.out.json {
        call.out.body(&answer)?;
        return Ok(0);
    }
    let session = &answer["session"];
    let id = short(word(session, "id"));
    call.out.line(&format!("{} runs again; codepiper attach {id}", label(session)))?;
    Ok(0)
}

/// Says which variables a session had that it does not have now.
fn note_lost(before: &Value, body: &Map<String, Value>) {
    for name in lost(before, body) {
        let (name, id) = (text::clean(name), short(word(before, "id")));
        eprintln!(
            "codepiper: note: it had {name} by --env, and has it no more; \
             to give it again: codepiper stop {id}; codepiper resume {id} --env {name}"
        );
    }
}

fn lost<'a>(before: &'a Value, body: &Map<String, Value>) -> Vec<&'a str> {
    let had = before["metadata"]["launch"]["envNames"].as_array();
    let had = had.into_iter().flatten().filter_map(Value::as_str);
    had.filter(|name| body.get("env").is_none_or(|env| env[*name].is_null())).collect()
}

fn fork(call: &Invocation<'_>) -> Result<i32> {
    let found = call.client.get(&session_path(&call.args.words[0], ""))?;
    let before = &found["session"];
    let launch = &before["metadata"]["launch"];
    let Some(talk) = before["metadata"]["providerSession"]["id"].as_str() else {
        let label = label(before);
        return Err(Error::invalid(format!("{label} has no conversation of an agent to fork")));
    };
    let mut body = Map::new();
    for (name, value) in [
        ("provider", before["provider"].clone()),
        ("cwd", before["cwd"].clone()),
        ("args", if call.args.dashes { json!(call.args.rest) } else { launch["args"].clone() }),
        ("billingMode", launch["billingMode"].clone()),
        ("envSetIds", launch["envSetIds"].clone()),
        ("providerResume", json!({"providerSessionId": talk, "mode": "fork"})),
    ] {
        body.insert(name.into(), value);
    }
    if let Some(name) = call.args.value("--name") {
        body.insert("name".into(), json!(name));
    }
    start::shared(call, |name| std::env::var_os(name), &mut body)?;
    sandbox::add_remembered(call, |name| std::env::var_os(name), &mut body)?;
    match start::launch(call, "/sessions", body)? {
        Ok(answer) => start::started(call, "forked", &answer),
        Err(code) => Ok(code),
    }
}

fn model(call: &Invocation<'_>) -> Result<i32> {
    let target = session_path(&call.args.words[0], "/model");
    let Some(model) = call.args.words.get(1) else {
        let answer = call.client.get(&target)?;
        match call.out.json {
            true => call.out.body(&answer)?,
            false => call.out.line(&text::clean(answer["model"].as_str().unwrap_or("unknown")))?,
        }
        return Ok(0);
    };
    let wait = limits::gate::CLIENT_WAIT + limits::STOP_GRACE + limits::KILL_GRACE;
    let answer = call.client.json("PUT", &target, Some(&json!({"model": model})), wait)?;
    if call.out.json {
        call.out.body(&answer)?;
        return Ok(0);
    }
    let (label, model) = (label(&answer["session"]), text::clean(model));
    call.out.line(&format!("{label} runs again, with {model} and its conversation"))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    const BEFORE: &str = r#"{"session":{"id":"abc","provider":"claude-code","cwd":"/p","metadata":
        {"providerSession":{"id":"f247"},"launch":{"args":["-x"],"billingMode":"api","envNames":
        ["TOKEN"],"envSetIds":["set-1"]}}}}"#;

    /// The body of the one request that changes something.
    fn body(line: &[&str]) -> (String, Value) {
        let fake = Fake::api(|_, _| (200, BEFORE.into()));
        let call = invocation(&fake, line);
        let run = COMMANDS.iter().find(|c| c.name == line[0]).unwrap().run;
        assert_eq!(run(&call).unwrap(), 0, "{line:?}");
        let request = fake.request();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let first = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_string();
        (first, serde_json::from_str(body).unwrap())
    }

    #[test]
    fn a_fork_takes_over_what_the_session_was_started_with() {
        let talk = json!({"providerSessionId": "f247", "mode": "fork"});
        let same = json!({"provider": "claude-code", "cwd": "/p", "args": ["-x"],
            "billingMode": "api", "envSetIds": ["set-1"], "providerResume": talk});
        assert_eq!(body(&["fork", "id"]), ("POST /sessions".into(), same.clone()));
        let mut other = same;
        other["args"] = json!(["--model", "opus"]);
        other["billingMode"] = json!("subscription");
        other["name"] = json!("two");
        let line = ["fork", "id", "-n", "two", "-b", "subscription", "--", "--model", "opus"];
        assert_eq!(body(&line).1, other);
    }

    #[test]
    fn a_resume_changes_what_was_named_and_nothing_else() {
        assert_eq!(body(&["resume", "id"]), ("POST /sessions/id/resume".into(), json!({})));
        let line = ["resume", "id", "-b", "api", "--", "--model", "opus"];
        assert_eq!(body(&line).1, json!({"billingMode": "api", "args": ["--model", "opus"]}));
        assert_eq!(body(&["resume", "id", "--"]).1, json!({"args": []}));
        let line = ["resume", "id", "--env-set", "a", "--env-set", "b"];
        assert_eq!(body(&line).1, json!({"envSetIds": ["a", "b"]}));
        assert_eq!(body(&["resume", "id", "--no-env-set"]).1, json!({"envSetIds": []}));
    }

    #[test]
    fn variables_that_were_not_given_again_are_named() {
        let before: Value = serde_json::from_str(BEFORE).unwrap();
        let given = json!({"env": {"TOKEN": "x"}});
        assert_eq!(lost(&before["session"], &Map::new()), ["TOKEN"]);
        assert!(lost(&before["session"], given.as_object().unwrap()).is_empty());
    }

    #[test]
    fn a_model_is_asked_for_or_set() {
        let answer = body(&["model", "id", "opus"]);
        assert_eq!(answer, ("PUT /sessions/id/model".into(), json!({"model": "opus"})));
        let fake = Fake::api(|_, _| (200, r#"{"model":"opus"}"#.into()));
        assert_eq!(model(&invocation(&fake, &["model", "id"])).unwrap(), 0);
        assert_eq!(fake.lines(), ["GET /sessions/id/model"]);
    }
}
