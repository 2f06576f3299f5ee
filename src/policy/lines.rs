//! Rules as lines, for files that people keep: another way to write the rules of
//! [`crate::policy::rule`], never another meaning. The grammar stands in
//! [`crate::policy::pattern`].
//!
//! 1. A line MUST become the JSON of a rule and be read as such: there is one reader of rules.
//! 2. Whatever is not understood MUST be an error with its line and column.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::call::Action;
use crate::policy::example;
use crate::policy::rule;
use crate::policy::rule::Rule;
use serde_json::Map;
use serde_json::Value;
use std::fmt::Write;

/// Words of clauses, and the fields that they stand for.
const CLAUSES: [(&str, &str); 9] = [
    ("tool", "tool"),
    ("shell", "command"),
    ("read", "read"),
    ("write", "write"),
    ("host", "host"),
    ("cwd", "cwd"),
    ("args", "args"),
    ("id", "id"),
    ("reason", "reason"),
];

/// Words of examples, and the fields that they stand for.
const EXAMPLES: [(&str, &str); 2] = [("match:", "match"), ("no-match:", "noMatch")];

/// Reads rules; `file` is what errors call the text: `policy.txt:3:14: ...`. Their examples are
/// judged as well.
pub fn parse(file: &str, text: &str) -> Result<Vec<Rule>> {
    let (rules, places) = parse_only(file, text)?;
    let wrong = example::run(&rules).into_iter().find(|outcome| outcome.wrong.is_some());
    let Some(outcome) = wrong else { return Ok(rules) };
    let field = if outcome.matches { "match" } else { "noMatch" };
    let at = places[outcome.rule - 1].of(field, outcome.number);
    Err(error(file, at, &format!("{:?}: {}", outcome.text, outcome.wrong.unwrap_or_default())))
}

/// Reads rules without a look at their examples, and where each stands.
pub fn parse_only(file: &str, text: &str) -> Result<(Vec<Rule>, Vec<Places>)> {
    let (mut drafts, mut rules): (Vec<Draft>, Vec<Rule>) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let mut scan = Scan { line, at: 0, number: number + 1 };
        let done = match line.starts_with([' ', '\t']) {
            true => scan.example(drafts.last_mut()),
            false => scan.rule().map(|draft| drafts.extend(draft)),
        };
        done.map_err(|what| error(file, what.at, &what.text))?;
        if drafts.len() > limits::gate::RULES {
            let most = limits::gate::RULES;
            return Err(error(file, (number + 1, 1), &format!("a policy may have {most} rules")));
        }
    }
    let examples: usize = drafts.iter().map(|d| d.places.examples()).sum();
    if examples > limits::gate::POLICY_EXAMPLES {
        let most = limits::gate::POLICY_EXAMPLES;
        return Err(Error::invalid(format!("{file}: {examples} examples, {most} are the most")));
    }
    let mut ids = std::collections::HashSet::new();
    for draft in &drafts {
        let wrong = |what: String| error(file, draft.places.named_in(&what), &what);
        let rule = rule::parse_one(&Value::Object(draft.map.clone())).map_err(wrong)?;
        if let Some(id) = rule.id.as_ref().filter(|id| !ids.insert((*id).clone())) {
            return Err(wrong(format!("field \"id\" is {id:?}, which an earlier rule has")));
        }
        rules.push(rule);
    }
    Ok((rules, drafts.into_iter().map(|draft| draft.places).collect()))
}

fn error(file: &str, (line, column): At, what: &str) -> Error {
    Error::invalid(format!("{file}:{line}:{column}: {what}"))
}

/// A line and a column, in characters, from 1.
type At = (usize, usize);

/// Where the fields of a rule stand.
#[derive(Debug)]
pub struct Places {
    start: At,
    fields: Vec<(&'static str, At)>,
}

impl Places {
    /// Where the `number`th value of a field stands.
    pub fn of(&self, field: &str, number: usize) -> At {
        let mut all = self.fields.iter().filter(|(name, _)| *name == field);
        all.nth(number.saturating_sub(1)).map_or(self.start, |(_, at)| *at)
    }

    /// The line of the rule.
    pub fn line(&self) -> usize {
        self.start.0
    }

    /// Where the field stands that an error of [`rule::parse_one`] names first.
    fn named_in(&self, what: &str) -> At {
        let name = what.strip_prefix("field \"").and_then(|rest| rest.split('"').next());
        self.of(name.unwrap_or_default(), 1)
    }

    fn examples(&self) -> usize {
        self.fields
            .iter()
            .filter(|(name, _)| EXAMPLES.iter().any(|(_, field)| field == name))
            .count()
    }
}

struct Draft {
    map: Map<String, Value>,
    places: Places,
}

impl Draft {
    /// One more value of a field; it is a list from the second on.
    fn add(&mut self, field: &'static str, at: At, value: Value) {
        self.places.fields.push((field, at));
        push(&mut self.map, field, value);
    }
}

fn push(map: &mut Map<String, Value>, field: &str, value: Value) {
    match map.get_mut(field) {
        None => drop(map.insert(field.to_string(), value)),
        Some(Value::Array(list)) => list.push(value),
        Some(one) => {
            let first = one.take();
            *one = Value::Array(vec![first, value]);
        }
    }
}

struct Wrong {
    at: At,
    text: String,
}

struct Scan<'a> {
    line: &'a str,
    /// The byte that is next.
    at: usize,
    number: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn here(&self) -> At {
        (self.number, self.line[..self.at].chars().count() + 1)
    }

    fn wrong<T>(&self, text: impl Into<String>) -> std::result::Result<T, Wrong> {
        Err(Wrong { at: self.here(), text: text.into() })
    }

    /// Goes past blanks; says whether something of this clause is left.
    fn more(&mut self) -> bool {
        let blank = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        self.at += blank;
        let free = self.at == 0 || blank > 0 || self.line[..self.at].ends_with(['"', ';']);
        match self.rest().chars().next() {
            None | Some(';') => false,
            Some('#') if free => false,
            Some(_) => true,
        }
    }

    /// The next word: up to a blank or `;`, or a JSON string.
    fn word(&mut self) -> std::result::Result<String, Wrong> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let end = self.rest().find([' ', '\t', ';']).unwrap_or(self.rest().len());
        let word = &self.rest()[..end];
        if let Some(at) = word.find('"') {
            self.at += at;
            return self.wrong("a quote within a word; write the whole word as a JSON string");
        }
        self.at += end;
        Ok(word.to_string())
    }

    fn quoted(&mut self) -> std::result::Result<String, Wrong> {
        let mut stream = serde_json::Deserializer::from_str(self.rest()).into_iter::<String>();
        let text = match stream.next() {
            Some(Ok(text)) => text,
            _ => return self.wrong("a JSON string that does not end, or has a broken escape"),
        };
        self.at += stream.byte_offset();
        match self.rest().chars().next() {
            None | Some(' ' | '\t' | ';') => Ok(text),
            Some(_) => self.wrong("something sticks to the quoted word"),
        }
    }

    /// All words of the clause, with one blank between them.
    fn phrase(&mut self) -> std::result::Result<String, Wrong> {
        if self.rest().starts_with('"') {
            let text = self.quoted()?;
            return match self.more() {
                true => self.wrong("a quoted value is the whole value of its clause"),
                false => Ok(text),
            };
        }
        let mut text = String::new();
        while self.more() {
            if !text.is_empty() {
                text.push(' ');
            }
            let end = self.rest().find([' ', '\t', ';']).unwrap_or(self.rest().len());
            text.push_str(&self.rest()[..end]);
            self.at += end;
        }
        Ok(text)
    }

    /// A line that begins a rule; a blank one and a comment do not.
    fn rule(&mut self) -> std::result::Result<Option<Draft>, Wrong> {
        if !self.more() && !self.rest().starts_with(';') {
            return Ok(None);
        }
        let start = self.here();
        let word = self.word()?;
        let Some(action) = Action::from_word(&word) else {
            self.at = 0;
            return self.wrong(format!("{word:?} is not allow, deny or ask"));
        };
        let map = Map::from_iter([("action".to_string(), Value::from(action.word()))]);
        let mut draft = Draft { map, places: Places { start, fields: Vec::new() } };
        if !self.more() {
            return self.wrong("the rule says nothing; `tool *` is about every call");
        }
        loop {
            self.clause(&mut draft)?;
            if !self.rest().starts_with(';') {
                return Ok(Some(draft));
            }
            self.at += 1;
            if !self.more() {
                return self.wrong("nothing behind the `;`");
            }
        }
    }

    fn clause(&mut self, draft: &mut Draft) -> std::result::Result<(), Wrong> {
        let begun = self.at;
        let word = self.word()?;
        let known = CLAUSES.iter().find(|(name, _)| *name == word);
        let Some((_, field)) = known else {
            self.at = begun;
            let known: Vec<&str> = CLAUSES.iter().map(|(name, _)| *name).collect();
            return self.wrong(format!("unknown word {word:?}; known are {}", known.join(", ")));
        };
        if !self.more() {
            return self.wrong(format!("nothing behind {word:?}"));
        }
        match *field {
            "id" | "reason" | "command" => {
                let at = self.here();
                if *field != "command" && draft.map.contains_key(*field) {
                    return self.wrong(format!("a second {word:?}"));
                }
                let text = self.phrase()?;
                draft.add(field, at, text.into());
            }
            "args" => {
                let at = self.here();
                let name = self.word()?;
                if !self.more() {
                    return self.wrong(format!("no pattern behind the field {name:?}"));
                }
                draft.places.fields.push((field, at));
                let empty = || Value::Object(Map::new());
                let map = draft.map.entry("args").or_insert_with(empty).as_object_mut();
                let Some(map) = map else { return Ok(()) };
                while self.more() {
                    push(map, &name, self.word()?.into());
                }
            }
            _ => {
                while self.more() {
                    let at = self.here();
                    let word = self.word()?;
                    draft.add(field, at, word.into());
                }
            }
        }
        Ok(())
    }

    /// A line below a rule.
    fn example(&mut self, draft: Option<&mut Draft>) -> std::result::Result<(), Wrong> {
        if !self.more() && !self.rest().starts_with(';') {
            return Ok(());
        }
        let begins = |(word, _): &&(&str, &str)| self.rest().starts_with(word);
        let Some((word, field)) = EXAMPLES.iter().find(begins) else {
            return self.wrong("a line below a rule begins with `match:` or `no-match:`");
        };
        let Some(draft) = draft else { return self.wrong("an example without a rule above it") };
        self.at += word.len();
        self.more();
        let (at, text) = (self.here(), self.rest().trim_end());
        let text = if text.starts_with('"') { self.quoted()? } else { text.to_string() };
        draft.add(field, at, text.into());
        Ok(())
    }
}

/// The lines that [`parse`] reads as these rules.
pub fn print(rules: &[Rule]) -> String {
    let mut out = String::new();
    for rule in rules {
        let value = rule::one_to_json(rule);
        out.push_str(rule.action.word());
        let mut sign = " ";
        for (word, field) in &CLAUSES {
            for clause in clauses(field, &value[*field]) {
                let _ = write!(out, "{sign}{word} {clause}");
                sign = " ; ";
            }
        }
        out.push('\n');
        for (word, field) in EXAMPLES {
            for text in texts(&value[field]) {
                let plain = text.trim() == text && !text.starts_with('"');
                let shown = if plain { text.to_string() } else { Value::from(text).to_string() };
                let _ = writeln!(out, "  {word} {shown}");
            }
        }
    }
    out
}

/// What stands behind the word of a field: in one clause, or in one for each value.
fn clauses(field: &str, value: &Value) -> Vec<String> {
    let words = |value: &Value| texts(value).into_iter().map(word).collect::<Vec<_>>().join(" ");
    match (field, value) {
        (_, Value::Null) => Vec::new(),
        ("args", Value::Object(map)) => {
            map.iter().map(|(name, value)| format!("{} {}", word(name), words(value))).collect()
        }
        ("command" | "id" | "reason", value) => texts(value).into_iter().map(phrase).collect(),
        (_, value) => vec![words(value)],
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

fn word(text: &str) -> String {
    let odd = text.is_empty() || text.contains(['"', ';', ' ', '\t']) || text.starts_with('#');
    if odd || text.chars().any(char::is_control) {
        Value::from(text).to_string()
    } else {
        text.into()
    }
}

fn phrase(text: &str) -> String {
    let plain = text.split(' ').all(|part| !part.is_empty() && !part.starts_with('#'));
    let odd =
        text.starts_with('"') || text.contains([';', '\t']) || text.chars().any(char::is_control);
    if plain && !odd { text.into() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests;
