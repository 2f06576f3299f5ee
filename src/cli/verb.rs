//! Commands that have verbs: `policy list`, `policy show ID`. A verb has words, options and a
//! function of its own; what they share is the command's.

use crate::base::error::{Error, Result};
use crate::cli::Invocation;
use crate::cli::command::Command;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::near::nearest;

/// One verb of a command.
#[derive(Debug)]
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What follows the name in the usage line.
    pub usage: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// Its own options.
    pub options: &'static [Opt],
    /// From so many to so many words behind it.
    pub words: (usize, usize),
    /// Does it; returns the exit code.
    pub run: fn(&Invocation<'_>) -> Result<i32>,
}

/// The verbs of a command; most have none.
pub fn verbs(command: &Command) -> &'static [Verb] {
    match command.words {
        Words::Verbs(verbs) => verbs,
        _ => &[],
    }
}

/// The verb called `word`, or an error that names the nearest one.
pub fn find(command: &Command, word: &str) -> Result<&'static Verb> {
    let all = verbs(command);
    if let Some(verb) = all.iter().find(|v| v.name == word || v.aliases.contains(&word)) {
        return Ok(verb);
    }
    let hint = nearest(word, all.iter().map(|v| v.name));
    let hint = hint.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
    Err(Error::invalid(format!("unknown verb {word:?}{hint}; {}", usage(command))))
}

/// The verbs in one line, for who has named none.
pub fn usage(command: &Command) -> String {
    let names: Vec<&str> = verbs(command).iter().map(|verb| verb.name).collect();
    format!("usage: codepiper {0} {1} ...; see: codepiper help {0}", command.name, names.join("|"))
}

/// What a command with verbs does: its verb.
pub fn run(call: &Invocation<'_>) -> Result<i32> {
    match call.args.verb {
        Some(verb) => (verb.run)(call),
        None => Err(Error::internal("a command with verbs was run without one")),
    }
}
