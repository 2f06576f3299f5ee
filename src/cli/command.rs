//! The command line as data: what a command is, and the parser that reads words by that table.
//! Parsing touches nothing outside; it only says what the user typed.

use crate::base::error::{Error, Result};
use crate::cli::Invocation;
use crate::cli::near::nearest;
use crate::cli::verb;
use crate::cli::verb::Verb;
use lexopt::Arg;
use std::ffi::OsString;

/// One option of a command.
#[derive(Debug)]
pub struct Opt {
    /// Its names with their dashes; the last is the one used in code and in messages.
    pub names: &'static [&'static str],
    /// What its value is called in help; `None` for a switch. In brackets, `[=D]`, it may be left
    /// out.
    pub value: Option<&'static str>,
    /// One line of help.
    pub about: &'static str,
}

/// Which words a command takes besides its options.
#[derive(Clone, Copy)]
pub enum Words {
    /// From so many to so many words. Words behind `--` count as well.
    Count(usize, usize),
    /// No words before `--`; everything behind it belongs to the program that is started.
    AfterDashes,
    /// From so many to so many words, and behind `--` arguments for the program in the session.
    Program(usize, usize),
    /// One id, and everything behind it is text, dashes or not.
    Text,
    /// One of these, and what it takes; the command itself has no options then.
    Verbs(&'static [Verb]),
}

/// The heading that a command stands under in `codepiper help`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Starting, listing and ending sessions.
    Sessions,
    /// Looking into a session and typing into it.
    Terminal,
    /// What agents ask their person, and how the person hears of it.
    Approvals,
    /// Which tool calls may run.
    Policies,
    /// The daemon and this machine.
    Daemon,
    /// Help itself.
    Help,
    /// Run by codepiper, not by people.
    Hidden,
}

/// One command: feeds parsing, help and suggestions.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Where help lists it.
    pub group: Group,
    /// What follows the name in the usage line.
    pub usage: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// Its own options, besides [`GLOBAL`].
    pub options: &'static [Opt],
    /// The words it takes.
    pub words: Words,
    /// What else a user must know.
    pub details: &'static str,
    /// Lines to copy.
    pub examples: &'static [&'static str],
    /// Does it; returns the exit code.
    pub run: fn(&Invocation<'_>) -> Result<i32>,
}

/// A switch.
pub const fn switch(names: &'static [&'static str], about: &'static str) -> Opt {
    Opt { names, value: None, about }
}

/// An option with a value.
pub const fn value(
    names: &'static [&'static str],
    value: &'static str,
    about: &'static str,
) -> Opt {
    Opt { names, value: Some(value), about }
}

impl Opt {
    /// The name used in code and in messages.
    pub fn name(&self) -> &'static str {
        self.names.last().expect("every option has a name; a test says so")
    }
}

/// Options of every command.
pub const GLOBAL: &[Opt] = &[
    value(&["--socket"], "PATH", "its socket; else CODEPIPER_SOCKET, else at home"),
    switch(&["--json"], "print the API's own answer"),
    switch(&["--no-color"], "no colours; NO_COLOR does the same"),
    switch(&["-h", "--help"], "this help"),
    switch(&["-V", "--version"], "the version"),
];

/// The options and words that one command was given.
#[derive(Debug, Default)]
pub struct Args {
    /// Words that are no options.
    pub words: Vec<String>,
    /// Whether `--` stood among them.
    pub dashes: bool,
    /// The verb, of a command that has some; it is not among the words.
    pub verb: Option<&'static Verb>,
    /// Words behind `--`, for a command that keeps them apart.
    pub rest: Vec<String>,
    options: Vec<(&'static str, Option<String>)>,
}

impl Args {
    /// Whether the option was given; `name` is the last of its names.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(n, _)| *n == name)
    }

    /// The option's last value.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).last().copied()
    }

    /// All values of an option that may be repeated.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let given = self.options.iter().filter(|(n, _)| *n == name);
        given.filter_map(|(_, value)| value.as_deref()).collect()
    }

    /// The option's value as a number of type `T`.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.value(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::invalid(format!("{name} takes a number, not {text:?}"))),
        }
    }

    /// The option's value as a duration (`90`, `45s`, `30m`, `12h`, `7d`).
    pub fn duration(&self, name: &str) -> Result<Option<std::time::Duration>> {
        let Some(text) = self.value(name) else { return Ok(None) };
        match crate::base::time::parse_duration(text) {
            Some(duration) => Ok(Some(duration)),
            None => Err(Error::invalid(format!(
                "{name} takes a duration like 90, 45s, 30m, 12h or 7d, not {text:?}"
            ))),
        }
    }
}

/// What the user typed.
pub enum Parsed {
    /// A command to run.
    Run(&'static Command, Args),
    /// Help on one command, or on all.
    Help(Option<&'static Command>),
    /// The version.
    Version,
}

/// Reads the words behind the program's name. Errors are [`crate::base::error::Code::Invalid`] and
/// name the command's help.
pub fn parse(tables: &[&'static [Command]], words: Vec<OsString>) -> Result<Parsed> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut args = Args::default();
    let mut command: Option<&'static Command> = None;
    loop {
        match command.map_or(Ok(Taken::Nothing), |c| take_raw(&mut parser, &mut args, c))? {
            Taken::Nothing => {}
            Taken::Word => continue,
            Taken::Rest => break,
        }
        let arg = parser.next().map_err(|e| usage_error(&e.to_string(), command))?;
        let option = match arg {
            None => break,
            Some(Arg::Value(word)) => {
                let word = utf8(word)?;
                let Some(command) = command else {
                    command = Some(find(tables, &word)?);
                    continue;
                };
                if matches!(command.words, Words::Verbs(_)) && args.verb.is_none() {
                    args.verb = Some(verb::find(command, &word)?);
                    continue;
                }
                args.words.push(word);
                if matches!(command.words, Words::Text) {
                    let mut raw =
                        parser.try_raw_args().expect("a whole word was read, nothing is pending");
                    // One `--` between id and text is the user being careful.
                    args.dashes = raw.next_if(|w| w == "--").is_some();
                    take_rest(&mut args, raw)?;
                    break;
                }
                continue;
            }
            Some(Arg::Short(c)) => format!("-{c}"),
            Some(Arg::Long(name)) => format!("--{name}"),
        };
        let own = args.verb.map_or(command.map_or(&[][..], |c| c.options), |v| v.options);
        let Some(opt) = own.iter().chain(GLOBAL).find(|o| o.names.contains(&&*option)) else {
            return Err(unknown_option(&option, own, command));
        };
        let value = match opt.value {
            None => None,
            Some(name) if name.starts_with('[') => parser.optional_value().map(utf8).transpose()?,
            Some(_) => {
                let value = parser.value().map_err(|e| usage_error(&e.to_string(), command))?;
                Some(utf8(value)?)
            }
        };
        match opt.name() {
            "--help" => return Ok(Parsed::Help(command)),
            "--version" => return Ok(Parsed::Version),
            name => args.options.push((name, value)),
        }
    }
    let Some(command) = command else { return Ok(Parsed::Help(None)) };
    check_words(command, &args)?;
    Ok(Parsed::Run(command, args))
}

/// What [`take_raw`] took.
enum Taken {
    Nothing,
    Word,
    Rest,
}

/// Takes what must not be read as an option: everything behind `--`, and a negative number.
fn take_raw(
    parser: &mut lexopt::Parser,
    args: &mut Args,
    command: &'static Command,
) -> Result<Taken> {
    let Some(mut raw) = parser.try_raw_args() else { return Ok(Taken::Nothing) };
    match raw.peek().and_then(|w| w.to_str()) {
        Some("--") => {
            let before = args.words.len();
            raw.next();
            args.dashes = true;
            take_rest(args, raw)?;
            if matches!(command.words, Words::Program(..)) {
                args.rest = args.words.split_off(before);
            }
            Ok(Taken::Rest)
        }
        // `-1` is a number that somebody got wrong, not a bundle of switches.
        Some(word) if is_negative(word) => {
            args.words.push(word.to_string());
            raw.next();
            Ok(Taken::Word)
        }
        _ => Ok(Taken::Nothing),
    }
}

fn take_rest(args: &mut Args, raw: lexopt::RawArgs<'_>) -> Result<()> {
    for word in raw {
        args.words.push(utf8(word)?);
    }
    Ok(())
}

fn is_negative(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or("");
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn utf8(word: OsString) -> Result<String> {
    word.into_string()
        .map_err(|word| Error::invalid(format!("{word:?} is not UTF-8, codepiper takes only that")))
}

fn check_words(command: &Command, args: &Args) -> Result<()> {
    let mut usage = format!("usage: codepiper {} {}", command.name, command.usage);
    let (least, most) = match command.words {
        Words::Count(least, most) | Words::Program(least, most) => (least, most),
        Words::Verbs(_) => {
            let Some(verb) = args.verb else {
                return Err(Error::invalid(format!(
                    "something is missing; {}",
                    verb::usage(command)
                )));
            };
            usage = format!("usage: codepiper {} {} {}", command.name, verb.name, verb.usage);
            verb.words
        }
        Words::AfterDashes if args.dashes || args.words.is_empty() => return Ok(()),
        Words::AfterDashes => {
            let first = &args.words[0];
            return Err(Error::invalid(format!(
                "unexpected word {first:?}; the program to start stands behind --; {usage}"
            )));
        }
        Words::Text => (2, usize::MAX),
    };
    if args.words.len() < least {
        return Err(Error::invalid(format!("something is missing; {usage}")));
    }
    match args.words.get(most) {
        Some(word) => Err(Error::invalid(format!("unexpected word {word:?}; {usage}"))),
        None => Ok(()),
    }
}

/// The command called `word`, or an error that names the nearest one.
pub fn find(tables: &[&'static [Command]], word: &str) -> Result<&'static Command> {
    let all = || tables.iter().flat_map(|table| table.iter());
    if let Some(command) = all().find(|c| c.name == word || c.aliases.contains(&word)) {
        return Ok(command);
    }
    let names = all().filter(|c| c.group != Group::Hidden).map(|c| c.name);
    let hint = nearest(word, names).map(|n| format!("did you mean {n}? ")).unwrap_or_default();
    Err(Error::invalid(format!("unknown command {word:?}; {hint}see: codepiper help")))
}

fn unknown_option(option: &str, own: &[Opt], command: Option<&'static Command>) -> Error {
    let names = own.iter().chain(GLOBAL).map(Opt::name);
    let hint = match nearest(option, names) {
        Some(name) if option.starts_with("--") => format!("; did you mean {name}?"),
        _ => String::new(),
    };
    usage_error(&format!("unknown option {option:?}{hint}"), command)
}

fn usage_error(what: &str, command: Option<&'static Command>) -> Error {
    match command {
        Some(c) => Error::invalid(format!("{what}; see: codepiper help {}", c.name)),
        None => Error::invalid(format!("{what}; see: codepiper help")),
    }
}

#[cfg(test)]
mod tests;
