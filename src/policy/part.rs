//! A call taken apart into what is judged one by one. Knows no rules.
//!
//! 1. A call of which a piece is not understood MUST have no parts at all.
//! 2. What only might be MUST stand apart from what is: only rules that deny or ask look there.

use crate::limits;
use crate::model::call::ToolCall;
use crate::policy::effect;
use crate::policy::effect::Effect;
use crate::policy::effect::Kind;
use crate::policy::effect::Tool;
use crate::policy::effect::Why;
use crate::policy::host;
use crate::policy::patch;
use crate::policy::path::Ground;
use crate::policy::path::Many;
use crate::policy::path::Spot;
use crate::policy::pattern;
use crate::policy::pattern::Stamp;
use crate::policy::program::reading;
use crate::policy::shell;
use crate::policy::shell::Command;
use crate::policy::shell::lex;
use crate::policy::visible;
use serde_json::Value;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::LazyLock;

/// A simple command of a shell call; of any other call, the whole.
#[derive(Debug)]
pub struct Part<'a> {
    /// What reasons call it, not yet fit for people.
    pub name: &'a str,
    /// The whole input of the call.
    pub input: &'a Value,
    /// The names of the tool that it is a call of.
    pub tools: Vec<&'a str>,
    /// The command, for a part that is one.
    pub words: Option<Vec<String>>,
    /// Those of them, by their place, that stand for several.
    pub many: Vec<(usize, Vec<String>)>,
    /// For each of the words, whether a `*` of an allow rule may cover it.
    pub inert: Vec<bool>,
    /// The command with the wrappers that it was written with, if any.
    pub outer: Vec<Vec<String>>,
    /// The stamp of its program, if that alone decides which patterns can be about it.
    pub program: Option<Stamp>,
    /// The command runs others that begin at one of its later words.
    pub wraps: bool,
    /// Commands that it might run.
    pub might_run: Vec<Vec<String>>,
    /// Its input comes from the command before it, or from a file.
    pub is_fed: bool,
    /// That input is only data to it.
    pub is_known: bool,
    /// Where it runs, each of which is possible; none: unknown.
    pub dirs: Rc<Vec<Spot>>,
    /// It goes to a directory outside of the project.
    pub leaves: bool,
    /// What it is known to do.
    pub effects: Vec<Effect>,
    /// How many of these, at the front, its words alone say.
    pub said: usize,
    /// Nothing else happens.
    pub only_effects: bool,
    /// Files that it might read or write.
    pub might_touch: Vec<Spot>,
    /// The same, of words that stand for several.
    pub might_meet: Vec<Many>,
    /// What it writes is among its effects: these it might only read.
    pub only_reads: bool,
    /// Hosts that it might speak to; filled by [`Part::guess_hosts`] alone.
    pub might_reach: Vec<String>,
}

impl Part<'_> {
    /// Notes each host that its words name, or for an unknown tool the strings of its input.
    pub fn guess_hosts(&mut self) {
        let list = &mut self.might_reach;
        let mut put = |host: String| list.push(host);
        for word in self.words.iter().flatten().chain(self.might_run.iter().flatten()) {
            host::mentioned(word, &mut put);
        }
        if self.words.is_none() {
            let strings = strings(self.input).take(limits::gate::CALL_STRINGS);
            strings.for_each(|text| host::mentioned(text, &mut put));
        }
    }

    /// What it does, a line for each: `exec git`, `read /p/a`.
    pub fn shown(&self) -> impl Iterator<Item = String> {
        let program = self.words.as_deref().and_then(<[String]>::first);
        let line = |(verb, what): (&str, &str)| {
            format!("{verb} {}", visible::shown(what, limits::gate::EFFECT_CHARS))
        };
        let effects = self.effects.iter().map(move |effect| line(effect.words()));
        program.map(|program| line(("exec", program))).into_iter().chain(effects)
    }
}

/// All strings in a value, in no order.
pub fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let mut open = vec![value];
    std::iter::from_fn(move || {
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => return Some(text.as_str()),
                Value::Array(list) => open.extend(list),
                Value::Object(map) => open.extend(map.values()),
                _ => {}
            }
        }
        None
    })
}

/// Takes a call apart; `touches` asks for what it might touch as well. The error says what is not
/// understood, in words that follow "because".
pub fn parts<'a>(
    call: &'a ToolCall,
    ground: &Ground<'_>,
    touches: bool,
) -> Result<Vec<Part<'a>>, Why> {
    let Some(tool) = effect::tool(&call.tool) else {
        return Ok(vec![unknown(call, ground, touches)]);
    };
    if tool.kind == Kind::Shell {
        return shell_parts(tool, call, ground, touches);
    }
    let mut part = blank(&call.tool, call, ground);
    part.effects = tool.effects(&call.input, &call.cwd, ground)?;
    part.only_effects = true;
    Ok(vec![part])
}

fn blank<'a>(name: &'a str, call: &'a ToolCall, ground: &Ground<'_>) -> Part<'a> {
    Part {
        name,
        input: &call.input,
        tools: vec![&call.tool],
        words: None,
        many: Vec::new(),
        inert: Vec::new(),
        outer: Vec::new(),
        program: None,
        wraps: false,
        might_run: Vec::new(),
        is_fed: false,
        is_known: false,
        dirs: Rc::new(ground.dir(&call.cwd).into_iter().collect()),
        leaves: false,
        effects: Vec::new(),
        said: 0,
        only_effects: false,
        might_touch: Vec::new(),
        might_meet: Vec::new(),
        only_reads: false,
        might_reach: Vec::new(),
    }
}

/// A tool that is not in the table: whatever its input says, it might do.
fn unknown<'a>(call: &'a ToolCall, ground: &Ground<'_>, touches: bool) -> Part<'a> {
    let mut part = blank(&call.tool, call, ground);
    for name in ["command", "cmd"] {
        if let Some(Ok(list)) = call.input.get(name).and_then(Value::as_str).map(lex::split) {
            part.might_run.extend(list.into_iter().map(|simple| simple.words));
        }
    }
    for text in strings(&call.input).take(limits::gate::CALL_STRINGS).filter(|_| touches) {
        let path = text.strip_prefix("file://").unwrap_or(text);
        touch(&mut part.might_touch, path, &call.cwd, ground);
    }
    part
}

fn shell_parts<'a>(
    tool: &Tool,
    call: &'a ToolCall,
    ground: &Ground<'_>,
    touches: bool,
) -> Result<Vec<Part<'a>>, Why> {
    let text = tool.text(&call.input)?;
    let dir = effect::text(&call.input, "workdir")?.unwrap_or(&call.cwd);
    let start = ground.dir(&call.cwd).and_then(|cwd| ground.spot(dir, &cwd.written));
    if let Some(patch) = patch::in_here_document(text) {
        let mut part = blank("apply_patch", call, ground);
        part.might_run.push(vec!["apply_patch".to_string()]);
        part.dirs = Rc::new(start.into_iter().collect());
        apply(&mut part, patch, ground)?;
        return Ok(vec![part]);
    }
    let commands = shell::commands(text, start, ground)?;
    let mut parts = Vec::with_capacity(commands.len());
    for Command { text, words, many, outer, dirs, files, is_fed, leaves } in commands {
        let mut part = blank(text, call, ground);
        (part.dirs, part.leaves, part.is_fed) = (dirs, leaves, is_fed);
        (part.many, part.outer) = (many, outer);
        match words.as_slice() {
            [program, patch] if program == "apply_patch" => apply(&mut part, patch, ground)?,
            _ => might(&mut part, &words, ground, touches),
        }
        let reading = reading::read(&words, &part.many, &part.dirs, ground);
        (part.inert, part.is_known) = (reading.inert, reading.is_known);
        (part.said, part.only_reads) = (reading.writes.len(), reading.is_understood);
        part.effects.splice(0..0, reading.writes);
        part.effects.extend(files);
        if !part.wraps && part.might_run.is_empty() {
            part.program = Some(pattern::stamp(&words[0]));
        }
        part.words = Some(words);
        parts.push(part);
    }
    Ok(parts)
}

/// A patch that is applied by a command, as Codex does it.
fn apply(part: &mut Part<'_>, patch: &str, ground: &Ground<'_>) -> Result<(), Why> {
    if part.dirs.is_empty() {
        return Err("the patch is applied nobody knows where".to_string());
    }
    let dirs = Rc::clone(&part.dirs);
    for dir in dirs.iter() {
        part.effects.extend(effect::patch_effects(patch, &dir.written, ground)?);
    }
    part.tools.push("apply_patch");
    part.only_effects = true;
    Ok(())
}

/// What a command might do, as long as nobody here knows what its words mean to it: each may be a
/// path, and for some programs a command.
fn might(part: &mut Part<'_>, words: &[String], ground: &Ground<'_>, touches: bool) {
    let program = words[0].rsplit('/').next().unwrap_or_default();
    part.wraps = WRAPPERS.contains(program);
    let lines =
        words[1..].iter().filter(|word| part.wraps && word.contains([' ', '\t', '\n', ';']));
    for list in lines.filter_map(|line| lex::split(line).ok()) {
        part.might_run.extend(list.into_iter().map(|simple| simple.words));
    }
    for outer in &part.outer {
        part.wraps |= WRAPPERS.contains(outer[0].rsplit('/').next().unwrap_or_default());
        part.might_run.push(outer.clone());
    }
    let words = part.outer.iter().flatten().chain(words).filter(|_| touches);
    for (_, globs) in part.many.iter().filter(|_| touches) {
        // What stands behind a `=` may be a path of its own.
        let tails = globs.iter().filter_map(|glob| glob.split_once('=')).map(|(_, tail)| tail);
        for glob in globs.iter().map(String::as_str).chain(tails) {
            let there = part.dirs.iter().filter_map(|dir| ground.many(glob, &dir.written));
            part.might_meet.extend(there);
        }
    }
    for word in words {
        // `--file=x`, `if=x`, `@x`, `HEAD:x`
        let tails = word.match_indices(['=', '@', ':']).map(|(at, _)| &word[at + 1..]);
        for path in std::iter::once(word.as_str()).chain(tails) {
            for dir in part.dirs.iter() {
                touch(&mut part.might_touch, path, &dir.written, ground);
            }
            if part.dirs.is_empty() {
                touch(&mut part.might_touch, path, &ground.project.0, ground);
            }
        }
    }
}

fn touch(list: &mut Vec<Spot>, path: &str, dir: &str, ground: &Ground<'_>) {
    if let Some((one, other)) = ground.either(path, dir) {
        list.push(one);
        list.extend(other);
    }
}

static WRAPPERS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("wrappers.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
});
