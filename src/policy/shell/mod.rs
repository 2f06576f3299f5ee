//! Shell commands as the policy sees them: simple commands and where each of them runs. Knows no
//! rules; what a program does with its words is known to [`crate::policy::program`].

pub mod lex;

use crate::limits;
use crate::policy::effect::Effect;
use crate::policy::path::Ground;
use crate::policy::path::Spot;
use crate::policy::program::reading;
use crate::policy::program::reading::Inner;
use crate::policy::program::script;
use crate::policy::shell::lex::Link;
use crate::policy::shell::lex::Simple;
use crate::policy::shell::lex::redirect::Redirect;
use std::rc::Rc;

/// A simple command and where it runs.
#[derive(Debug)]
pub struct Command<'a> {
    /// As it was written.
    pub text: &'a str,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Those of them, by their place, that stand for several; see [`lex::Simple::many`].
    pub many: Vec<(usize, Vec<String>)>,
    /// The same command as it was written, and with each wrapper less.
    pub outer: Vec<Vec<String>>,
    /// The directories that it may run in, as each `cd` before it may have failed; none: unknown.
    pub dirs: Rc<Vec<Spot>>,
    /// Files that it is redirected to and from.
    pub files: Vec<Effect>,
    /// Its input comes from the command before it, or from a file or a text.
    pub is_fed: bool,
    /// It is a `cd` to somewhere outside of the project, or nobody knows where.
    pub leaves: bool,
}

/// Commands after which nobody here knows where the shell stands.
const WANDERERS: &[&str] =
    &["pushd", "popd", "chdir", "eval", "source", ".", "builtin", "command", "exec"];

/// Takes a command line apart; the error says what in it is not understood.
///
/// Of a wrapper that `programs/unwrapped.txt` has, the command that it runs is what counts, and of
/// a shell's `-c` the commands of its script.
pub fn commands<'a>(
    text: &'a str,
    start: Option<Spot>,
    ground: &Ground<'_>,
) -> Result<Vec<Command<'a>>, &'static str> {
    let list = lex::split(text)?;
    let found = take_apart(&list, Rc::new(start.into_iter().collect()), ground, 0)?;
    if found.len() > limits::gate::COMMAND_PARTS {
        return Err("it has too many commands");
    }
    let named = |(at, command): (usize, Command<'static>)| {
        let mut command: Command<'a> = command;
        command.text = list[at].text;
        command
    };
    Ok(found.into_iter().map(named).collect())
}

/// Each command, and of which of the list it comes. It calls itself for scripts, as deep as the
/// limit says.
fn take_apart(
    list: &[Simple<'_>],
    start: Rc<Vec<Spot>>,
    ground: &Ground<'_>,
    depth: usize,
) -> Result<Vec<(usize, Command<'static>)>, &'static str> {
    let mut walk = Walk { all: start.to_vec(), now: start, or: false };
    let mut found = Vec::with_capacity(list.len());
    for (at, simple) in list.iter().enumerate() {
        walk.arrive(simple.link);
        if !simple.sets.iter().all(|set| script::is_harmless_variable(set)) {
            return Err("it sets a variable that could change what runs");
        }
        let piped = [at, at + 1].iter().any(|i| list.get(*i).is_some_and(|s| s.link == Link::Pipe));
        let (command, inner) = unwrapped(simple, &walk.now, ground)?;
        if let Some(script) = inner
            && depth < limits::gate::COMMAND_DEPTH
            && let Ok(list) = lex::split(&script)
        {
            let mut files = command.files;
            for (_, mut inner) in take_apart(&list, command.dirs, ground, depth + 1)? {
                inner.outer.splice(0..0, command.outer.iter().cloned());
                inner.outer.insert(command.outer.len(), command.words.clone());
                inner.files.append(&mut files);
                inner.is_fed |= command.is_fed;
                found.push((at, inner));
            }
            continue;
        }
        let leaves = walk.run(&command, piped, ground)?;
        found.push((at, Command { leaves, ..command }));
    }
    Ok(found)
}

/// A command without its wrappers, and the script that it gives to a shell.
fn unwrapped(
    simple: &Simple<'_>,
    dirs: &Rc<Vec<Spot>>,
    ground: &Ground<'_>,
) -> Result<(Command<'static>, Option<String>), &'static str> {
    let mut command = Command {
        text: "",
        words: simple.words.clone(),
        many: simple.many.clone(),
        outer: Vec::new(),
        dirs: Rc::clone(dirs),
        files: files(&simple.files, dirs, ground)?,
        is_fed: simple.is_fed || simple.link == Link::Pipe,
        leaves: false,
    };
    for _ in 0..limits::gate::COMMAND_DEPTH {
        let words = &command.words;
        let system = ["/usr/bin/", "/bin/"].iter().find_map(|dir| words[0].strip_prefix(dir));
        let inner = match system.filter(|name| !name.is_empty() && !name.contains('/')) {
            Some(name) => [&[name.to_string()], &words[1..]].concat(),
            None => match reading::unwrap(words) {
                Some((Inner::Script(script), _)) => return Ok((command, Some(script))),
                Some((Inner::Command(from), _)) => words[from..].to_vec(),
                Some((Inner::Verb(1), _)) | None => break,
                Some((Inner::Verb(from), dir)) => {
                    if let Some(dir) = dir {
                        command.dirs = both(&command.dirs, dir, ground);
                    }
                    [&words[..1], &words[from..]].concat()
                }
            },
        };
        let gone = words.len() - inner.len();
        if command.many.iter().any(|(at, _)| *at <= gone) {
            break;
        }
        command.many.iter_mut().for_each(|(at, _)| *at -= gone);
        command.outer.push(std::mem::replace(&mut command.words, inner));
    }
    Ok((command, None))
}

/// The directories, and what `dir` is in each of them: rules about either are about the command.
fn both(dirs: &Rc<Vec<Spot>>, dir: &str, ground: &Ground<'_>) -> Rc<Vec<Spot>> {
    let there = dirs.iter().map(|from| ground.spot(dir, &from.written));
    let there = there.collect::<Option<Vec<Spot>>>().unwrap_or_default();
    let here = dirs.iter().filter(|_| !there.is_empty()).cloned();
    Rc::new(here.chain(there.iter().cloned()).collect())
}

/// What redirections read and write, in each directory that the shell may stand in.
fn files(
    list: &[Redirect],
    dirs: &[Spot],
    ground: &Ground<'_>,
) -> Result<Vec<Effect>, &'static str> {
    let mut effects = Vec::new();
    for Redirect { writes, path } in list {
        if dirs.is_empty() {
            return Err("it has a redirection to nobody knows where");
        }
        for dir in dirs {
            let spot = ground.spot(path, &dir.written);
            let spot = spot.ok_or("it has a redirection that is not to a plain file")?;
            effects.push(if *writes { Effect::write(spot) } else { Effect::read(spot) });
        }
    }
    Ok(effects)
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
        command: &Command<'_>,
        piped: bool,
        ground: &Ground<'_>,
    ) -> Result<bool, &'static str> {
        let words = command.words.as_slice();
        let program = words[0].as_str();
        if WANDERERS.contains(&program) {
            let first = words.get(1).map_or("", String::as_str);
            let only_looks = program == "command" && first == "-v";
            // What it runs may do more than that, but not this: its rule names it.
            let python = matches!(program, "." | "source") && first.ends_with("/bin/activate");
            let stays = only_looks || python && words.len() == 2;
            if !stays {
                self.get_lost();
            }
            return Ok(false);
        }
        if program != "cd" {
            return Ok(false);
        }
        let target = match words {
            // Whether a wrapped one goes anywhere depends on the shell.
            _ if !command.outer.is_empty() || !command.many.is_empty() => {
                self.get_lost();
                return Ok(true);
            }
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
        if self.all.len() > limits::gate::COMMAND_DIRS {
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
