//! Reads the repository's text the way the checks want it: code without comments, code without
//! strings, tests cut off.

use std::fs;
use std::path::Path;

/// One file of the repository.
#[derive(Clone)]
pub struct Source {
    /// Relative to the repository, with slashes.
    pub path: String,
    /// As it stands in the file.
    pub text: String,
    /// Comments blanked, line for line the same.
    pub code: String,
    /// Comments and the insides of strings blanked.
    pub bare: String,
}

impl Source {
    /// Takes a text apart.
    pub fn new(path: &str, text: &str) -> Source {
        let (code, bare) =
            if path.ends_with(".rs") { blank(text) } else { (text.to_string(), text.to_string()) };
        Source { path: path.to_string(), text: text.to_string(), code, bare }
    }

    /// The number of lines before the tests at the file's foot.
    pub fn lines_before_tests(&self) -> usize {
        let tests = self.bare.lines().position(|line| line == "#[cfg(test)]");
        tests.unwrap_or_else(|| self.bare.lines().count())
    }

    /// `src/a/b.rs` is module `a::b`, `src/a/mod.rs` is `a`; the roots are no modules.
    pub fn module(&self) -> Option<String> {
        let path = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let path = path.strip_suffix("/mod").unwrap_or(path);
        (!["lib", "main"].contains(&path)).then(|| path.replace('/', "::"))
    }
}

/// All files with this ending below a directory. A check that sees nothing proves nothing.
pub fn read(dir: &str, ending: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut dirs, mut found) = (vec![root.join(dir)], Vec::new());
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("a directory of the repository") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below the root");
            let name = name.to_str().expect("names are text").to_string();
            if path.is_dir() {
                dirs.push(path);
            } else if name.ends_with(ending) {
                let text = fs::read_to_string(&path).expect("sources are text");
                found.push(Source::new(&name, &text));
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} below {dir}: this check sees nothing");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// One file of the repository by its name.
pub fn read_one(name: &str) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {name}: {e}"));
    assert!(!text.trim().is_empty(), "{name} is empty: this check sees nothing");
    Source::new(name, &text)
}

/// Whether `word` stands in `line` with nothing attached where it begins or ends with a letter.
pub fn has_word(line: &str, word: &str) -> bool {
    words_at(line, word).next().is_some()
}

/// Where `word` stands in `line`, in the sense of [`has_word`].
pub fn words_at<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = line[..*at].chars().next_back().is_some_and(part);
        let after = line[at + word.len()..].chars().next().is_some_and(part);
        let starts = word.chars().next().is_some_and(part);
        let ends = word.chars().next_back().is_some_and(part);
        !(starts && before || ends && after)
    })
}

/// The identifier at the start of `text`.
pub fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    &text[..end.unwrap_or(text.len())]
}

/// (line, name, length) of each function; rustfmt closes a function at its own indent.
pub fn functions(source: &Source) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = source.bare.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(at) = words_at(line, "fn").next() else { continue };
        let name = identifier(line[at + 2..].trim_start());
        if name.is_empty() {
            continue; // a function pointer type
        }
        let indent = line.len() - line.trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        let ends = |l: &&str| **l == close || l.trim_end().ends_with(';') && l.starts_with(&close);
        // One that opens and closes on its own line, or has no body, is short anyway.
        if line.trim_end().ends_with('}') || line.trim_end().ends_with(';') {
            continue;
        }
        if let Some(length) = lines[start..].iter().position(ends) {
            found.push((start + 1, name.to_string(), length + 1));
        }
    }
    found
}

/// What the scanner is inside of.
enum Inside {
    Code,
    LineComment,
    BlockComment(usize),
    Text { hashes: usize, raw: bool },
}

/// The text with comments blanked, and with the insides of strings blanked as well.
fn blank(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut bare) = (String::new(), String::new());
    let (mut inside, mut at) = (Inside::Code, 0);
    while at < chars.len() {
        let (step, next) = advance(&chars, at, &inside);
        for &c in &chars[at..at + step] {
            let (in_code, in_bare) = match (&inside, &next) {
                (Inside::Code, Some(Inside::LineComment | Inside::BlockComment(_))) => (' ', ' '),
                (Inside::Code, _) => (c, c),
                (Inside::Text { .. }, None) => (c, ' '),
                (Inside::Text { .. }, Some(_)) => (c, c),
                _ => (' ', ' '),
            };
            code.push(if c == '\n' { c } else { in_code });
            bare.push(if c == '\n' { c } else { in_bare });
        }
        inside = next.unwrap_or(inside);
        at += step;
    }
    (code, bare)
}

/// How many characters belong together at `at`, and what comes after them if that changes.
fn advance(chars: &[char], at: usize, inside: &Inside) -> (usize, Option<Inside>) {
    let here = |text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    match inside {
        Inside::LineComment if here("\n") => (1, Some(Inside::Code)),
        Inside::LineComment => (1, None),
        Inside::BlockComment(depth) if here("/*") => (2, Some(Inside::BlockComment(depth + 1))),
        Inside::BlockComment(1) if here("*/") => (2, Some(Inside::Code)),
        Inside::BlockComment(depth) if here("*/") => (2, Some(Inside::BlockComment(depth - 1))),
        Inside::BlockComment(_) => (1, None),
        Inside::Text { raw: false, .. } if here("\\") => (2.min(chars.len() - at), None),
        Inside::Text { hashes, .. } if here(&format!("\"{}", "#".repeat(*hashes))) => {
            (1 + hashes, Some(Inside::Code))
        }
        Inside::Text { .. } => (1, None),
        Inside::Code if here("//") => (2, Some(Inside::LineComment)),
        Inside::Code if here("/*") => (2, Some(Inside::BlockComment(1))),
        Inside::Code if here("\"") => (1, Some(Inside::Text { hashes: 0, raw: false })),
        Inside::Code if here("r\"") || here("r#") => raw_string(chars, at),
        // A character, not a lifetime: it has a closing quote two places on, or an escape.
        Inside::Code if here("'\\") => {
            let close = chars[at + 3..].iter().position(|c| *c == '\'');
            (close.map_or(1, |close| close + 4), None)
        }
        Inside::Code if here("'") && chars.get(at + 2) == Some(&'\'') => (3, None),
        Inside::Code => (1, None),
    }
}

/// `r"`, `r#"`, `r##"`…; anything else that starts with `r` is code.
fn raw_string(chars: &[char], at: usize) -> (usize, Option<Inside>) {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let attached = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if !attached && chars.get(at + 1 + hashes) == Some(&'"') {
        return (hashes + 2, Some(Inside::Text { hashes, raw: true }));
    }
    (1, None)
}

#[test]
fn comments_and_strings_are_told_from_code() {
    let text = "a // x\n'\"' b \"c // \\\" d\" /* e /* f */ */ g r#\"h \" i\"# '\\'' 'j";
    let source = Source::new("x.rs", text);
    assert_eq!(
        source.code.split_whitespace().collect::<Vec<_>>().join(" "),
        "a '\"' b \"c // \\\" d\" g r#\"h \" i\"# '\\'' 'j"
    );
    assert_eq!(
        source.bare.split_whitespace().collect::<Vec<_>>().join(" "),
        "a '\"' b \" \" g r#\" \"# '\\'' 'j"
    );
    assert_eq!(source.bare.lines().count(), text.lines().count());
}

#[test]
fn functions_are_found_with_their_length() {
    let text =
        "impl X {\n    pub fn long(\n    ) {\n        x\n    }\n    fn s() {}\n}\n// fn no\n";
    let found = functions(&Source::new("x.rs", text));
    assert_eq!(found, [(2, "long".to_string(), 4)]);
}
