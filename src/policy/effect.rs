//! What a call does to files, hosts and programs, by the table of the agents' tools. Knows no
//! rules.
//!
//! 1. A call whose input is not what the table expects MUST be refused as not understood.

use crate::policy::host;
use crate::policy::patch;
use crate::policy::path::Ground;
use crate::policy::path::Spot;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// One thing that a call does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It reads a file or directory.
    Read(Spot),
    /// It writes a file or directory.
    Write(Spot),
    /// It speaks to a host, by its canonical name; see [`crate::policy::host`].
    Net(String),
    /// It runs a program of this name.
    Exec(String),
}

impl Effect {
    /// It reads what is there.
    pub fn read(spot: Spot) -> Effect {
        Effect::Read(spot)
    }

    /// It writes, makes or removes what is there.
    pub fn write(spot: Spot) -> Effect {
        Effect::Write(spot)
    }

    /// The file or directory that it is about, if it is about one.
    pub fn spot(&self) -> Option<&Spot> {
        match self {
            Effect::Read(spot) | Effect::Write(spot) => Some(spot),
            Effect::Net(_) | Effect::Exec(_) => None,
        }
    }

    /// Whether it writes a file or directory.
    pub fn writes(&self) -> bool {
        matches!(self, Effect::Write(_))
    }

    /// What it is, in words that a host, a path or a program follows.
    pub fn verb(&self) -> &'static str {
        match self {
            Effect::Read(_) => "reading",
            Effect::Write(_) => "writing",
            Effect::Net(_) => "asking the host",
            Effect::Exec(_) => "starting",
        }
    }

    /// The word for what it does, and what it truly does it to: `read`, `/p/a`.
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Effect::Read(spot) => ("read", &spot.real),
            Effect::Write(spot) => ("write", &spot.real),
            Effect::Net(host) => ("net", host),
            Effect::Exec(program) => ("exec", program),
        }
    }
}

/// What a tool reaches, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Through a command line.
    Shell,
    /// It reads what its fields name.
    Read,
    /// It writes what its fields name.
    Write,
    /// It looks for names by a pattern.
    Search,
    /// It applies a patch.
    Patch,
    /// It asks the host of a URL.
    Net,
    /// It has the net searched.
    Query,
    /// It starts something that works on its own, by the word of its row.
    Exec,
    /// It does nothing outside of the agent.
    Nothing,
}

/// A row of `tools.txt`.
#[derive(Debug)]
pub struct Tool {
    /// What it reaches.
    pub kind: Kind,
    fields: Vec<&'static str>,
    unless: Vec<&'static str>,
}

/// Why a call is not understood, in words that follow "because".
pub type Why = String;

/// The tool of this name, where its effects are known.
pub fn tool(name: &str) -> Option<&'static Tool> {
    TABLE.get(name)
}

/// The tool that a name which is no tool's was perhaps meant to be: the same letters.
pub fn near(name: &str) -> Option<&'static str> {
    let known = TABLE.keys().find(|known| known.eq_ignore_ascii_case(name));
    known.copied().filter(|known| *known != name)
}

impl Tool {
    /// The tool's one text: a command line or a patch.
    pub fn text<'a>(&self, input: &'a Value) -> Result<&'a str, Why> {
        self.check(input)?;
        let mut given = self.fields.iter().filter_map(|name| present(input, name));
        match (given.next(), given.next()) {
            (Some(Value::String(text)), None) => Ok(text),
            (Some(Value::Array(list)), None) => shell_script(list)
                .ok_or_else(|| format!("its {} is neither a string nor a shell's", self.fields[0])),
            (None, _) => Err(format!("its input has no {}", self.fields[0])),
            (Some(_), None) => Err(format!("its {} is not one string", self.fields[0])),
            (Some(_), Some(_)) => Err("its input has more than one command".to_string()),
        }
    }

    /// What the call does to files, from the directory `dir`; not for [`Kind::Shell`].
    pub fn effects(
        &self,
        input: &Value,
        dir: &str,
        ground: &Ground<'_>,
    ) -> Result<Vec<Effect>, Why> {
        self.check(input)?;
        let field = |field: &str| self.field(field, input, dir, ground);
        let each = |does: fn(Spot) -> Effect| {
            self.fields.iter().map(|name| field(name).map(does)).collect()
        };
        match self.kind {
            Kind::Read => each(Effect::read),
            Kind::Write => each(Effect::write),
            Kind::Patch => patch_effects(self.text(input)?, dir, ground),
            Kind::Search => {
                let base = field(self.fields[0])?;
                let pattern = text(input, self.fields[1])?.ok_or("its input has no pattern")?;
                let spot = ground.spot(search_base(pattern)?, &base.written);
                let spot = spot.ok_or("its pattern is not one for plain paths")?;
                Ok(vec![Effect::Read(base), Effect::Read(spot)])
            }
            Kind::Net => {
                let name = self.fields[0];
                let url = text(input, name)?.ok_or_else(|| format!("its input has no {name}"))?;
                Ok(vec![Effect::Net(host::of_url(url)?)])
            }
            Kind::Query => queried(input, self.fields[0]),
            Kind::Exec => Ok(vec![Effect::Exec(self.fields[0].to_string())]),
            Kind::Shell | Kind::Nothing => Ok(Vec::new()),
        }
    }

    fn check(&self, input: &Value) -> Result<(), Why> {
        let odd = |name: &&&str| present(input, name).is_some_and(|v| *v != Value::Bool(false));
        match self.unless.iter().find(odd) {
            Some(name) => Err(format!("it asks for {name}")),
            None => Ok(()),
        }
    }

    fn field(
        &self,
        field: &str,
        input: &Value,
        dir: &str,
        ground: &Ground<'_>,
    ) -> Result<Spot, Why> {
        let name = field.trim_end_matches('?');
        let path = match text(input, name)? {
            Some(path) => path,
            None if field.ends_with('?') => ".",
            None => return Err(format!("its input has no {name}")),
        };
        ground.spot(path, dir).ok_or_else(|| format!("its {name} is not a plain path"))
    }
}

/// Codex has its own shell read a line: `["bash", "-lc", LINE]`.
fn shell_script(list: &[Value]) -> Option<&str> {
    let [program, option, line] = list else { return None };
    let is = |value: &Value, names: &[&str]| value.as_str().is_some_and(|v| names.contains(&v));
    let shell = is(program, &["bash", "/bin/bash", "/usr/bin/bash"]) && is(option, &["-lc", "-c"]);
    line.as_str().filter(|_| shell)
}

/// A search asks the one who searches, and is as good as a question to each host that it names.
fn queried(input: &Value, field: &str) -> Result<Vec<Effect>, Why> {
    let mut effects = vec![Effect::Net(host::SEARCH.to_string())];
    let odd = || format!("its {field} is not a list of hosts");
    if let Some(value) = present(input, field) {
        for name in value.as_array().ok_or_else(odd)? {
            let host = name.as_str().and_then(host::canonical).ok_or_else(odd)?;
            effects.push(Effect::Net(host));
        }
    }
    Ok(effects)
}

/// The writes of a patch that is applied in the directory `dir`.
pub fn patch_effects(text: &str, dir: &str, ground: &Ground<'_>) -> Result<Vec<Effect>, Why> {
    let effect = |name: &str| {
        // Who applies it knows no home: `~` is a directory like any other, and a trap for people.
        let spot = ground.spot(name, dir).filter(|_| !name.starts_with('~'));
        let spot = spot.ok_or("the patch names what is not a plain path")?;
        Ok(Effect::write(spot))
    };
    patch::files(text)?.into_iter().map(effect).collect()
}

fn present<'a>(input: &'a Value, name: &str) -> Option<&'a Value> {
    input.get(name).filter(|value| !value.is_null())
}

/// A string of the input; anything else under that name is not understood.
pub fn text<'a>(input: &'a Value, name: &str) -> Result<Option<&'a str>, Why> {
    match present(input, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("its {name} is not a string")),
    }
}

/// The directory that a pattern for names looks in: what stands before its first wildcard.
fn search_base(pattern: &str) -> Result<&str, Why> {
    let Some(wild) = pattern.find(['*', '?', '[', '{']) else { return Ok(pattern) };
    let (fixed, rest) = pattern.split_at(pattern[..wild].rfind('/').map_or(0, |slash| slash + 1));
    if rest.contains("..") || rest.contains("{/") || rest.contains(",/") {
        return Err("its pattern looks outside of its directory".to_string());
    }
    Ok(if fixed.is_empty() { "." } else { fixed })
}

static TABLE: LazyLock<HashMap<&str, Tool>> = LazyLock::new(|| {
    let lines = include_str!("tools.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(row).collect()
});

/// The table is part of the program: a broken line is found by the tests below.
fn row(line: &'static str) -> (&'static str, Tool) {
    let (name, rest) = line.split_once(": ").expect("TOOL: KIND FIELD in tools.txt");
    let (kind, fields) = rest.split_once(' ').unwrap_or((rest, ""));
    let kind = match kind {
        "shell" => Kind::Shell,
        "read" => Kind::Read,
        "write" => Kind::Write,
        "search" => Kind::Search,
        "patch" => Kind::Patch,
        "net" => Kind::Net,
        "query" => Kind::Query,
        "exec" => Kind::Exec,
        "nothing" => Kind::Nothing,
        other => panic!("unknown kind {other} in tools.txt"),
    };
    let (unless, fields) =
        fields.split_ascii_whitespace().partition(|field| field.starts_with('!'));
    let unless = Vec::into_iter(unless).map(|field: &str| &field[1..]).collect();
    (name, Tool { kind, fields, unless })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Place;
    use crate::policy::path::normal;
    use serde_json::json;

    fn effects(name: &str, input: &Value) -> Result<Vec<String>, Why> {
        let resolve = |path: &str| normal(path);
        let ground = Ground::new(&Place { project: "/p", home: "/h", own: &[], resolve: &resolve });
        let list = tool(name).expect("a tool of the table").effects(input, "/p/a", &ground)?;
        let shown = |e: &Effect| format!("{} {}", &e.words().0[..1], e.words().1);
        Ok(list.iter().map(shown).collect())
    }

    #[test]
    fn a_tool_does_what_its_row_says() {
        let patch = "*** Begin Patch\n*** Add File: x\n*** Delete File: /etc/y\n*** End Patch";
        for (name, input, want) in [
            ("Read", json!({"file_path": "/etc/passwd"}), vec!["r /etc/passwd"]),
            ("Read", json!({"file_path": "../x", "limit": 3}), vec!["r /p/x"]),
            ("NotebookEdit", json!({"notebook_path": "~/x"}), vec!["w /h/x"]),
            ("Write", json!({"file_path": "x", "content": "/etc/passwd"}), vec!["w /p/a/x"]),
            ("LS", json!({}), vec!["r /p/a"]),
            ("Grep", json!({"pattern": "x", "path": null}), vec!["r /p/a"]),
            ("Glob", json!({"pattern": "**/*.rs"}), vec!["r /p/a", "r /p/a"]),
            ("Glob", json!({"pattern": "/etc/*", "path": "b"}), vec!["r /p/a/b", "r /etc"]),
            ("Glob", json!({"pattern": "../../x/a[b"}), vec!["r /p/a", "r /x"]),
            ("apply_patch", json!({"command": patch}), vec!["w /p/a/x", "w /etc/y"]),
            ("apply_patch", json!({"input": patch}), vec!["w /p/a/x", "w /etc/y"]),
            ("view_image", json!({"path": "x.png"}), vec!["r /p/a/x.png"]),
            ("WebFetch", json!({"url": "https://A.example/x"}), vec!["n a.example"]),
            ("WebSearch", json!({"query": "x"}), vec!["n search"]),
            (
                "WebSearch",
                json!({"query": "x", "allowed_domains": ["a.example"]}),
                vec!["n search", "n a.example"],
            ),
            ("Task", json!({"prompt": "rm -rf /"}), vec!["e agent"]),
            ("Agent", json!({"prompt": "x"}), vec!["e agent"]),
            ("TodoWrite", json!({"todos": ["/etc/passwd"]}), vec![]),
        ] {
            assert_eq!(
                effects(name, &input),
                Ok(want.iter().map(|s| s.to_string()).collect()),
                "{input}"
            );
        }
    }

    #[test]
    fn an_input_that_the_table_does_not_expect_is_not_understood() {
        for (name, input) in [
            ("Read", json!({})),
            ("Read", json!({"path": "x"})),
            ("Read", json!({"file_path": ["x"]})),
            ("Read", json!({"file_path": " x"})),
            ("Write", json!({"file_path": ""})),
            ("Read", json!("x")),
            ("LS", json!({"path": 1})),
            ("Glob", json!({"path": "b"})),
            ("Glob", json!({"pattern": "**/../../x"})),
            ("Glob", json!({"pattern": "{/etc/x,b}"})),
            ("WebFetch", json!({"url": "https://a@b.example"})),
            ("WebFetch", json!({"url": ["https://b.example"]})),
            ("WebFetch", json!({})),
            ("WebSearch", json!({"query": "x", "allowed_domains": "a.example"})),
            ("WebSearch", json!({"query": "x", "allowed_domains": ["a.example/x"]})),
            ("apply_patch", json!({"command": "x"})),
            ("apply_patch", json!({"command": "x", "input": "y"})),
            (
                "apply_patch",
                json!({"command": "*** Begin Patch\n*** Add File: ~/x\n*** End Patch"}),
            ),
        ] {
            assert!(effects(name, &input).is_err(), "{name} {input}");
        }
    }

    #[test]
    fn a_command_line_stands_in_one_field_and_runs_as_usual() {
        let bash = tool("Bash").unwrap();
        assert_eq!(bash.text(&json!({"command": "ls", "timeout": 5})), Ok("ls"));
        assert_eq!(bash.text(&json!({"cmd": "ls", "env": null})), Ok("ls"));
        assert_eq!(bash.text(&json!({"command": ["bash", "-lc", "ls"]})), Ok("ls"));
        assert_eq!(bash.text(&json!({"cmd": "ls", "dangerouslyDisableSandbox": false})), Ok("ls"));
        for bad in [
            json!({}),
            json!({"command": null}),
            json!({"command": ["ls"]}),
            json!({"command": ["env", "-lc", "ls"]}),
            json!({"command": ["bash", "-lc", "ls", "x"]}),
            json!({"command": "ls", "cmd": "ls"}),
            json!({"command": "ls", "dangerouslyDisableSandbox": true}),
            json!({"command": "ls", "sandbox_permissions": "require_escalated"}),
        ] {
            assert!(bash.text(&bad).is_err(), "{bad}");
        }
    }
}
