//! What programs are known to do with their arguments, as the files of `programs/` say it. Knows
//! neither rules nor shells.
//!
//! 1. What the files do not list MUST be strange, and so must be all that stands behind it: it may
//!    be the value of what nobody knows.
//! 2. What is written MUST be an effect, in each directory that the program may run in.
//!
//! # Grammar of the files
//!
//! ```text
//! NAME [ | NAME ]…: OPERAND… [; FLAG…]      a program, or a program and its verbs
//!   OPTION… [= KIND | =? KIND] [!]          what it takes, with a value, or with one attached
//!   + NAME                                  the options of NAME as well
//!   -- NAME                                 what stands behind `--` is read as NAME's
//! ```
//!
//! A verb in brackets may be covered by a `*`, others must be named by the rule. An OPERAND is a
//! KIND, of the first, second, … word that is no option; the last may have `...` behind it, and
//! `none` is none. `KIND!` is not there if an option with a `!` is. Options of one letter may stand
//! in one word, as may their values, unless the program is `single`: then each word is one option,
//! with one dash or two. `-NUM` is any number. What is read may also be written where the program
//! `writes`. A pattern of the shell that begins with a wildcard, and so could be an option, is only
//! for programs that are `open`: none of their options does any harm, listed or not.
//!
//! | KIND | what it is |
//! |---|---|
//! | `text` | words that are not opened, and begin with no dash |
//! | `any` | words that are not opened, whatever they are |
//! | `number` `name` `word` | digits with a unit; letters and digits; those and marks, no slash |
//! | `a\|b` | one of these |
//! | `read` | a file or directory below the project, and no secret; or a word like one |
//! | `write` | a file or directory that is written |
//! | `copy` `move` | some that are read (and go away), and at last one that is written |
//! | `in-place` | no value: what is read is written as well |
//! | `task` | the name of a task that builds or tests, by `tasks.txt` |
//! | `mode` `format` `printf` | what chmod, date and printf may be told |
//! | `sed` `jq` | a script that does nothing but choose, change and print |
//! | `dir` `verb` `command` `sets` `script` | of wrappers: see [`crate::policy::shell`] |

pub mod reading;
pub mod script;

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word is to a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// See the table above, and so on for all.
    Text,
    /// `any`
    Any,
    /// `number`
    Number,
    /// `name`
    Name,
    /// `word`
    Word,
    /// `a|b`
    OneOf(Vec<&'static str>),
    /// `read`
    Read,
    /// `write`
    Write,
    /// `copy`
    Copy,
    /// `move`
    Move,
    /// `in-place`
    InPlace,
    /// `task`
    Task,
    /// `mode`
    Mode,
    /// `printf`
    Printf,
    /// `format`
    Format,
    /// `sed`
    Sed,
    /// `jq`
    Jq,
    /// `dir`
    Dir,
    /// `verb`
    Verb,
    /// `command`
    Command,
    /// `sets`
    Sets,
    /// `script`
    Script,
}

/// What an option takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takes {
    /// Its value, if it has one.
    pub value: Option<Kind>,
    /// The value is attached or not there.
    pub may: bool,
    /// With it the first operand is not there.
    pub instead: bool,
}

/// A program, or a program with its verbs.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// What its operands are.
    pub operands: Vec<Kind>,
    /// The last of them stands for any number.
    pub repeats: bool,
    /// The first of them is not there if an option takes its place.
    pub first_may_miss: bool,
    /// Each word is one option.
    pub single: bool,
    /// No option of its does any harm, listed or not.
    pub open: bool,
    /// It may write what it reads.
    pub writes: bool,
    /// `-20` is an option.
    pub numbers: bool,
    /// What it takes.
    pub options: HashMap<&'static str, Takes>,
    /// Whose words stand behind `--`.
    pub behind: Option<&'static str>,
}

/// A name that programs have, and its profile.
struct Entry {
    /// Which of its words a `*` may cover.
    open: Vec<bool>,
    profile: usize,
}

/// Profiles by the words that a command begins with.
pub struct Table {
    names: HashMap<String, Entry>,
    profiles: Vec<Profile>,
}

/// The words that a name may have.
const NAME_WORDS: usize = 4;

/// All programs.
pub static PROGRAMS: LazyLock<Table> = LazyLock::new(|| {
    Table::parse(&[
        include_str!("programs/text.txt"),
        include_str!("programs/files.txt"),
        include_str!("programs/git.txt"),
        include_str!("programs/build.txt"),
        include_str!("programs/node.txt"),
        include_str!("programs/python.txt"),
    ])
});

/// Programs that only run another command.
pub static WRAPPERS: LazyLock<Table> =
    LazyLock::new(|| Table::parse(&[include_str!("programs/unwrapped.txt")]));

impl Table {
    /// The files are part of the program: a broken line is found by the tests below.
    fn parse(files: &[&'static str]) -> Table {
        let mut table = Table { names: HashMap::new(), profiles: Vec::new() };
        for line in files.iter().flat_map(|text| text.lines()) {
            let body = line.trim_start();
            if body.is_empty() || body.starts_with('#') {
                continue;
            }
            match line.len() > body.len() {
                true => table.option(body),
                false => table.head(body),
            }
        }
        table
    }

    fn head(&mut self, line: &'static str) {
        let (names, rest) = line.rsplit_once(": ").expect("NAME: OPERAND");
        let (operands, flags) = rest.split_once(';').unwrap_or((rest, ""));
        let flag = |name: &str| flags.split_whitespace().any(|flag| flag == name);
        let (single, writes, open) = (flag("single"), flag("writes"), flag("open"));
        let mut profile = Profile { single, writes, open, ..Profile::default() };
        for word in operands.split_whitespace().filter(|word| *word != "none") {
            assert!(!profile.repeats, "nothing stands behind `...`: {line}");
            profile.repeats = word.ends_with("...");
            profile.first_may_miss |= word.ends_with('!');
            profile.operands.push(kind(word.trim_end_matches("...").trim_end_matches('!')));
        }
        self.profiles.push(profile);
        for name in names.split(" | ") {
            let words: Vec<&str> = name.split(' ').collect();
            assert!(words.len() <= NAME_WORDS, "too many words: {line}");
            let open = words.iter().map(|word| word.starts_with('[') && word.len() > 1).collect();
            let plain = |word: &&str| match *word {
                "[" => "[".to_string(),
                word => word.trim_matches(['[', ']']).to_string(),
            };
            let key = words.iter().map(plain).collect::<Vec<_>>().join(" ");
            let entry = Entry { open, profile: self.profiles.len() - 1 };
            assert!(self.names.insert(key, entry).is_none(), "a second {name}");
        }
    }

    fn option(&mut self, line: &'static str) {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["+", rest @ ..] => {
                let Profile { options, numbers, .. } = self.profile(&rest.join(" ")).clone();
                self.last().options.extend(options);
                self.last().numbers |= numbers;
            }
            ["--", ..] => self.last().behind = Some(line[2..].trim_start()),
            words => {
                let instead = words.last() == Some(&"!");
                let words = &words[..words.len() - usize::from(instead)];
                let sign = words.iter().position(|word| word.starts_with('=') && word.len() < 3);
                let sign = sign.filter(|at| at + 2 == words.len() && *at > 0);
                let value = sign.map(|at| kind(words[at + 1]));
                let may = sign.is_some_and(|at| words[at] == "=?");
                for option in &words[..sign.unwrap_or(words.len())] {
                    let takes = Takes { value: value.clone(), may, instead };
                    match *option {
                        "-NUM" => self.last().numbers = true,
                        option => drop(self.last().options.insert(option, takes)),
                    }
                }
            }
        }
    }

    fn last(&mut self) -> &mut Profile {
        self.profiles.last_mut().expect("a program before its options")
    }

    /// The profile of this very name.
    pub fn profile(&self, name: &str) -> &Profile {
        let entry = self.names.get(name).unwrap_or_else(|| panic!("no program {name}"));
        &self.profiles[entry.profile]
    }

    /// Whether anything is known of this program, with whatever verb.
    pub fn knows(&self, program: &str) -> bool {
        self.names.keys().any(|name| name.split(' ').next() == Some(program))
    }

    /// The profile of the longest name that the command begins with, and for each word of the name
    /// whether a `*` may cover it.
    pub fn find(&self, words: &[String]) -> Option<(&Profile, &[bool])> {
        let most = words.len().min(NAME_WORDS);
        let entry = (1..=most).rev().find_map(|n| self.names.get(words[..n].join(" ").as_str()))?;
        Some((&self.profiles[entry.profile], &entry.open))
    }
}

fn kind(word: &'static str) -> Kind {
    match word {
        "text" => Kind::Text,
        "any" => Kind::Any,
        "number" => Kind::Number,
        "name" => Kind::Name,
        "word" => Kind::Word,
        "read" => Kind::Read,
        "write" => Kind::Write,
        "copy" => Kind::Copy,
        "move" => Kind::Move,
        "in-place" => Kind::InPlace,
        "task" => Kind::Task,
        "mode" => Kind::Mode,
        "printf" => Kind::Printf,
        "format" => Kind::Format,
        "sed" => Kind::Sed,
        "jq" => Kind::Jq,
        "dir" => Kind::Dir,
        "verb" => Kind::Verb,
        "command" => Kind::Command,
        "sets" => Kind::Sets,
        "script" => Kind::Script,
        word if word.contains('|') => Kind::OneOf(word.split('|').collect()),
        word => panic!("unknown kind {word}"),
    }
}

#[cfg(test)]
mod tests;
