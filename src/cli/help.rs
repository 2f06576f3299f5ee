//! Help, made from the table of commands, and the topics that belong to no command.

use crate::base::error::Result;
use crate::cli::Invocation;
use crate::cli::Outside;
use crate::cli::TABLES;
use crate::cli::command;
use crate::cli::command::Command;
use crate::cli::command::GLOBAL;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::verb;
use crate::cli::verb::Verb;

/// `help` and `version`.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "version",
        aliases: &[],
        group: Group::Help,
        usage: "",
        about: "Show the version of this program and of the running daemon",
        options: &[],
        words: Words::Count(0, 0),
        details: "After an upgrade both lines should say the same; if not, restart the daemon.",
        examples: &["codepiper version"],
        run: version,
    },
    Command {
        name: "help",
        aliases: &[],
        group: Group::Help,
        usage: "[COMMAND|api|exit-codes|environment]",
        about: "Explain a command or a topic",
        options: &[],
        words: Words::Count(0, 1),
        details: "Topics: api (the HTTP API that this program talks to), exit-codes, environment.",
        examples: &["codepiper help attach", "codepiper help exit-codes"],
        run: help,
    },
];

const EXIT_CODES: &str = "\
Exit codes of codepiper

  0    done
  1    it did not work; the message says why
  2    the command line or the request is wrong
  3    the daemon cannot be reached
  4    no such session, policy or set
  5    refused
  124  a deadline passed

attach ends with 0 when you detach and when the session's program ends, whatever
that program's own exit code was: `show --json` has it as exitCode.
";

const ENVIRONMENT: &str = "\
Environment of codepiper

  CODEPIPER_HOME     directory of everything it keeps; default ~/.codepiper
  CODEPIPER_SOCKET   the daemon's socket; --socket goes before it
  CODEPIPER_DETACH   keys that detach, see: codepiper help attach
  CODEPIPER_LOG      the daemon's log: error, warn, info (default) or debug
  NO_COLOR           no colours when set to anything

Set by codepiper inside a session:

  CODEPIPER_SESSION    the session's id
  CODEPIPER_UNIX_SOCK  the socket of its hooks
  CODEPIPER_SECRET     the secret that its hooks carry

How to use them from a script: codepiper help hook-forward
";

const GROUPS: &[(Group, &str)] = &[
    (Group::Sessions, "Sessions"),
    (Group::Terminal, "Inside a session"),
    (Group::Approvals, "Approvals and notices"),
    (Group::Policies, "Policies"),
    (Group::Daemon, "Daemon and machine"),
    (Group::Help, "Help"),
];

fn all() -> impl Iterator<Item = &'static Command> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// Help on one command, or the overview.
pub fn text(command: Option<&Command>, outside: &Outside<'_>) -> String {
    match command {
        Some(command) => of_command(command),
        None => overview(outside),
    }
}

fn overview(outside: &Outside<'_>) -> String {
    let version = outside.version;
    let mut text = format!(
        "codepiper {version}: AI coding sessions that outlive everything\n\n\
         Usage: codepiper COMMAND [OPTIONS] ...\n"
    );
    for (group, heading) in GROUPS {
        text.push_str(&format!("\n{heading}\n"));
        for command in all().filter(|c| c.group == *group) {
            text.push_str(&format!("  {:<13} {}\n", command.name, command.about));
        }
    }
    text.push_str("\nOptions of every command\n");
    push_options(&mut text, GLOBAL);
    text.push_str(
        "\nA session is named by its id, by the start of its id, or by its name.\n\
         More on one command: codepiper help COMMAND\n\
         A first session:     codepiper start -p command -- bash\n",
    );
    text
}

fn of_command(command: &Command) -> String {
    let Command { name, about, usage, details, .. } = command;
    let usage = format!("codepiper {name} {usage}");
    let mut text = format!("{about}\n\nUsage: {}\n", usage.trim_end());
    if !command.aliases.is_empty() {
        text.push_str(&format!("Also: codepiper {}\n", command.aliases.join(", ")));
    }
    push_verbs(&mut text, verb::verbs(command));
    let mut options: Vec<&Opt> = command.options.iter().collect();
    for option in verb::verbs(command).iter().flat_map(|verb| verb.options) {
        if !options.iter().any(|known| known.name() == option.name()) {
            options.push(option);
        }
    }
    if !options.is_empty() {
        text.push_str("\nOptions\n");
        push_options(&mut text, options);
    }
    if !details.is_empty() {
        text.push_str(&format!("\n{details}\n"));
    }
    text.push_str("\nExamples\n");
    command.examples.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    text.push_str("\nOptions of every command: see codepiper help\n");
    text
}

fn push_verbs(text: &mut String, verbs: &[Verb]) {
    for verb in verbs {
        let names = [&[verb.name], verb.aliases].concat().join("|");
        let usage = format!("{names} {}", verb.usage);
        text.push_str(&format!("\n  {}\n      {}\n", usage.trim_end(), verb.about));
    }
}

fn push_options<'a>(text: &mut String, options: impl IntoIterator<Item = &'a Opt>) {
    for option in options {
        let names = option.names.join(", ");
        let names = match option.value {
            Some(value) if value.starts_with('[') => format!("{names}{value}"),
            Some(value) => format!("{names} {value}"),
            None => names,
        };
        text.push_str(&format!("  {names:<24} {}\n", option.about));
    }
}

fn help(call: &Invocation<'_>) -> Result<i32> {
    let text = match call.args.words.first().map(String::as_str) {
        None => overview(call.outside),
        Some("api") => format!("{}\n", call.outside.api_table.trim_end()),
        Some("exit-codes") => EXIT_CODES.to_string(),
        Some("environment") => ENVIRONMENT.to_string(),
        Some(word) => of_command(command::find(TABLES, word)?),
    };
    call.out.bytes(text.as_bytes())?;
    Ok(0)
}

/// `codepiper 0.1.0 (build)`.
pub fn version_line(outside: &Outside<'_>) -> String {
    format!("codepiper {} ({})", outside.version, outside.build)
}

fn version(call: &Invocation<'_>) -> Result<i32> {
    let daemon = call.client.get("/version");
    if call.out.json {
        let own = serde_json::json!({
            "version": call.outside.version,
            "build": call.outside.build,
            "daemon": daemon.unwrap_or(serde_json::Value::Null),
        });
        call.out.body(&own)?;
        return Ok(0);
    }
    call.out.line(&version_line(call.outside))?;
    let line = match daemon {
        Ok(d) => {
            let word = |name: &str| d[name].as_str().unwrap_or("?").to_string();
            crate::cli::text::clean(&format!("daemon {} ({})", word("version"), word("build")))
        }
        Err(_) => "daemon not running".to_string(),
    };
    call.out.line(&line)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const OUTSIDE: Outside<'static> = Outside {
        api_table: "",
        serve: |_| 0,
        hook_forward: || 0,
        keeper: || 0,
        verify: |_, _| Ok(Default::default()),
        build: "abc",
        version: "0.1.0",
    };

    #[test]
    fn no_name_stands_twice() {
        let mut names = HashSet::new();
        for command in all() {
            assert!(names.insert(command.name), "command {}", command.name);
            command.aliases.iter().for_each(|a| assert!(names.insert(a), "alias {a}"));
            let mut options = HashSet::new();
            for name in command.options.iter().chain(GLOBAL).flat_map(|o| o.names) {
                assert!(options.insert(name), "{} has {name} twice", command.name);
                assert!(name.starts_with('-'), "{name}");
            }
            let mut names = HashSet::new();
            for verb in verb::verbs(command) {
                assert!(command.options.is_empty(), "{}: options are the verbs'", command.name);
                let all = [&[verb.name], verb.aliases].concat();
                all.into_iter().for_each(|n| assert!(names.insert(n), "verb {n}"));
            }
        }
    }

    #[test]
    fn every_option_has_a_long_name_and_every_command_an_example_that_parses() {
        for command in all() {
            let of_verbs = verb::verbs(command).iter().flat_map(|verb| verb.options);
            for option in command.options.iter().chain(of_verbs) {
                assert!(option.name().starts_with("--"), "{}", option.name());
                let long = option.names.iter().filter(|n| n.starts_with("--")).count();
                assert_eq!(long, 1, "{}", option.name());
            }
            assert!(!command.examples.is_empty(), "{}", command.name);
            for example in command.examples {
                let line = example.split(" | ").find(|l| l.starts_with("codepiper ")).unwrap();
                let line = line.split(" > ").next().unwrap();
                let words = line.split_whitespace().skip(1).map(|w| w.trim_matches('\'').into());
                let parsed = command::parse(TABLES, words.collect());
                let Ok(command::Parsed::Run(parsed, _)) = parsed else {
                    panic!("{example} does not parse: {:?}", parsed.err())
                };
                assert_eq!(parsed.name, command.name, "{example}");
            }
        }
    }

    #[test]
    fn help_fits_80_columns_and_names_every_command() {
        let overview = overview(&OUTSIDE);
        let pages = all().map(of_command).chain([
            overview.clone(),
            EXIT_CODES.to_string(),
            ENVIRONMENT.to_string(),
        ]);
        for page in pages {
            for line in page.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
        for command in all() {
            let shown = overview.contains(&format!("\n  {} ", command.name));
            assert_eq!(shown, command.group != Group::Hidden, "{}", command.name);
        }
    }
}
