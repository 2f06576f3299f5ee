//! Typing into a session from outside its terminal: text, keys, commands to the agent.
//!
//! 1. A prompt MUST NOT be a way past the gate: agents run what begins with `!` in a shell, and no
//!    hook hears of it.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::session::Session;
use crate::provider;
use crate::service::Service;
use crate::service::freezing;
use crate::service::held::Owner;
use crate::service::held::Typing;
use crate::service::held::What;
use crate::service::held::When;
use crate::service::live::Command;
use crate::term::keys;

impl Service {
    /// Types text into a session, as one paste where the program understands that, and then Enter
    /// where asked for. `queued` waits until the agent rests.
    pub fn send(
        &self,
        row: &Session,
        text: &str,
        enter: bool,
        queued: bool,
        owner: Owner,
    ) -> Result<()> {
        if text.chars().count() > limits::SEND_CHARS {
            let most = limits::SEND_CHARS;
            return Err(Error::invalid(format!("text may have {most} characters at once")));
        }
        if text.starts_with('!') && self.tells_state(row) {
            return Err(Error::invalid(
                "a prompt that begins with ! is a shell command to the agent, past the gate; \
                 begin it with a word",
            ));
        }
        let what = What::Paste { text: text.to_string(), enter };
        self.type_for(row, what, self.when(row, queued, When::Open)?, owner)
    }

    /// Presses keys by name; with `at_dialog` to answer what the agent asks, and only then.
    pub fn press(
        &self,
        row: &Session,
        names: Vec<String>,
        at_dialog: bool,
        owner: Owner,
    ) -> Result<()> {
        if names.is_empty() || names.len() > limits::KEYS {
            return Err(Error::invalid(format!("1 to {} keys at once", limits::KEYS)));
        }
        for name in &names {
            keys::encode(name, false)?;
        }
        let when = if at_dialog { When::AtDialog } else { When::Open };
        self.type_for(row, What::Keys(names), when, owner)
    }

    /// Types one of the agent's own commands, `/command args`, to an agent at rest.
    pub fn slash(
        &self,
        row: &Session,
        command: &str,
        args: &str,
        queued: bool,
        owner: Owner,
    ) -> Result<()> {
        if !self.tells_state(row) {
            let provider = &row.provider;
            return Err(Error::invalid(format!(
                "a {provider} session has no commands of an agent; use send"
            )));
        }
        let line = slash_line(command, args)?;
        let switches = provider::find(&row.provider)?.capabilities.model_switch;
        if switches && line.split(' ').next() == Some("/model") {
            let id = &row.id;
            return Err(Error::conflict(format!(
                "the agent may answer that with a dialog which it does not report, and the next \
                 text would confirm it; use: codepiper model {id} MODEL"
            )));
        }
        self.type_for(row, What::Line(line), self.when(row, queued, When::AtRest)?, owner)
    }

    fn when(&self, row: &Session, queued: bool, otherwise: When) -> Result<When> {
        match queued {
            false => Ok(otherwise),
            true if self.tells_state(row) => Ok(When::Queued),
            true => {
                let provider = &row.provider;
                Err(Error::invalid(format!(
                    "a {provider} session does not tell when it is idle; send without queue"
                )))
            }
        }
    }

    fn type_for(&self, row: &Session, what: What, when: When, owner: Owner) -> Result<()> {
        let live = self.need_live(row)?;
        freezing::refuse_input(&live.row())?;
        live.ask(Command::Typing(Typing::new(what, when, owner, &live)))
    }

    /// The daemon stops: whoever waits for an agent is told that nothing was typed.
    pub fn give_back(&self) {
        for live in self.records.all_live() {
            let _ = live.ask(Command::GiveBack);
        }
    }
}

/// The line that a person would type. One line, and nothing in it that acts as a key.
fn slash_line(command: &str, args: &str) -> Result<String> {
    let name = command.strip_prefix('/').unwrap_or(command);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
        return Err(Error::invalid(format!(
            "{command:?} is no command; write its name, such as clear, and its arguments apart"
        )));
    }
    if args.contains(|c: char| c.is_control()) {
        return Err(Error::invalid(
            "arguments of a command stand on one line, without control characters",
        ));
    }
    let line = match args.trim() {
        "" => format!("/{name}"),
        args => format!("/{name} {args}"),
    };
    match line.chars().count() > limits::SLASH_CHARS {
        true => Err(Error::invalid(format!(
            "a command may have {} characters; send the rest as a prompt",
            limits::SLASH_CHARS
        ))),
        false => Ok(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_line_without_keys_in_it() {
        assert_eq!(slash_line("clear", "").unwrap(), "/clear");
        assert_eq!(slash_line("/compact", " keep it short ").unwrap(), "/compact keep it short");
        assert_eq!(slash_line("plugin:do-it", "é").unwrap(), "/plugin:do-it é");
        for (command, args) in [
            ("", ""),
            ("/", ""),
            ("//clear", ""),
            ("-x", ""),
            ("clear now", ""),
            ("clear\r", ""),
            ("compact", "a\nb"),
            ("compact", "a\r"),
            ("compact", "\u{1b}[A"),
            ("compact", "\u{9b}A"),
            ("compact", "\u{3}"),
        ] {
            assert!(slash_line(command, args).is_err(), "{command:?} {args:?}");
        }
        assert!(slash_line("x", &"y".repeat(limits::SLASH_CHARS)).is_err());
    }
}
