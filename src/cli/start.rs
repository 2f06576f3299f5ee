//! `start`: a program or agent in a session of its own.

use crate::base::error::{Context, Error, Result};
use crate::cli;
use crate::cli::Invocation;
use crate::cli::attach;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::{gate, short, tightened, until, word};
use crate::cli::freeze;
use crate::cli::input;
use crate::cli::sandbox;
use crate::cli::show_env;
use crate::cli::text;
use crate::limits;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "start",
    aliases: &[],
    group: Group::Sessions,
    usage: "-p PROVIDER [-d DIR] [OPTIONS] [-- ARGS...]",
    about: "Start a program or an agent in a session of its own",
    options: &[
        value(&["-p", "--provider"], "PROVIDER", "what to start; see: codepiper providers"),
        value(&["-d", "--dir"], "DIR", "where it works; default here"),
        value(&["-n", "--name"], "NAME", "a name for the session"),
        ENV,
        ENV_SET,
        BILLING,
        value(&["--prompt"], "TEXT", "typed once the agent is up; - reads standard input"),
        value(&["--resume-id"], "UUID", "go on with this conversation of the agent's"),
        switch(&["--fork"], "go on with a copy of it"),
        switch(&["--project-settings"], "let the repository's own settings in; see below"),
        SANDBOX,
        GRANT,
        switch(&["--remember"], "grant the same to all sessions of this directory"),
        value(&["--dangerous"], "[=D]", "allow what no rule denies, for 30m or so long"),
        freeze::YES,
        switch(&["--show-env"], "start nothing; list the variables that it would get"),
        switch(&["-a", "--attach"], "attach to it at once"),
    ],
    words: Words::AfterDashes,
    details: "What stands behind -- goes to the program: for the provider `command` it is the\n\
              program itself with its arguments, for an agent its own arguments.\n\
              A session gets the environment of a login shell, not yours: name what it\n\
              needs with --env, or keep it in an env set (codepiper help env-set): of\n\
              several sets later ones win, and --env wins over them. A value never stands\n\
              on the command line, where others can read it. When the program ends at\n\
              once, its own output is the error message and no session is left behind.\n\
              Billing: a subscription (the default) is kept from paying by token: no\n\
              ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, OPENAI_API_KEY or CODEX_API_KEY\n\
              reaches its agent, and giving it one is refused. With -b api it gets those\n\
              that the daemon was started with, and those that you name.\n\
              A repository's settings for Claude Code can hold hooks, MCP servers and\n\
              commands: code that runs unasked, and hooks that rewrite a tool call after it\n\
              was judged. They are left out unless --project-settings lets them in.\n\
              A session runs in a cage: it sees neither codepiper's own files nor other\n\
              sessions nor the sockets of your other programs. What --sandbox can be, and\n\
              what --grant can let in: codepiper help sandbox.\n\
              What --dangerous does: codepiper help dangerous.",
    examples: &[
        "codepiper start -p command -d /srv/app -- bash",
        "codepiper start -p claude-code -n build --attach",
        "codepiper start -p claude-code -b api --prompt fix-the-tests",
        "codepiper start -p command -e DEPLOY_TARGET -- make deploy",
        "codepiper start -p claude-code --env-set production",
        "codepiper start -p claude-code --env-set production --show-env",
        "codepiper start -p claude-code --sandbox workspace",
        "codepiper start -p command --grant ssh-agent --remember -- make deploy",
    ],
    run: start,
}];

/// A variable of the caller's, by its name.
pub const ENV: Opt =
    value(&["-e", "--env"], "NAME", "give it this variable of yours; may be repeated");
/// An env set.
pub const ENV_SET: Opt =
    value(&["--env-set"], "SET", "give it this env set, by id or name; may be repeated");
/// How close the cage is.
pub const SANDBOX: Opt =
    value(&["--sandbox"], "LEVEL", "auto, off, keys-only, guard, workspace or strict");
/// What it sees after all.
pub const GRANT: Opt =
    value(&["--grant"], "NAME", "let it see this: ssh-agent, docker, ... or a path");
/// Who pays.
pub const BILLING: Opt =
    value(&["-b", "--billing"], "WHO", "who pays the agent: subscription (default) or api");

fn start(call: &Invocation<'_>) -> Result<i32> {
    let prompt = match call.args.value("--prompt") {
        Some(_) if call.args.has("--attach") => {
            return Err(Error::invalid(
                "--prompt and --attach: type the prompt when you are there",
            ));
        }
        Some("-") => Some(input::piped_text(std::io::stdin().lock(), true)?),
        prompt => prompt.map(str::to_string),
    };
    let mut body = body(call, |name| std::env::var_os(name))?;
    sandbox::add_remembered(call, |name| std::env::var_os(name), &mut body)?;
    if call.args.has("--show-env") {
        return show_env::show(call, body);
    }
    if call.args.has("--dangerous") {
        freeze::confirm(call, call.args.value("--name").unwrap_or("dangerous"))?;
    }
    let answer = match launch(call, "/sessions", body)? {
        Ok(answer) => answer,
        Err(code) => return Ok(code),
    };
    let session = &answer["session"];
    let id = word(session, "id");
    if let Some(prompt) = prompt {
        let sent = json!({"text": prompt});
        input::typed(call, id, "/send", &sent, false).map_err(|error| {
            let message = format!("started {}, but {error}", short(id));
            Error { message, ..error }
        })?;
    }
    started(call, "started", &answer)
}

/// What became of a start: the answer, or the exit code of a failure that is told already.
pub type Launched = std::result::Result<Value, i32>;

/// Asks for a program to be started.
pub fn launch(
    call: &Invocation<'_>,
    target: &str,
    mut body: Map<String, Value>,
) -> Result<Launched> {
    if call.args.has("--attach") {
        attach::needs_terminal()?;
    }
    let size = crate::sys::tty::size(&std::io::stdin()).filter(|_| call.out.terminal);
    if let Some(size) = size.filter(|_| target == "/sessions") {
        body.insert("cols".into(), json!(size.cols.min(limits::COLS_MAX)));
        body.insert("rows".into(), json!(size.rows.min(limits::ROWS_MAX)));
    }
    // The login shell's probe, the proof of the gate and the keeper may all take their time.
    let wait = limits::gate::CLIENT_WAIT + limits::SHELL_PROBE + limits::PROVE_WAIT;
    let reply = call.client.request("POST", target, Some(&Value::Object(body)), wait)?;
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    if reply.status < 300 {
        return Ok(Ok(answer));
    }
    if call.out.json {
        // The API's own body, which has the program's output as well.
        call.out.body(&answer)?;
    } else if let Some(output) = answer["output"].as_str().filter(|o| !o.trim().is_empty()) {
        eprintln!("{}", text::clean_lines(output.trim_end()));
    }
    let error = reply.error();
    if !call.out.json {
        cli::report(&error, false);
    }
    Ok(Err(cli::exit_code(error.code)))
}

/// Says what runs now, or attaches to it.
pub fn started(call: &Invocation<'_>, how: &str, answer: &Value) -> Result<i32> {
    let session = &answer["session"];
    let id = word(session, "id");
    if session["metadata"]["launch"]["projectSettings"] == json!(true) {
        eprintln!(
            "codepiper: the repository's own settings are let in: its hooks and servers run \
             unasked, and a hook may rewrite a call that was judged"
        );
    }
    match tightened(session) {
        text if text.is_empty() => {}
        text => eprintln!("codepiper: {text}"),
    }
    match until(session) {
        text if text.is_empty() => {}
        text => eprintln!("codepiper: dangerous mode {text}"),
    }
    show_env::note_dropped(session);
    if word(session, "gateProof") == "unclear" {
        eprintln!("codepiper: gate {}", gate(session));
    }
    if call.args.has("--attach") {
        return attach::to(call, id);
    }
    if call.out.json {
        call.out.body(answer)?;
        return Ok(0);
    }
    let name = match word(session, "name") {
        "" => String::new(),
        name => format!(" {}", text::clean(name)),
    };
    let (provider, cwd) = (word(session, "provider"), word(session, "cwd"));
    call.out.line(&format!("{how}{name} {} ({provider}) in {}", short(id), text::clean(cwd)))?;
    call.out.line(&format!("next: codepiper attach {}", short(id)))?;
    Ok(0)
}

/// The request's body. `lookup` reads the caller's environment.
fn body(
    call: &Invocation<'_>,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Result<Map<String, Value>> {
    let Some(provider) = call.args.value("--provider") else {
        return Err(Error::invalid("say what to start with -p; see: codepiper providers"));
    };
    let dir = call.args.value("--dir").unwrap_or(".");
    if dir.is_empty() {
        return Err(Error::invalid("--dir is empty; name a directory, or leave it out for here"));
    }
    let cwd = std::path::absolute(dir).internal(|| "cannot read the working directory".into())?;
    let Some(cwd) = cwd.to_str() else {
        return Err(Error::invalid(format!("{} is not UTF-8; rename it", cwd.display())));
    };
    let mut body = Map::new();
    body.insert("provider".into(), json!(provider));
    body.insert("cwd".into(), json!(cwd));
    if !call.args.words.is_empty() {
        body.insert("args".into(), json!(call.args.words));
    }
    if let Some(name) = call.args.value("--name") {
        body.insert("name".into(), json!(name));
    }
    if call.args.has("--dangerous") {
        let wait = call.args.duration("--dangerous")?.unwrap_or(limits::DANGEROUS_FOR);
        body.insert("dangerousSeconds".into(), json!(wait.as_secs()));
    }
    if call.args.has("--project-settings") {
        body.insert("projectSettings".into(), json!(true));
    }
    shared(call, lookup, &mut body)?;
    match (call.args.value("--resume-id"), call.args.has("--fork")) {
        (Some(id), fork) => {
            let mode = if fork { "fork" } else { "resume" };
            let talk = json!({"providerSessionId": id, "mode": mode});
            body.insert("providerResume".into(), talk);
        }
        (None, true) => {
            let why = "--fork needs --resume-id; to fork a session: codepiper fork ID";
            return Err(Error::invalid(why));
        }
        (None, false) => {}
    }
    Ok(body)
}

/// Puts what every kind of start takes into `body`: variables, env sets and billing.
pub fn shared(
    call: &Invocation<'_>,
    lookup: impl Fn(&str) -> Option<OsString>,
    body: &mut Map<String, Value>,
) -> Result<()> {
    if let Some(billing) = call.args.value("--billing") {
        body.insert("billingMode".into(), json!(billing));
    }
    let sets = call.args.values("--env-set");
    if !sets.is_empty() {
        body.insert("envSetIds".into(), json!(sets));
    }
    let mut env = Map::new();
    for name in call.args.values("--env") {
        env.insert(name.to_string(), Value::String(variable(name, &lookup)?));
    }
    if let Some(level) = call.args.value("--sandbox") {
        body.insert("sandbox".into(), json!(level));
    }
    let granted: Vec<String> =
        call.args.values("--grant").into_iter().map(sandbox::granted).collect();
    if !granted.is_empty() {
        env.extend(sandbox::variables(&granted, &lookup));
        body.insert("grants".into(), json!(granted));
    }
    if call.args.has("--remember") {
        if granted.is_empty() {
            return Err(Error::invalid("--remember goes with --grant: say what to remember"));
        }
        body.insert("rememberGrants".into(), json!(true));
    }
    if !env.is_empty() {
        body.insert("env".into(), Value::Object(env));
    }
    Ok(())
}

fn variable(name: &str, lookup: impl Fn(&str) -> Option<OsString>) -> Result<String> {
    if name.contains('=') {
        let name = name.split('=').next().unwrap_or("");
        return Err(Error::invalid(format!(
            "--env takes only a name, so that no value shows in the process list; \
             run: export {name}=... and give --env {name}"
        )));
    }
    let missing = || Error::invalid(format!("--env {name}: no such variable is exported here"));
    let value = lookup(name).ok_or_else(missing)?;
    value.into_string().map_err(|_| {
        Error::invalid(format!("--env {name}: its value is not UTF-8, the API takes only that"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn check(line: &[&str]) -> Result<Map<String, Value>> {
        let fake = Fake::api(|_, _| (200, "{}".into()));
        let lookup = |name: &str| (name == "TOKEN").then(|| "s3cret".into());
        body(&invocation(&fake, line), lookup)
    }

    #[test]
    fn the_request_holds_what_was_typed_with_an_absolute_directory() {
        let line = ["start", "-p", "command", "-d", "sub", "-e", "TOKEN", "--", "ls", "--all"];
        let body = check(&line).unwrap();
        let cwd = std::env::current_dir().unwrap().join("sub");
        assert_eq!(body["cwd"], json!(cwd.to_str().unwrap()));
        assert_eq!(body["args"], json!(["ls", "--all"]));
        assert_eq!(body["env"], json!({"TOKEN": "s3cret"}));
        let plain = check(&["start", "-p", "claude-code"]).unwrap();
        assert!(!plain.contains_key("args") && !plain.contains_key("projectSettings"));
        let open = check(&["start", "-p", "claude-code", "--project-settings"]).unwrap();
        assert_eq!(open["projectSettings"], json!(true));
    }

    #[test]
    fn values_of_variables_never_stand_on_the_command_line_or_in_messages() {
        let error = check(&["start", "-p", "x", "-e", "TOKEN=s3cret"]).unwrap_err();
        assert!(error.message.contains("export TOKEN=...") && !error.message.contains("s3cret"));
        let error = check(&["start", "-p", "x", "-e", "NOPE"]).unwrap_err();
        assert!(error.message.contains("NOPE"), "{error}");
        assert!(check(&["start"]).unwrap_err().message.contains("-p"));
        assert!(check(&["start", "-p", "x", "-d", ""]).unwrap_err().message.contains("--dir"));
    }

    #[test]
    fn a_failed_start_ends_with_the_code_of_its_error() {
        let reply = r#"{"error":"it ended at once","code":"conflict","output":"no such file\n"}"#;
        let fake = Fake::api(move |line, _| match line {
            "GET /sandbox/grants" => (200, "{}".into()),
            _ => (422, reply.to_string()),
        });
        let call = invocation(&fake, &["start", "-p", "command", "--", "nope"]);
        assert_eq!(start(&call).unwrap(), 1);
        assert_eq!(fake.lines(), ["GET /sandbox/grants", "POST /sessions"]);
    }
}
