//! Inert words: arguments that give a program nothing to do but what it does anyway. Knows neither
//! rules nor options.
//!
//! 1. A word that could be an option, a secret or a place outside of the project MUST NOT be inert.
//! 2. An operand of a program that is not in `programs.txt` MUST NOT be inert.

use crate::policy::path::Ground;
use crate::policy::path::Spot;
use crate::policy::path::is_secret_name;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What the operands of a program are to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operands {
    /// Words that nothing is done with.
    Text,
    /// Files that are read, or words that could be taken for such.
    Files,
    /// The directory to go to.
    Dir,
}

/// Looks a command up by the words that it begins with: a program, or a program and its subcommand.
pub fn operands<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Operands> {
    let program = words.next()?;
    let both = words.next().and_then(|sub| TABLE.get(format!("{program} {sub}").as_str()));
    both.or_else(|| TABLE.get(program)).copied()
}

/// Whether `word` is inert as an operand of this kind, in whichever of `dirs` the program stands.
/// An unknown directory (none in `dirs`) makes every file unknown.
pub fn is_inert(kind: Operands, word: &str, dirs: &[Spot], ground: &Ground<'_>) -> bool {
    match kind {
        Operands::Text => !word.starts_with('-'),
        Operands::Files | Operands::Dir => {
            !word.starts_with('-') && is_harmless(word, dirs, ground)
        }
    }
}

/// Whether a word that stands for a part of a pattern's own word is harmless: it is nothing but a
/// name, a number or a path, and is an option only where the pattern's own text said so.
pub fn is_plain(word: &str, pattern: &str, dirs: &[Spot], ground: &Ground<'_>) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    let option = word.starts_with('-') && !pattern.starts_with('-');
    !option && word.chars().all(plain) && is_harmless(word, dirs, ground)
}

/// Whether a word, taken for a path or for several joined by marks, names nothing outside of the
/// project, nothing secret and no place on the net.
fn is_harmless(word: &str, dirs: &[Spot], ground: &Ground<'_>) -> bool {
    if word == "/dev/null" {
        return true;
    }
    let marks = |c: char| "/:=,;@\"' \t\n()<>|&".contains(c);
    if dirs.is_empty() || word.contains("://") || word.split(marks).any(is_secret_name) {
        return false;
    }
    // `--file=/etc/x`, `HEAD:../x`: what stands behind a mark may be a path of its own.
    let tails = word.match_indices([':', '=', ',', '@']).map(|(at, _)| &word[at + 1..]);
    std::iter::once(word).chain(tails.filter(|tail| !tail.is_empty())).all(|path| {
        // A word with blanks around it is no path to anybody, but text; so is an empty one.
        let path = path.trim();
        let inside = |dir: &Spot| {
            ground.spot(path, &dir.written).is_some_and(|spot| spot.is_inside && !spot.is_secret)
        };
        path.is_empty() || dirs.iter().all(inside)
    })
}

static TABLE: LazyLock<HashMap<&str, Operands>> = LazyLock::new(|| {
    let lines = include_str!("programs.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(row).collect()
});

/// The table is part of the program: a broken line is found by the tests below.
fn row(line: &str) -> (&str, Operands) {
    let (name, kind) = line.rsplit_once(": ").expect("NAME: KIND in programs.txt");
    let kind = match kind {
        "text" => Operands::Text,
        "files" => Operands::Files,
        "dir" => Operands::Dir,
        other => panic!("unknown kind {other} in programs.txt"),
    };
    (name, kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Place;
    use crate::policy::path::normal;

    fn ask<T>(question: impl FnOnce(&Ground<'_>) -> T) -> T {
        let resolve = |path: &str| normal(path);
        question(&Ground::new(&Place { project: "/p", home: "/h", resolve: &resolve }))
    }

    #[test]
    fn programs_are_found_with_their_subcommands_and_no_others() {
        let find = |text: &str| operands(text.split(' '));
        assert_eq!(find("cat"), Some(Operands::Files));
        assert_eq!(find("cat -n x"), Some(Operands::Files));
        assert_eq!(find("git status"), Some(Operands::Files));
        assert_eq!(find("cd"), Some(Operands::Dir));
        assert_eq!(find(":"), Some(Operands::Text));
        for none in ["git", "git push", "git -C x", "env", "awk", "/bin/cat", "CAT", "tee", ""] {
            assert_eq!(find(none), None, "{none}");
        }
    }

    #[test]
    fn only_words_that_cannot_do_anything_are_inert() {
        ask(|ground| {
            let dirs = ["/p", "/p/a"].map(|dir| ground.spot(dir, "/").unwrap());
            let inert = |word: &str| is_inert(Operands::Files, word, &dirs, ground);
            for word in [
                "a",
                "src/main.rs",
                "HEAD~1",
                "HEAD:src/main.rs",
                "main..dev",
                "./a",
                "/p/b",
                "5",
                "",
                "foo bar",
                "fn main",
                "a|b",
                "/dev/null",
                ".env.example",
                "é",
                " x ",
            ] {
                assert!(inert(word), "{word:?}");
            }
            for word in [
                "-n",
                "--",
                "-",
                "/etc/passwd",
                "~/x",
                "~",
                "..",
                "../x",
                "a/../../x",
                ".env",
                "a/.env",
                "HEAD:.env",
                "HEAD:../x",
                "x=.env",
                "x=/etc/passwd",
                "@/etc/passwd",
                "https://x.example/",
                "id_rsa",
                "a.pem",
                "/pp",
                " /etc/passwd",
                "a\nb",
            ] {
                assert!(!inert(word), "{word:?}");
            }
            assert!(!is_inert(Operands::Files, "a", &[], ground), "an unknown directory");
            assert!(is_inert(Operands::Text, "/etc/passwd", &[], ground));
            assert!(!is_inert(Operands::Text, "-n", &dirs, ground));
        });
    }

    #[test]
    fn a_place_on_the_net_is_not_inert_however_large_the_project_is() {
        let resolve = |path: &str| normal(path);
        let ground = Ground::new(&Place { project: "/", home: "/h", resolve: &resolve });
        let dirs = [ground.dir("/").unwrap()];
        assert!(is_inert(Operands::Files, "/etc/hosts", &dirs, &ground));
        assert!(!is_inert(Operands::Files, "https://x.example/", &dirs, &ground));
    }

    #[test]
    fn part_of_a_word_is_a_name_a_number_or_a_path() {
        ask(|ground| {
            let dirs = [ground.spot("/p", "/").unwrap()];
            let plain = |word: &str, pattern: &str| is_plain(word, pattern, &dirs, ground);
            assert!(plain("test:unit", "test:*"));
            assert!(plain("-20", "-[0-9]*"));
            assert!(plain("src/a.rs", "src/*"));
            for (word, pattern) in [
                ("print(1)", "print*"),
                ("a b", "a*"),
                ("-x", "*x"),
                ("src/../../x", "src/*"),
                ("https://api.example.com@evil.example/x", "https://api.example.com*"),
                ("--o=/etc/x", "--o=*"),
                ("a$b", "a*"),
            ] {
                assert!(!plain(word, pattern), "{word}");
            }
        });
    }
}
