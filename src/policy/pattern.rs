//! Patterns of rules: how they are written and what they cover. Knows no rules and no verdicts.
//!
//! # Grammar
//!
//! ```text
//! rule    = { "action": "allow" | "deny" | "ask", "id"?: line, "reason"?: line,
//!             "tool"?: names, "command"?: commands,
//!             "read"?: paths, "write"?: paths, "host"?: hosts, "cwd"?: paths,
//!             "args"?: { field: globs, … }, "match"?: calls, "noMatch"?: calls }
//! names   = name | [ name … ]        and so for commands and paths: one of the list must fit
//! name    = glob                     over the tool's name: "Read", "mcp__github__*", "*"
//! command = token { blanks token }   over the words of one simple command: "git log *"
//! token   = "*" | glob
//! path    = [ "/" | "~/" ] part { "/" part }
//! part    = "**" | glob              over one name of the path: "src/**", "~/.ssh/**", "**/*.pem"
//! host    = glob                     over the canonical name: "docs.rs", "*.example.com"
//! glob    = { character | "*" | "?" | "[" [ "!" ] characters "]" }
//! ```
//!
//! The same as lines ([`crate::policy::lines`]), a rule each, `#` before a comment:
//!
//! ```text
//! line    = action clause { ";" clause }
//! clause  = ( "tool" | "read" | "write" | "host" | "cwd" ) word { blanks word }
//!         | "args" word word { blanks word }      the field, and what it must be
//!         | ( "shell" | "id" | "reason" ) rest    one command, name or sentence
//! example = blanks ( "match:" | "no-match:" ) call      below its rule, to the line's end
//! word    = characters without blanks, quotes and ";" | JSON string
//! rest    = words with one blank between them | JSON string
//! call    = a shell command | TOOL JSON-object          see crate::policy::example
//! ```
//!
//! A rule is about a call if all its fields fit, and it must have one of `tool`, `command`,
//! `read`, `write`, `host`, `args`, `cwd`. With `read`, `write` or `host` it is about what the
//! call does to files and hosts, without them about the tool or the command itself. Of `args`
//! every field must be in the input and fit; what is no string is compared as JSON. A path
//! without `/` or `~/` in front is below the project; one that begins with `**/` is anywhere.
//! `cwd` is where the call stands, for a part of a shell command behind the `cd`s before it.
//! Quotes mean nothing in a pattern: a star is written `[*]`.
//!
//! # What wildcards cover
//!
//! In rules that deny or ask they cover all that they could mean. In rules that allow they cover
//! arguments, never capabilities:
//!
//! | written | deny, ask | allow |
//! |---|---|---|
//! | `*` `?` `[…]` in a tool's name | any characters | any characters |
//! | `*` as the last token | any number of words, or none | the same of *inert* words |
//! | `*` as another token | one word | one *inert* word |
//! | `*` `?` `[…]` within a token | any characters of the word | those of a *plain* word |
//! | wildcards in the first token | any program | the rule is refused |
//! | `**` within a token | the rule is refused | the rule is refused |
//! | `rm` as the first token | `rm` and `/bin/rm` | `rm` |
//! | `*` `?` `[…]` in a path | characters of one name | the same, but no *secret* |
//! | `**` in a path | any number of names, or none | the same, but no *secret* |
//! | `a.example` as a host | it, and every name below it | it |
//! | `*.a.example` as a host | the same | every name below it |
//! | `*` at the front or the end of a host | any characters | refused, but for `*` and `*.` |
//! | `*` `?` `[…]` in `args` | any characters, also of a value within | any characters |
//!
//! *Inert* is a word that gives its program nothing to do but what it does anyway, by the files of
//! `programs/` ([`crate::policy::program`]): an option that they list, with its value; an operand
//! that is only text, or that names nothing outside of the project and no secret. What a word
//! makes the program write is an effect, and needs a rule with `write`, unless the rule about the
//! command has no wildcards. A directory is read with all that is in it. *Plain* is one that is a
//! name, a number or a path, is an option only if the token begins with `-`, and names nothing
//! outside of the project and no secret. *Secret* is what has a name of `secret_names.txt` on its
//! path; an allow rule is about it if its own text has such a name.
//!
//! What is piped or redirected into a command is an argument as well: a pattern with wildcards
//! allows that only for a program of `programs/` that takes it for data. Redirections are effects.
//! Where a command is run by another that `programs/unwrapped.txt` has, as in `timeout 9 make`,
//! rules that allow are about the inner one, or the whole as it is written, and rules that deny or
//! ask are about each. Words that the shell takes for several (`src/*.rs`, `{a,b}`) are what all
//! of them could be; which of them are links is not known. An allow rule with `command` and
//! without `cwd` is only about commands that run below the project; and no allow rule is about a
//! call that is not understood.

use crate::policy::glob;
use crate::policy::glob::Budget;
use crate::policy::glob::Glob;
use crate::policy::glob::Name;
use crate::policy::inert;
use crate::policy::path;
use crate::policy::path::Ground;
use crate::policy::path::Many;
use crate::policy::path::Spot;

/// A pattern over the words of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    text: String,
    tokens: Vec<Token>,
    // Of the first token, if that has no wildcards: most patterns are about another program, and
    // are passed over without a look at their text.
    program: Option<Stamp>,
}

/// A number for a word: those of equal words are equal.
pub type Stamp = u32;

/// The stamp of a program's name, wherever the program lies.
pub fn stamp(word: &str) -> Stamp {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.bytes().fold(0x811c_9dc5, |hash, b| (hash ^ Stamp::from(b)).wrapping_mul(0x0100_0193))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Star,
    Word(Glob),
}

impl Words {
    /// Takes a pattern apart; `allows` says that its rule allows. The error says what is broken.
    pub fn parse(text: &str, allows: bool) -> Result<Words, String> {
        let token = |word: &str| match word {
            "*" => Ok(Token::Star),
            // Programs by these names.
            "[" | "[[" => Ok(Token::Word(Glob::literal(word))),
            word if word.contains("**") => {
                Err(format!("has `**` in {text:?}; it is for paths, here write `*`"))
            }
            word => Glob::parse(word).map(Token::Word),
        };
        let tokens = text.split_ascii_whitespace().map(token).collect::<Result<Vec<_>, _>>()?;
        let literal = |token: &Token| matches!(token, Token::Word(glob) if glob.is_literal());
        match tokens.first() {
            None => return Err("has an empty pattern".to_string()),
            Some(first) if allows && !literal(first) => {
                return Err(format!(
                    "has {text:?}, which would allow every program; name the program, or leave \
                     \"command\" out and write \"tool\": \"Bash\" if that is meant"
                ));
            }
            Some(_) => {}
        }
        let program = match tokens.first() {
            Some(Token::Word(glob)) if glob.is_literal() => Some(stamp(glob.text())),
            _ => None,
        };
        Ok(Words { text: text.to_string(), tokens, program })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is certainly not about a command whose program has this stamp.
    pub fn is_about_another(&self, program: Stamp) -> bool {
        self.program.is_some_and(|own| own != program)
    }

    /// Whether it is about every command, whatever its words are.
    pub fn is_any(&self) -> bool {
        self.tokens == [Token::Star]
    }

    /// For rules that deny or ask: whether it could be about these words. From the first of `many`
    /// on, which stand for several, only that one is looked at: behind it all is possible.
    pub fn catches(
        &self,
        words: &[String],
        many: &[(usize, Vec<String>)],
        budget: &Budget,
    ) -> bool {
        let fits = |at: usize, glob: &Glob, word: &str| {
            let last = word.rsplit('/').next().unwrap_or(word);
            let by_name = at == 0 && !glob.text().contains('/') && glob.matches(last, budget);
            by_name || glob.matches(word, budget)
        };
        let Some((at, globs)) = many.first() else {
            return self.fit(words, budget, |_, _| true, fits);
        };
        let before = self.tokens.iter().zip(words).take(*at).enumerate();
        let same = before.fold(true, |same, (at, (token, word))| {
            same && match token {
                Token::Star => true,
                Token::Word(glob) => fits(at, glob, word),
            }
        });
        let meets = |token: &Glob| {
            let glob = |text: &String| Glob::parse(&text.replace("**", "*"));
            let meets = |text: &String| glob(text).is_ok_and(|glob| glob.meets(token, budget));
            globs.iter().any(|text| meets(text) || token.matches(text, budget))
        };
        same && match self.tokens.get(*at) {
            None => self.tokens.last() == Some(&Token::Star),
            Some(Token::Star) => true,
            Some(Token::Word(glob)) => meets(glob),
        }
    }

    /// For rules that allow: whether it covers each word and what that word can do, in whichever
    /// of `dirs` the command runs. A `*` covers those that are `inert`, by their place.
    pub fn covers(
        &self,
        words: &[String],
        inert: &[bool],
        dirs: &[Spot],
        ground: &Ground<'_>,
        budget: &Budget,
    ) -> bool {
        let inert = |at: usize, _: &str| inert.get(at).is_some_and(|inert| *inert);
        self.fit(words, budget, inert, |_, glob, word| {
            let plain = || glob.is_literal() || inert::is_plain(word, glob.text(), dirs, ground);
            glob.matches(word, budget) && plain()
        })
    }

    fn fit(
        &self,
        words: &[String],
        budget: &Budget,
        star: impl Fn(usize, &str) -> bool,
        word: impl Fn(usize, &Glob, &str) -> bool,
    ) -> bool {
        let ends_open = self.tokens.last() == Some(&Token::Star);
        let fixed = self.tokens.len() - usize::from(ends_open);
        if !budget.step() || words.len() < fixed || !ends_open && words.len() > fixed {
            return false;
        }
        let (first, rest) = words.split_at(fixed);
        let all =
            first.iter().zip(&self.tokens).enumerate().all(|(at, (text, token))| match token {
                Token::Star => star(at, text),
                Token::Word(glob) => word(at, glob, text),
            });
        all && rest.iter().enumerate().all(|(at, text)| star(fixed + at, text))
    }

    /// Whether these are its own words.
    pub fn says(&self, words: &[String]) -> bool {
        let same = |(token, word): (&Token, &String)| match token {
            Token::Word(glob) => glob.is_literal() && glob.text() == word,
            Token::Star => false,
        };
        self.tokens.len() == words.len() && self.tokens.iter().zip(words).all(same)
    }

    /// Whether it has no wildcards, and so means what it says: `cd *` is about directories of the
    /// project, `cd /tmp` is not.
    pub fn is_literal(&self) -> bool {
        self.tokens.iter().all(|token| matches!(token, Token::Word(glob) if glob.is_literal()))
    }
}

/// A pattern over paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    text: String,
    base: Base,
    parts: Vec<Name>,
    names_secret: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Root,
    Home,
    Project,
}

impl Paths {
    /// Takes a pattern apart; the error says what is broken.
    pub fn parse(text: &str) -> Result<Paths, String> {
        let (base, rest) = match text {
            "" => return Err("has an empty pattern".to_string()),
            "/" | "~" => (if text == "/" { Base::Root } else { Base::Home }, ""),
            "**" => (Base::Root, text),
            _ if text.starts_with("~/") => (Base::Home, &text[2..]),
            _ if text.starts_with('/') || text.starts_with("**/") => {
                (Base::Root, text.strip_prefix('/').unwrap_or(text))
            }
            _ if text.starts_with('~') => {
                return Err(format!("has {text:?}; other people's homes are written from the /"));
            }
            _ => (Base::Project, text),
        };
        let rest = rest.strip_prefix("./").unwrap_or(rest);
        let mut parts = Vec::new();
        for part in rest.split('/').filter(|_| !rest.is_empty() && rest != ".") {
            parts.push(match part {
                "" => return Err(format!("has an empty name in {text:?}; below it is `/**`")),
                "." | ".." => return Err(format!("has a `{part}` in {text:?}; write it without")),
                // Two of them cover what one does, in the square of the time.
                "**" if parts.last() == Some(&Name::Many) => continue,
                "**" => Name::Many,
                part => Name::One(Glob::parse(part)?),
            });
        }
        let names = text.split('/').map(|name| name.trim_end_matches('*'));
        let names_secret = names.chain(text.split('/')).any(path::is_secret_name);
        Ok(Paths { text: text.to_string(), base, parts, names_secret })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// For rules that deny or ask: whether it is about the spot, as written or in truth.
    pub fn catches(&self, spot: &Spot, ground: &Ground<'_>, budget: &Budget) -> bool {
        let written = self.fits(&spot.written, ground, false, budget);
        // Mostly both are the same, and so is the answer.
        written || !ground.is_plain(spot) && self.fits(&spot.real, ground, true, budget)
    }

    /// For rules that deny or ask: whether it is about anything that a shell's pattern could mean.
    pub fn meets(&self, many: &Many, ground: &Ground<'_>, budget: &Budget) -> bool {
        let bases = [(&many.base.written, false), (&many.base.real, true)];
        bases.into_iter().any(|(base, real)| {
            let dir = match self.base {
                Base::Root => "/",
                Base::Home => pick(&ground.home, real),
                Base::Project => pick(&ground.project, real),
            };
            let names = |path: &str| {
                let names = path.split('/').filter(|name| !name.is_empty());
                names.map(|name| Name::One(Glob::literal(name))).collect::<Vec<_>>()
            };
            let one = [names(base), many.names.clone()].concat();
            glob::meet(&one, &[names(dir), self.parts.clone()].concat(), budget)
        })
    }

    /// For rules that allow: whether it is about what the spot truly is.
    pub fn covers(&self, spot: &Spot, ground: &Ground<'_>, budget: &Budget) -> bool {
        let about = self.fits(&spot.real, ground, true, budget)
            || spot.is_direct && self.fits(&spot.written, ground, false, budget);
        about && (!spot.is_secret || self.names_secret)
    }

    /// Whether it is about an absolute path, as written or (`real`) with its links resolved.
    fn fits(&self, path: &str, ground: &Ground<'_>, real: bool, budget: &Budget) -> bool {
        let rest = match self.base {
            Base::Root => path.strip_prefix('/'),
            Base::Home => path::below(path, pick(&ground.home, real)),
            Base::Project => path::below(path, pick(&ground.project, real)),
        };
        rest.is_some_and(|rest| fit_names(&self.parts, rest, budget))
    }
}

fn pick(both: &(String, String), real: bool) -> &str {
    if real { &both.1 } else { &both.0 }
}

/// As [`Glob::matches`] does it for characters, with `**` for the star.
fn fit_names(parts: &[Name], path: &str, budget: &Budget) -> bool {
    // Most patterns fail by the last name.
    let last = path.rsplit('/').next().unwrap_or(path);
    if matches!(parts.last(), Some(Name::One(glob)) if !glob.matches(last, budget)) {
        return false;
    }
    let (mut part, mut rest) = (0, path);
    let mut many: Option<(usize, &str)> = None;
    while budget.step() {
        match (parts.get(part), split_name(rest)) {
            (None, None) => return true,
            (Some(Name::Many), _) => {
                many = Some((part, rest));
                part += 1;
                continue;
            }
            (Some(Name::One(glob)), Some((name, behind))) if glob.matches(name, budget) => {
                part += 1;
                rest = behind;
                continue;
            }
            _ => {}
        }
        let Some((star, reach)) = many else { return false };
        let Some((_, behind)) = split_name(reach) else { return false };
        rest = behind;
        many = Some((star, behind));
        part = star + 1;
    }
    false
}

/// The first name of a normal path, and what is below it.
fn split_name(path: &str) -> Option<(&str, &str)> {
    match path.split_once('/') {
        None if path.is_empty() => None,
        None => Some((path, "")),
        both => both,
    }
}
