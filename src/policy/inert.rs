//! Words that name nothing that a program should not come near. Knows neither rules nor programs.
//!
//! 1. A word that could be a secret, a place outside of the project or one on the net MUST NOT be
//!    harmless.

use crate::policy::path::Ground;
use crate::policy::path::Spot;
use crate::policy::path::is_secret_name;

/// Whether a word that stands for a part of a pattern's own word is harmless: it is nothing but a
/// name, a number or a path, and is an option only where the pattern's own text said so.
pub fn is_plain(word: &str, pattern: &str, dirs: &[Spot], ground: &Ground<'_>) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    let option = word.starts_with('-') && !pattern.starts_with('-');
    !option && word.chars().all(plain) && is_harmless(word, dirs, ground)
}

/// Whether a word, taken for a path or for several joined by marks, names nothing outside of the
/// project, nothing secret and no place on the net, in whichever of `dirs` the program stands. An
/// unknown directory (none in `dirs`) makes every file unknown.
pub fn is_harmless(word: &str, dirs: &[Spot], ground: &Ground<'_>) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Place;
    use crate::policy::path::normal;

    fn ask<T>(question: impl FnOnce(&Ground<'_>) -> T) -> T {
        let resolve = |path: &str| normal(path);
        question(&Ground::new(&Place { project: "/p", home: "/h", own: &[], resolve: &resolve }))
    }

    #[test]
    fn only_words_that_name_nothing_odd_are_harmless() {
        ask(|ground| {
            let dirs = ["/p", "/p/a"].map(|dir| ground.spot(dir, "/").unwrap());
            let harmless = |word: &str| is_harmless(word, &dirs, ground);
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
                assert!(harmless(word), "{word:?}");
            }
            for word in [
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
                assert!(!harmless(word), "{word:?}");
            }
            assert!(!is_harmless("a", &[], ground), "an unknown directory");
        });
    }

    #[test]
    fn a_place_on_the_net_is_not_harmless_however_large_the_project_is() {
        let resolve = |path: &str| normal(path);
        let ground = Ground::new(&Place { project: "/", home: "/h", own: &[], resolve: &resolve });
        let dirs = [ground.dir("/").unwrap()];
        assert!(is_harmless("/etc/hosts", &dirs, &ground));
        assert!(!is_harmless("https://x.example/", &dirs, &ground));
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
