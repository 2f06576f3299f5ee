//! Shell commands as the policy sees them: simple commands and where each of them runs. Knows no
//! rules; what a program does with its words is not known here either.

pub mod lex;

use crate::limits;
use crate::policy::path::Ground;
use crate::policy::path::Spot;
use crate::policy::shell::lex::Link;
use std::rc::Rc;

/// A simple command and where it runs.
#[derive(Debug)]
pub struct Command<'a> {
    /// As it was written.
    pub text: &'a str,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The directories that it may run in, as each `cd` before it may have failed; none: unknown.
    pub dirs: Rc<Vec<Spot>>,
    /// Its input comes from the command before it.
    pub is_fed: bool,
    /// It is a `cd` to somewhere outside of the project, or nobody knows where.
    pub leaves: bool,
}

/// Commands after which nobody here knows where the shell stands.
const WANDERERS: &[&str] =
    &["pushd", "popd", "chdir", "eval", "source", ".", "builtin", "command", "exec"];

/// Takes a command line apart; the error says what in it is not understood.
pub fn commands<'a>(
    text: &'a str,
    start: Option<Spot>,
    ground: &Ground<'_>,
) -> Result<Vec<Command<'a>>, &'static str> {
    let list = lex::split(text)?;
    let mut walk = Walk { now: Rc::new(start.into_iter().collect()), all: Vec::new(), or: false };
    walk.all.clone_from(&walk.now);
    let mut commands = Vec::with_capacity(list.len());
    for (at, simple) in list.iter().enumerate() {
        walk.arrive(simple.link);
        let dirs = Rc::clone(&walk.now);
        let piped = [at, at + 1].iter().any(|i| list.get(*i).is_some_and(|s| s.link == Link::Pipe));
        let leaves = walk.run(&simple.words, piped, ground)?;
        let (text, words, is_fed) = (simple.text, simple.words.clone(), simple.link == Link::Pipe);
        commands.push(Command { text, words, dirs, is_fed, leaves });
    }
    Ok(commands)
}

/// Where the shell may stand, command by command.
struct Walk {
    /// Where the next command runs.
    now: Rc<Vec<Spot>>,
    /// Everywhere that it may have come to, if not all before went well.
    all: Vec<Spot>,
    /// The list has an `||`, so that `&&` no longer says what went well.
    or: bool,
}

impl Walk {
    fn arrive(&mut self, link: Link) {
        match link {
            Link::And if !self.or => return,
            Link::And | Link::Pipe => {}
            Link::Or => self.or = true,
            Link::Then => self.or = false,
        }
        self.now = Rc::new(self.all.clone());
    }

    /// Follows a `cd`; says whether it leaves the project.
    fn run(
        &mut self,
        words: &[String],
        piped: bool,
        ground: &Ground<'_>,
    ) -> Result<bool, &'static str> {
        let program = words[0].as_str();
        if WANDERERS.contains(&program) {
            let only_looks = program == "command" && words.get(1).is_some_and(|w| w == "-v");
            if !only_looks {
                self.get_lost();
            }
            return Ok(false);
        }
        if program != "cd" {
            return Ok(false);
        }
        let target = match words {
            [_] => "~",
            [_, dir] if !dir.starts_with(['-', '+']) && !dir.is_empty() => dir,
            _ => {
                self.get_lost();
                return Ok(true);
            }
        };
        let to = self.now.iter().map(|dir| ground.spot(target, &dir.written));
        let Some(to) = to.collect::<Option<Vec<Spot>>>().filter(|to| !to.is_empty()) else {
            self.get_lost();
            return Ok(true);
        };
        let leaves = to.iter().any(|spot| !spot.is_inside);
        for spot in &to {
            if !self.all.contains(spot) {
                self.all.push(spot.clone());
            }
        }
        if self.all.len() > limits::COMMAND_DIRS {
            return Err("it changes the directory too often");
        }
        // In a pipe it may run in a shell of its own, and go nowhere for those that follow.
        self.now = Rc::new(if piped || self.or { self.all.clone() } else { to });
        Ok(leaves)
    }

    fn get_lost(&mut self) {
        self.now = Rc::default();
        self.all.clear();
    }
}

#[cfg(test)]
mod tests;
