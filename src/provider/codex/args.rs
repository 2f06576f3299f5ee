//! The user's arguments for Codex: which of them a session may be given, and where they stand.
//!
//! 1. What the table does not name MUST be refused: an unknown option may undo the gate.
//! 2. What is passed on MUST be spelled so that Codex reads it as we did: options as
//!    `--name=value`, all other words behind `--`.

use crate::base::error::{Error, Result};

/// See its head.
const TABLE: &str = include_str!("arguments.txt");

/// The user's arguments, sorted.
#[derive(Debug, Default, PartialEq)]
pub struct UserArgs {
    /// Without a terminal interface: `codex exec`.
    pub exec: bool,
    /// Options in front of `exec`; without it, all of them.
    pub global: Vec<String>,
    /// Options behind `exec`.
    pub local: Vec<String>,
    /// The prompt.
    pub words: Vec<String>,
}

impl UserArgs {
    /// Whether the user gave this option, in its long spelling.
    pub fn has(&self, option: &str) -> bool {
        let is_it = |arg: &String| arg.split('=').next() == Some(option);
        self.global.iter().chain(&self.local).any(is_it)
    }
}

/// Sorts `args`, or says which of them cannot be given and why.
pub fn sort(args: &[String]) -> Result<UserArgs> {
    let mut sorted = UserArgs::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            sorted.words.extend(rest.by_ref().cloned());
        } else if arg == "-" || !arg.starts_with('-') {
            sorted.word(arg)?;
        } else {
            let (name, attached) = split(arg);
            let row = allowed(name, &["flag", "value"])?;
            let option = row.names.rsplit(',').next().unwrap_or(name);
            let option = match (row.kind, attached) {
                ("flag", None) => option.to_string(),
                ("flag", Some(_)) => return Err(refused(arg, "write its options apart")),
                (_, Some(value)) => with_value(option, value)?,
                // Codex takes a word with a dash for the next option.
                (_, None) => match rest.next().filter(|value| !value.starts_with('-')) {
                    Some(value) => with_value(option, value)?,
                    None => return Err(refused(arg, "its value is missing; write NAME=VALUE")),
                },
            };
            let list = if sorted.exec { &mut sorted.local } else { &mut sorted.global };
            list.push(option);
        }
    }
    Ok(sorted)
}

/// Refuses a variable that would undo the gate.
pub fn check_variable(name: &str) -> Result<()> {
    match find(&format!("${name}"), &["variable"]) {
        Some(row) => Err(refused(name, row.reason)),
        None => Ok(()),
    }
}

impl UserArgs {
    fn word(&mut self, word: &str) -> Result<()> {
        // Only the first one: Codex never sees the others where it looks for a command.
        if self.words.is_empty() && find(word, &["command"]).is_some() {
            let row = allowed(word, &["command"])?;
            if !self.exec && row.names.starts_with("exec") {
                self.exec = true;
                return Ok(());
            }
        }
        self.words.push(word.to_string());
        Ok(())
    }
}

/// `--name=value`, `--name`, `-nvalue`, `-n=value` or `-n` as its name and what is attached to it.
fn split(arg: &str) -> (&str, Option<&str>) {
    if arg.starts_with("--") {
        return arg.split_once('=').map_or((arg, None), |(name, value)| (name, Some(value)));
    }
    let end = arg.char_indices().nth(2).map_or(arg.len(), |(at, _)| at);
    let (name, value) = arg.split_at(end);
    (name, Some(value.strip_prefix('=').unwrap_or(value)).filter(|_| !value.is_empty()))
}

fn with_value(option: &str, value: &str) -> Result<String> {
    if option == "--config" {
        let key = value.split('=').next().unwrap_or(value);
        if find(key, &["setting"]).is_none() {
            return Err(refused(
                &format!("--config {key}"),
                "hooks and trust are settings too; write it into your own config.toml, where it \
                 stands below codepiper's",
            ));
        }
    }
    Ok(format!("{option}={value}"))
}

/// A line of the table.
struct Row {
    names: &'static str,
    kind: &'static str,
    reason: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let (names, rest) = line.split_once(char::is_whitespace)?;
        let rest = rest.trim_start();
        let (kind, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        Some(Row { names, kind, reason: reason.trim() })
    })
}

fn find(name: &str, kinds: &[&str]) -> Option<Row> {
    rows().find(|row| kinds.contains(&row.kind) && row.names.split(',').any(|n| n == name))
}

fn allowed(name: &str, kinds: &[&str]) -> Result<Row> {
    match find(name, kinds) {
        Some(row) if row.reason.is_empty() => Ok(row),
        Some(row) => Err(refused(name, row.reason)),
        None => Err(refused(name, "it is none of the options of Codex 0.169 that codepiper knows")),
    }
}

fn refused(what: &str, reason: &str) -> Error {
    Error::invalid(format!("{what} cannot be given to codex: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(line: &[&str]) -> Result<UserArgs> {
        sort(&line.iter().map(|arg| arg.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn every_line_of_the_table_is_what_its_head_says() {
        let kinds = ["flag", "value", "command", "setting", "variable"];
        let mut seen = Vec::new();
        for row in rows() {
            assert!(kinds.contains(&row.kind), "{}: {}", row.names, row.kind);
            assert!(row.reason.is_empty() || row.reason.len() > 20, "{}", row.names);
            let is_option = ["flag", "value"].contains(&row.kind);
            assert_eq!(row.names.starts_with('-'), is_option, "{}", row.names);
            if row.kind == "variable" {
                assert!(row.names.starts_with('$') && !row.reason.is_empty(), "{}", row.names);
            }
            if is_option {
                assert!(row.names.rsplit(',').next().is_some_and(|name| name.starts_with("--")));
            }
            seen.extend(row.names.split(',').map(|name| (name, row.kind == "setting")));
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all, "a name stands twice");
        assert!(all > 60, "the table was read: {all}");
    }

    #[test]
    fn arguments_that_would_undo_the_gate_are_refused_however_they_are_spelled() {
        for (line, what) in [
            (&["--dangerously-bypass-hook-trust"][..], "--dangerously-bypass-hook-trust"),
            (&["--dangerously-bypass-approvals-and-sandbox"], "--dangerously-bypass-approvals"),
            (&["--yolo"], "--yolo"),
            (&["exec", "--yolo"], "--yolo"),
            (&["--disable", "hooks"], "--disable"),
            (&["--disable=hooks"], "--disable"),
            (&["--enable=unified_exec_tty"], "--enable"),
            (&["-c", "features.hooks=false"], "--config features.hooks"),
            (&["-c=features.hooks=false"], "--config features.hooks"),
            (&["-cfeatures={hooks=false}"], "--config features"),
            (&["--config=hooks.state={}"], "--config hooks.state"),
            (&["-c", "\"hooks\".PreToolUse=[]"], "--config \"hooks\""),
            (&["-c", " model=1"], "--config  model"),
            (&["exec", "-c", "projects={}"], "--config projects"),
            (&["-c", "mcp_servers.x={command=\"sh\"}"], "--config mcp_servers.x"),
            (&["-c"], "-c"),
            (&["-m", "--disable=hooks"], "-m"),
            (&["-hcfeatures.hooks=false"], "-hcfeatures"),
            (&["--json=x"], "--json=x"),
            (&["--search"], "--search"),
            (&["--trust"], "--trust"),
            (&["-C", "/"], "-C"),
            (&["--remote", "unix://"], "--remote"),
            (&["--approve-for-me"], "--approve-for-me"),
            (&["--brand-new"], "--brand-new"),
            (&["-ü"], "-ü"),
            (&["resume", "--last"], "resume"),
            (&["-m", "big", "fork"], "fork"),
            (&["exec", "resume"], "resume"),
            (&["exec", "--json", "review"], "review"),
            (&["app-server"], "app-server"),
            (&["login"], "login"),
            (&["cloud"], "cloud"),
            (&["a"], "a"),
        ] {
            let message = sorted(line).map_or_else(|e| e.message, |_| panic!("{line:?} was taken"));
            assert!(message.starts_with(what), "{line:?}: {message}");
            let reason = message.split_once(" cannot be given to codex: ").expect(&message).1;
            assert!(reason.len() > 20, "{line:?}: {message}");
        }
    }

    #[test]
    fn a_prompt_is_a_prompt_wherever_codex_might_see_a_command() {
        let words = |line: &[&str]| sorted(line).unwrap().words;
        assert_eq!(words(&["--", "resume"]), ["resume"]);
        assert_eq!(words(&["exec", "--", "--disable", "hooks"]), ["--disable", "hooks"]);
        assert_eq!(words(&["please", "resume"]), ["please", "resume"]);
        assert_eq!(words(&["exec", "exec"]), ["exec"]);
        assert_eq!(words(&["exec", "-"]), ["-"]);
    }
}
