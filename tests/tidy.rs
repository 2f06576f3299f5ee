//! Checks the repository itself. A rule people agreed on lives here, or it is not a rule.
//!
//! Each check is a function from sources to complaints, and each has a test that it complains
//! about a broken sample: a check that has gone blind is found by that.

#[path = "tidy/dashboard.rs"]
mod dashboard;
#[path = "tidy/programs.rs"]
mod programs;
#[path = "tidy/source.rs"]
mod source;

use crate::source::Source;
use crate::source::functions;
use crate::source::has_word;
use crate::source::identifier;
use crate::source::read;
use crate::source::read_one;
use crate::source::words_at;

/// What each room may import, lowest floor first. A row may name only rows above it, so the table
/// cannot describe a cycle.
#[rustfmt::skip]
const FLOORS: &[(&str, &str)] = &[
    ("limits",   ""),
    ("base",     "limits"),
    ("sys",      "limits base"),
    ("auth",     "limits base"),
    ("model",    "limits base auth"),
    ("config",   "limits base sys"),
    ("term",     "limits base model"),
    ("policy",   "limits base model"),
    ("provider", "limits base model"),
    ("secrets",  "limits base sys"),
    ("output",   "limits base sys"),
    ("cage",     "limits base sys"),
    ("keeper",   "limits base sys output cage"),
    ("store",    "limits base model auth"),
    ("service",  "limits base sys config model term policy provider secrets auth output cage keeper store"),
    ("http",     "limits base sys config auth model cage service"),
    ("cli",      "limits base sys config model term policy provider cage"),
    ("daemon",   "limits base sys config model store keeper service http"),
    ("main",     "cli daemon keeper"),
];

/// Words with one home (empty: none), and what to use everywhere else.
#[rustfmt::skip]
const ONE_HOME: &[(&str, &str, &str)] = &[
    ("unsafe",            "src/sys/",           "a safe function in src/sys"),
    ("libc",              "src/sys/",           "a safe function in src/sys"),
    ("nix::",             "src/sys/",           "a safe function in src/sys"),
    ("rusqlite",          "src/store/",         "a function in src/store"),
    ("SystemTime::now",   "src/base/time.rs",   "base::time::unix_ms"),
    ("Instant::now",      "src/base/time.rs",   "base::time::now"),
    ("std::thread::spawn", "src/base/thread.rs", "base::thread::spawn, which names the thread"),
    ("std::thread::Builder", "src/base/thread.rs", "base::thread::spawn, which names the thread"),
    ("use std::thread;",  "",                   "std::thread::x in full: `thread` is base::thread"),
    ("println!",          "src/cli/",           "the log in the daemon, the client's output in src/cli"),
    ("print!",            "src/cli/",           "the log in the daemon, the client's output in src/cli"),
    ("tiny_http::Server", "",                   "src/http/front.rs: it reads under limits"),
    ("unbounded",         "",                   "bounded(limits::X): a queue has a size and a rule for full"),
    ("crate::{",          "",                   "one `use crate::room` per line, so that floors can be read"),
    ("super::super",      "",                   "a crate:: path"),
    ("pub use",           "src/sys/",           "the item's own path: a thing has one name"),
    ("dbg!",              "",                   "nothing: take it out"),
    ("todo!",             "",                   "the code itself"),
    ("unimplemented!",    "",                   "the code itself"),
];

/// SQL, which stands in strings.
const SQL: &[&str] =
    &["SELECT", "INSERT INTO", "INSERT OR", "DELETE FROM", "UPDATE", "CREATE TABLE", "PRAGMA"];

/// What may stand at the top of the repository besides dot-files, and what git never sees.
#[rustfmt::skip]
const TOP: &[&str] = &[
    "Cargo.toml", "Cargo.lock", "src", "static", "schema.sql", "tests", "Makefile", "README.md",
    "CHANGELOG.md", "LICENSE", "SECURITY.md", "build.rs", "packaging", "target",
];

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;
const LINE_CHARS: usize = 100;

#[test]
fn floors_form_a_ladder() {
    for (i, (room, may)) in FLOORS.iter().enumerate() {
        for other in may.split(' ').filter(|word| !word.is_empty()) {
            let below = FLOORS[..i].iter().any(|(name, _)| *name == other);
            assert!(below, "FLOORS: {room} may not import {other}: it is on no lower floor");
        }
    }
}

#[test]
fn imports_follow_the_floors() {
    report(floors(&read("src", ".rs")));
    expect(floors(&[Source::new("src/model/x.rs", "use crate::store::Store;")]), "model");
    expect(floors(&[Source::new("src/main.rs", "codepiper::http::run()")]), "main");
    expect(floors(&[Source::new("src/attic/x.rs", "")]), "attic");
    report(floors(&[Source::new("src/sys/x.rs", "// crate::http\nuse crate::base::id;")]));
}

fn floors(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|s| s.path != "src/lib.rs") {
        let path = &source.path;
        let room = identifier(path.trim_start_matches("src/"));
        let Some((_, may)) = FLOORS.iter().find(|(name, _)| *name == room) else {
            complaints.push(format!("{path}: {room} has no row in FLOORS"));
            continue;
        };
        for (number, line) in numbered(&source.bare) {
            for root in ["crate::", "codepiper::"] {
                for other in words_at(line, root).map(|at| identifier(&line[at + root.len()..])) {
                    let known = FLOORS.iter().any(|(name, _)| *name == other);
                    if known && other != room && !may.split(' ').any(|m| m == other) {
                        complaints.push(format!("{path}:{number}: {room} may not import {other}"));
                    }
                }
            }
        }
    }
    complaints
}

#[test]
fn files_functions_and_lines_are_short() {
    for (dir, ending) in [("src", ".rs"), ("tests", ".rs"), ("tests", ".py"), ("tests", ".sh")] {
        report(sizes(&read(dir, ending)));
    }
    for (dir, ending) in [("static/js", ".js"), ("static/css", ".css"), ("tests", ".mjs")] {
        report(sizes(&read(dir, ending)));
    }
    expect(sizes(&[Source::new("x.rs", &"a\n".repeat(FILE_LINES + 1))]), "lines");
    expect(sizes(&[Source::new("x.rs", &"é".repeat(LINE_CHARS + 1))]), "wide");
    let long = format!("fn f() {{\n{}}}\n", "    x;\n".repeat(FUNCTION_LINES));
    expect(sizes(&[Source::new("x.rs", &long)]), "fn f");
}

fn sizes(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let (path, lines) = (&source.path, source.text.lines().count());
        if lines > FILE_LINES {
            complaints.push(format!("{path}: {lines} lines, the limit is {FILE_LINES}"));
        }
        for (number, line) in numbered(&source.text) {
            // A table that rustfmt leaves alone may be wide; its rows are read across.
            let table = line.trim_start().starts_with("(\"");
            if line.chars().count() > LINE_CHARS && !table {
                complaints.push(format!("{path}:{number}: wider than {LINE_CHARS} characters"));
            }
        }
        for (number, name, lines) in functions(source).iter().filter(|f| f.2 > FUNCTION_LINES) {
            complaints.push(format!("{path}:{number}: fn {name} has {lines} lines"));
        }
    }
    complaints
}

#[test]
fn each_file_says_first_what_it_is() {
    for dir in ["src", "tests"] {
        report(first_lines(&read(dir, ".rs")));
    }
    expect(first_lines(&[Source::new("src/x.rs", "use std::fs;")]), "first line");
}

fn first_lines(sources: &[Source]) -> Vec<String> {
    let silent = sources.iter().filter(|s| !s.text.starts_with("//! "));
    silent.map(|s| format!("{}: the first line must be a //! sentence", s.path)).collect()
}

#[test]
fn some_words_have_one_home() {
    report(words(&read("src", ".rs")));
    for (word, home, _) in ONE_HOME {
        expect(words(&[Source::new("src/model/x.rs", &format!("{word} x"))]), word);
        if !home.is_empty() {
            let at_home =
                if home.ends_with('/') { format!("{home}x.rs") } else { home.to_string() };
            report(words(&[Source::new(&at_home, &format!("{word} x"))]));
        }
    }
    expect(words(&[Source::new("src/cli/x.rs", "f(\"SELECT 1\")")]), "SELECT");
    expect(words(&[Source::new("src/cli/x.rs", "Duration::from_secs(5)")]), "limits");
    report(words(&[Source::new("src/cli/x.rs", "// unsafe\n#[cfg(test)]\nInstant::now()")]));
    let parent = Source::new("src/cli/mod.rs", "#[cfg(test)]\nmod fuzz;");
    report(words(&[parent, Source::new("src/cli/fuzz.rs", "Instant::now()")]));
}

fn words(sources: &[Source]) -> Vec<String> {
    let (mut complaints, for_tests) = (Vec::new(), test_modules(sources));
    for source in sources.iter().filter(|s| !s.module().is_some_and(|m| for_tests.contains(&m))) {
        // The tests at a file's foot may do what they like.
        let end = source.lines_before_tests();
        let lines = numbered(&source.bare).zip(source.code.lines()).take(end);
        for ((number, bare), code) in lines {
            let path = &source.path;
            for (word, home, instead) in ONE_HOME {
                let at_home = !home.is_empty() && path.starts_with(home);
                if has_word(bare, word) && !at_home {
                    complaints.push(format!("{path}:{number}: {word}: use {instead}"));
                }
            }
            for word in SQL.iter().filter(|_| !path.starts_with("src/store/")) {
                let in_string = has_word(code, word) && !has_word(bare, word);
                if in_string {
                    complaints.push(format!("{path}:{number}: {word}: SQL lives in src/store"));
                }
            }
            if !path.starts_with("src/limits") && has_literal_duration(bare) {
                complaints.push(format!("{path}:{number}: a time-out is a constant of limits.rs"));
            }
        }
    }
    complaints
}

/// `Duration::from_secs(5)` is a decision; `Duration::from_secs(seconds)` is arithmetic.
fn has_literal_duration(line: &str) -> bool {
    line.match_indices("Duration::from_")
        .filter_map(|(at, _)| line[at..].split_once('('))
        .any(|(_, argument)| argument.starts_with(|c: char| c.is_ascii_digit()))
}

#[test]
fn programs_are_started_in_few_places() {
    let all = read("src", ".rs");
    report(programs::starts(&all, &test_modules(&all)));
    let made = |text: &str| programs::starts(&[Source::new("src/service/x.rs", text)], &[]);
    expect(made("std::process::Command::new(git)"), "git");
    report(made("#[cfg(test)]\nCommand::new(sh)"));
    programs::check_table(&all);
}

#[test]
fn nothing_is_left_for_later() {
    for dir in ["src", "tests"] {
        report(leftovers(&read(dir, ".rs")));
    }
    for word in later_words() {
        expect(leftovers(&[Source::new("tests/x.rs", &format!("// {word}: x"))]), &word);
    }
}

/// Put together here, so that this file does not contain them.
fn later_words() -> [String; 3] {
    [["FIX", "ME"].concat(), ["#[ign", "ore"].concat(), ["XX", "X"].concat()]
}

fn leftovers(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        for (number, line) in numbered(&source.text) {
            for word in later_words().iter().filter(|word| has_word(line, word)) {
                complaints.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    complaints
}

#[test]
fn the_top_of_the_repository_holds_what_the_design_names() {
    let entries = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the repository");
    let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("text"));
    let names: Vec<String> = names.collect();
    report(top(&names));
    for name in TOP.iter().take(4) {
        assert!(names.iter().any(|n| n == name) || *name == "static", "{name} is missing");
    }
    expect(top(&["docs".to_string()]), "docs");
}

fn top(names: &[String]) -> Vec<String> {
    let odd = names.iter().filter(|n| !n.starts_with('.') && !TOP.contains(&n.as_str()));
    odd.map(|name| format!("{name}: the top level is fixed; see TOP")).collect()
}

#[test]
fn each_dependency_says_why_it_is_there() {
    report(reasons(&read_one("Cargo.toml")));
    expect(reasons(&Source::new("Cargo.toml", "[dependencies]\nnix = \"1\"\n")), "nix");
    let fine = "[package]\nname = \"x\"\n[dependencies]\n# why\nnix = \"1\"\n";
    report(reasons(&Source::new("Cargo.toml", fine)));
}

fn reasons(manifest: &Source) -> Vec<String> {
    let (mut complaints, mut section, mut above) = (Vec::new(), "", "");
    for line in manifest.text.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && line.contains('=')
            && !line.starts_with('#')
            && !above.starts_with('#')
        {
            complaints.push(format!("{}: no reason above: {line}", manifest.path));
        }
        above = line;
    }
    complaints
}

#[test]
fn each_limit_is_used() {
    for limits in ["limits", "limits/gate", "limits/login", "limits/notices", "limits/socket"] {
        let limits = format!("src/{limits}.rs");
        report(unused_limits(&read_one(&limits), &read("src", ".rs")));
    }
    let limits = Source::new("src/limits.rs", "pub const A: u8 = 1;\npub const B: u8 = A;\n");
    expect(unused_limits(&limits, &[Source::new("src/x.rs", "limits::A // B")]), "B");
}

fn unused_limits(limits: &Source, sources: &[Source]) -> Vec<String> {
    let names = limits.bare.lines().filter_map(|l| Some(identifier(l.strip_prefix("pub const ")?)));
    let names: Vec<&str> = names.collect();
    assert!(!names.is_empty(), "limits.rs has no constants: this check sees nothing");
    let defines = |line: &str, name: &str| line.starts_with(&format!("pub const {name}:"));
    let all = || std::iter::once(limits).chain(sources.iter().filter(|s| s.path != limits.path));
    let used = |name: &str| {
        all().any(|s| s.bare.lines().any(|line| has_word(line, name) && !defines(line, name)))
    };
    let idle = names.into_iter().filter(|name| !used(name));
    idle.map(|name| format!("src/limits.rs: {name} limits nothing")).collect()
}

#[test]
fn each_module_is_declared_and_used() {
    report(dead_modules(&read("src", ".rs"), &read("tests", ".rs")));
    let declared = Source::new("src/a/mod.rs", "pub mod b;");
    let sample = [declared, Source::new("src/a/b.rs", "")];
    expect(dead_modules(&sample, &[]), "nobody uses a::b");
    expect(dead_modules(&[Source::new("src/a/b.rs", "")], &[]), "nobody declares a::b");
    let parent = Source::new("src/a/mod.rs", "#[cfg(test)]\nmod b;");
    let root = Source::new("src/lib.rs", "pub mod a;");
    report(dead_modules(&[root, parent, Source::new("src/a/b.rs", "")], &[]));
}

fn dead_modules(sources: &[Source], tests: &[Source]) -> Vec<String> {
    let (mut complaints, for_tests) = (Vec::new(), test_modules(sources));
    for (source, module) in sources.iter().filter_map(|s| Some((s, s.module()?))) {
        let (parent, name) = module.rsplit_once("::").unwrap_or(("", &module));
        let others = || sources.iter().chain(tests).filter(|s| s.path != source.path);
        let says = |s: &Source, text: &str| s.bare.lines().any(|line| has_word(line, text));
        let declaration = format!("mod {name};");
        if !others().any(|s| s.module().unwrap_or_default() == parent && says(s, &declaration)) {
            complaints.push(format!("{}: nobody declares {module}", source.path));
        }
        let beside = format!("{name}::");
        let used = others().any(|s| {
            let near = s.module().is_some_and(|m| m == parent || m.starts_with(parent));
            says(s, &module) || near && !parent.is_empty() && says(s, &beside)
        });
        if !parent.is_empty() && !used && !adds_methods(source) && !for_tests.contains(&module) {
            complaints.push(format!("{}: nobody uses {module}", source.path));
        }
    }
    complaints
}

/// Whether a file adds methods to a type that is defined elsewhere: it is used through the type.
fn adds_methods(source: &Source) -> bool {
    let types = source.bare.lines().filter_map(|line| line.strip_prefix("impl "));
    types.map(identifier).any(|name| {
        let defines =
            |line: &str| ["struct", "enum"].iter().any(|k| line.contains(&format!("{k} {name}")));
        !name.is_empty() && !source.bare.lines().any(defines)
    })
}

/// Modules that exist in test builds only, by their full names.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let lines: Vec<&str> = source.bare.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let name = pair[1].strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
            found.extend(name.map(|n| format!("{}::{n}", source.module().unwrap_or_default())));
        }
    }
    found
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line))
}

#[track_caller]
fn report(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// A broken sample must be complained about, with this word.
#[track_caller]
fn expect(complaints: Vec<String>, word: &str) {
    assert!(complaints.iter().any(|c| c.contains(word)), "blind to {word}: {complaints:?}");
}
