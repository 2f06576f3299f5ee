//! The words of one command, as its program reads them. Knows no rules.
//!
//! 1. A word that is not understood, and all behind it, MUST be strange.
//! 2. Where a word stands for several, it MUST be what each of them would be, in each place that
//!    they could come to.

use super::Kind;
use super::PROGRAMS;
use super::Profile;
use super::Table;
use super::Takes;
use super::script;
use crate::policy::effect::Effect;
use crate::policy::inert;
use crate::policy::path;
use crate::policy::path::Ground;
use crate::policy::path::Spot;

/// What is known about the words of a command.
#[derive(Debug, Default)]
pub struct Reading {
    /// For each word, whether it gives the program nothing to do but what it does anyway.
    pub inert: Vec<bool>,
    /// The program is known, and its input is only data to it.
    pub is_known: bool,
    /// Every word is; what it writes is in `writes`, and all else it only reads.
    pub is_understood: bool,
    /// What its words make it write.
    pub writes: Vec<Effect>,
}

/// What a wrapper wraps.
#[derive(Debug, PartialEq, Eq)]
pub enum Inner {
    /// A command that begins with this word.
    Command(usize),
    /// A verb of the same program that is this word.
    Verb(usize),
    /// A script of a shell.
    Script(String),
}

/// Words that stand for several, by their place.
pub type Many<'a> = &'a [(usize, Vec<String>)];

/// Reads a command that may run in any of `dirs`.
pub fn read(words: &[String], many: Many<'_>, dirs: &[Spot], ground: &Ground<'_>) -> Reading {
    let Some((profile, open)) = PROGRAMS.find(words) else {
        return Reading { inert: vec![false; words.len()], ..Reading::default() };
    };
    let walk = walk(&PROGRAMS, profile, open.len(), words);
    let mut judge = Judge { many, dirs, ground, writes: Vec::new(), in_place: walk.in_place };
    let mut inert = open.to_vec();
    let mut fits = vec![true; words.len()];
    for (operands, profile) in &walk.operands {
        judge.operands(operands, profile, walk.instead, words, &mut fits);
    }
    for (at, fits) in fits.iter().enumerate().skip(open.len()) {
        inert.push(match &walk.slots[at - open.len()] {
            Slot::Strange => false,
            Slot::Option => judge.many_of(at).is_none(),
            Slot::Value(kind, text) => judge.value(kind, text, at, &words[at]),
            Slot::Operand => *fits,
        });
    }
    let is_understood = !profile.writes && inert[open.len()..].iter().all(|inert| *inert);
    // A word behind a strange one may be its value.
    if let Some(first) = inert[open.len()..].iter().position(|inert| !inert) {
        inert[open.len() + first..].fill(false);
    }
    // Whatever a task is, it may run what it is fed.
    let is_known = !profile.operands.contains(&Kind::Task);
    Reading { inert, is_known, is_understood, writes: judge.writes }
}

/// What a wrapper wraps, and the directory that it goes to before; `None` if it is no wrapper, or
/// not understood.
pub fn unwrap(words: &[String]) -> Option<(Inner, Option<&str>)> {
    let (profile, open) = super::WRAPPERS.find(words)?;
    let walk = walk(&super::WRAPPERS, profile, open.len(), words);
    let mut dir = None;
    for (at, slot) in walk.slots.iter().enumerate() {
        let at = at + open.len();
        match slot {
            Slot::Strange => return None,
            Slot::Option => {}
            Slot::Value(Kind::Script, text) => {
                let last = at + 1 == words.len() && *text == words[at];
                return last.then(|| (Inner::Script(text.to_string()), None));
            }
            Slot::Value(Kind::Dir, text) if dir.is_none() && *text == words[at] => {
                dir = Some(words[at].as_str());
            }
            Slot::Value(kind, text) => {
                script::fits(kind, text).then_some(())?;
            }
            Slot::Operand => match profile.operands.get(walk.operands[0].0.len()) {
                _ if walk.inner != Some(at) => {}
                Some(Kind::Verb) => return Some((Inner::Verb(at), dir)),
                _ => return Some((Inner::Command(at), dir)),
            },
        }
    }
    None
}

/// What a word is to the program.
enum Slot<'a> {
    Strange,
    Option,
    /// All of the word, or the value that is attached to an option.
    Value(&'a Kind, &'a str),
    Operand,
}

struct Walk<'a> {
    slots: Vec<Slot<'a>>,
    /// Operands by their place, and whose they are.
    operands: Vec<(Vec<usize>, &'a Profile)>,
    instead: bool,
    in_place: bool,
    /// Where a wrapped command begins.
    inner: Option<usize>,
}

fn walk<'a>(table: &'a Table, profile: &'a Profile, from: usize, words: &'a [String]) -> Walk<'a> {
    let operands = vec![(Vec::new(), profile)];
    let mut walk =
        Walk { slots: Vec::new(), operands, instead: false, in_place: false, inner: None };
    let (mut profile, mut options) = (profile, profile.operands.first() != Some(&Kind::Any));
    let mut words = words.iter().enumerate().skip(from).peekable();
    while let Some((at, word)) = words.next() {
        let dash = word.starts_with('-') && word.len() > 1;
        let is_option = options && (dash || profile.options.contains_key(word.as_str()));
        if !is_option {
            walk.operand(at, word, profile);
            if walk.inner.is_some() {
                break;
            }
            continue;
        }
        if word == "--" && !profile.options.contains_key("--") {
            walk.slots.push(Slot::Option);
            match profile.behind {
                Some(name) => {
                    profile = table.profile(name);
                    walk.operands.push((Vec::new(), profile));
                }
                None => options = false,
            }
            continue;
        }
        let Some((takes, attached)) = option(profile, word) else {
            walk.slots.push(Slot::Strange);
            continue;
        };
        walk.instead |= takes.instead;
        match (&takes.value, attached) {
            (Some(Kind::InPlace), None) => {
                walk.in_place = true;
                walk.slots.push(Slot::Option);
            }
            (None, None) => walk.slots.push(Slot::Option),
            (Some(_), None) if takes.may => walk.slots.push(Slot::Option),
            (Some(kind), Some(text)) if *kind != Kind::InPlace => {
                walk.slots.push(Slot::Value(kind, text));
            }
            (Some(kind), None) => {
                walk.slots.push(Slot::Option);
                if let Some((_, word)) = words.next() {
                    // Some take it for an option of its own.
                    let odd = word.starts_with('-') && *kind != Kind::Number;
                    walk.slots.push(if odd { Slot::Strange } else { Slot::Value(kind, word) });
                }
            }
            _ => walk.slots.push(Slot::Strange),
        }
    }
    walk
}

impl Walk<'_> {
    fn operand(&mut self, at: usize, word: &str, profile: &Profile) {
        self.slots.push(Slot::Operand);
        let list = &mut self.operands.last_mut().expect("whose they are").0;
        // Wrappers: variables, any number of which may stand before the command, and then that.
        if profile.operands.get(list.len()) == Some(&Kind::Sets) && script::fits(&Kind::Sets, word)
        {
            return;
        }
        if profile.operands.first() == Some(&Kind::Sets) && list.is_empty() {
            list.push(at);
        }
        match profile.operands.get(list.len()) {
            Some(Kind::Command | Kind::Verb) => self.inner = Some(at),
            Some(kind) if profile.operands.last() == Some(&Kind::Command) => {
                if !script::fits(kind, word) {
                    self.slots.pop();
                    self.slots.push(Slot::Strange);
                }
                list.push(at);
            }
            _ => list.push(at),
        }
    }
}

/// The option that a word is, and what is attached to it.
fn option<'a>(profile: &'a Profile, word: &'a str) -> Option<(&'a Takes, Option<&'a str>)> {
    static NUMBER: Takes = Takes { value: None, may: false, instead: false };
    let word = if profile.single && word.starts_with("--") { &word[1..] } else { word };
    if let Some(takes) = profile.options.get(word) {
        return Some((takes, None));
    }
    if let Some((name, value)) = word.split_once('=')
        && (profile.single || name.starts_with("--"))
    {
        let takes = profile.options.get(name)?;
        return takes.value.is_some().then_some((takes, Some(value)));
    }
    let letters = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
    if profile.numbers && letters.bytes().all(|b| b.is_ascii_digit()) {
        return Some((&NUMBER, None));
    }
    if profile.single || !word.is_ascii() {
        return None;
    }
    // Several in one word, of which one may replace the first operand or take what is left.
    let mut found = None;
    for (at, letter) in letters.char_indices() {
        let takes = profile.options.get(format!("-{letter}").as_str())?;
        let rest = &letters[at + 1..];
        if takes.value.is_some() {
            let special = takes.value == Some(Kind::InPlace) && !rest.is_empty();
            return (!special).then_some((takes, Some(rest).filter(|rest| !rest.is_empty())));
        }
        if takes.instead || found.is_none() {
            found = Some(takes);
        }
    }
    found.map(|takes| (takes, None))
}

struct Judge<'a> {
    many: Many<'a>,
    dirs: &'a [Spot],
    ground: &'a Ground<'a>,
    writes: Vec<Effect>,
    in_place: bool,
}

impl Judge<'_> {
    fn many_of(&self, at: usize) -> Option<&[String]> {
        self.many.iter().find(|(place, _)| *place == at).map(|(_, many)| many.as_slice())
    }

    /// A value of an option, which is `word` or attached to it.
    fn value(&mut self, kind: &Kind, text: &str, at: usize, word: &str) -> bool {
        if self.many_of(at).is_none() {
            return self.one(kind, text);
        }
        // `--include=*.rs`: whatever it stands for begins in the same way.
        let head = word.strip_suffix(text).filter(|head| head.ends_with('='));
        *kind == Kind::Text && head.is_some_and(|head| !head.contains(['*', '?', '[', '{']))
    }

    fn operands(
        &mut self,
        places: &[usize],
        profile: &Profile,
        instead: bool,
        words: &[String],
        fits: &mut [bool],
    ) {
        let kinds = &profile.operands[usize::from(instead && profile.first_may_miss)..];
        if let [kind @ (Kind::Copy | Kind::Move)] = kinds {
            let all = self.transfer(*kind == Kind::Move, places, words);
            places.iter().for_each(|at| fits[*at] = all);
            return;
        }
        // Behind a word that stands for several, each may come to any later place.
        let mut shifted = false;
        for (n, at) in places.iter().enumerate() {
            let last = kinds.len().saturating_sub(1);
            let kind = if profile.repeats { kinds.get(n.min(last)) } else { kinds.get(n) };
            shifted |= self.many_of(*at).is_some();
            let stays = !shifted || profile.repeats && n >= last;
            let option =
                |many: &[String]| many.iter().any(|glob| glob.starts_with(['*', '?', '[']));
            let odd = kinds.first() != Some(&Kind::Any) && self.many_of(*at).is_some_and(option);
            fits[*at] = stays
                && (!odd || profile.open)
                && kind.is_some_and(|kind| self.operand(kind, *at, &words[*at]));
        }
    }

    fn operand(&mut self, kind: &Kind, at: usize, word: &str) -> bool {
        let Some(many) = self.many.iter().find(|(place, _)| *place == at) else {
            return self.one(kind, word);
        };
        let many = many.1.as_slice();
        let wild = |glob: &&String| glob.contains(['*', '?', '[']);
        match kind {
            Kind::Write => {
                !many.iter().any(|glob| wild(&glob)) && many.iter().all(|word| self.write(word))
            }
            Kind::Read if self.in_place => false,
            Kind::Read | Kind::Text | Kind::Any => self.dirs.iter().all(|dir| {
                let spots = many.iter().map(|glob| self.ground.many(glob, &dir.written));
                let secret = |many: &path::Many| *kind == Kind::Read && many.is_secret;
                let plain = |many: path::Many| many.base.is_inside && !secret(&many);
                !self.dirs.is_empty() && { spots }.all(|many| many.is_some_and(plain))
            }),
            _ => false,
        }
    }

    fn one(&mut self, kind: &Kind, word: &str) -> bool {
        match kind {
            Kind::Read => {
                // To some `@file` is a file of arguments.
                let listed = word.starts_with('@')
                    && word[1..].starts_with(|c: char| c.is_alphanumeric() || "./_".contains(c));
                let harmless =
                    word == "-" || !listed && inert::is_harmless(word, self.dirs, self.ground);
                harmless && (!self.in_place || self.write(word))
            }
            Kind::Write => self.write(word),
            kind => script::fits(kind, word),
        }
    }

    /// Notes that a file is written; `false` if nobody knows which.
    fn write(&mut self, word: &str) -> bool {
        if word == "/dev/null" {
            return true;
        }
        for dir in self.dirs {
            let Some(spot) = self.ground.spot(word, &dir.written) else { return false };
            let effect = Effect::write(spot);
            if !self.writes.contains(&effect) {
                self.writes.push(effect);
            }
        }
        !self.dirs.is_empty()
    }

    /// Files that are copied or moved to the last, or into it.
    fn transfer(&mut self, moves: bool, places: &[usize], words: &[String]) -> bool {
        let many = places.iter().any(|at| self.many_of(*at).is_some());
        let Some((to, from @ [_, ..])) = places.split_last().filter(|_| !many) else {
            return false;
        };
        let mut all = self.write(&words[*to]);
        for word in from.iter().map(|at| &words[*at]) {
            let name = word.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            all &= inert::is_harmless(word, self.dirs, self.ground);
            all &= !matches!(name, "" | "." | "..") || from.len() == 1;
            all &= self.write(&format!("{}/{name}", words[*to]));
            all &= !moves || self.write(word);
        }
        all
    }
}
