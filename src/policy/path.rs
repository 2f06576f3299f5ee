//! Paths of a call: where they lie, and whether their names say that they hold secrets. Reads no
//! disk; whoever asks brings what resolves links.
//!
//! 1. A path that two programs could take for different files MUST NOT be a spot at all.

use crate::limits;
use crate::policy::Place;
use crate::policy::glob::Budget;
use crate::policy::glob::Glob;
use crate::policy::glob::Name;
use crate::policy::visible;
use std::sync::LazyLock;

/// A file or directory that a call is about; it need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Absolute, without `.`, `..` and doubled slashes.
    pub written: String,
    /// The same with all links resolved.
    pub real: String,
    /// The only links on the way to it are those to the project or the home.
    pub is_direct: bool,
    /// It is the project or below it, both as written and in truth.
    pub is_inside: bool,
    /// A name on its path is one of `secret_names.txt`.
    pub is_secret: bool,
    /// A name on its path is one of `guarded_names.txt`.
    pub is_guarded: bool,
}

/// Files that a shell's pattern could stand for. Which of its names are links is not known: only
/// those of `base` are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Many {
    /// The directory before the first name with a wildcard.
    pub base: Spot,
    /// What stands behind it.
    pub names: Vec<Name>,
    /// One of them could have a name of `secret_names.txt` on its path.
    pub is_secret: bool,
}

/// A [`Place`] with its links resolved, once for all paths of a call.
pub struct Ground<'a> {
    place: Place<'a>,
    /// The project's directory, as given and in truth.
    pub project: (String, String),
    /// The home, as given and in truth.
    pub home: (String, String),
    /// The daemon's own directories and sockets, as given and in truth.
    pub own: Vec<String>,
    is_plain: bool,
}

impl<'a> Ground<'a> {
    /// Resolves the place.
    pub fn new(place: &Place<'a>) -> Ground<'a> {
        let both = |path: &str| (normal(path), normal(&(place.resolve)(path)));
        let (project, home) = (both(place.project), both(place.home));
        let is_plain = project.0 == project.1 && home.0 == home.1;
        let own = place.own.iter().map(|path| both(path)).flat_map(|(given, truth)| [given, truth]);
        Ground { place: *place, project, home, own: own.collect(), is_plain }
    }

    /// The same in small letters, for what is compared without regard to case.
    pub fn folded(&self) -> Ground<'a> {
        let low = |(given, truth): &(String, String)| {
            (given.to_ascii_lowercase(), truth.to_ascii_lowercase())
        };
        let own = self.own.iter().map(|path| path.to_ascii_lowercase()).collect();
        let (project, home) = (low(&self.project), low(&self.home));
        Ground { place: self.place, project, home, own, is_plain: self.is_plain }
    }

    /// The spot that `text` names for a program in the directory `dir`; `None` where that is not
    /// plain. `~` and `~/` are the home, as agents' tools have it.
    pub fn spot(&self, text: &str, dir: &str) -> Option<Spot> {
        let odd = text.len() > limits::gate::CALL_PATH_BYTES
            || text.contains('\n')
            || text.chars().any(visible::is_hidden)
            || text.trim() != text;
        if odd {
            return None;
        }
        let (spot, other) = self.either(text, dir)?;
        other.is_none().then_some(spot)
    }

    /// What a shell's pattern could stand for in the directory `dir`; `None` where that is not
    /// plain.
    pub fn many(&self, glob: &str, dir: &str) -> Option<Many> {
        let raw = match glob.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", self.home.0)
            }
            Some(_) => return None,
            None if glob.starts_with('/') => glob.to_string(),
            None => format!("{dir}/{glob}"),
        };
        let names: Vec<&str> = raw.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
        let wild = |name: &&str| name.contains(['*', '?', '[']);
        let first = names.iter().position(wild).unwrap_or(names.len());
        let (base, rest) = names.split_at(first);
        let base = self.spot(&format!("/{}", base.join("/")), "/")?;
        let name = |name: &&str| match *name {
            ".." => None,
            "**" => Some(Name::Many),
            name => Glob::parse(&name.replace("**", "*")).ok().map(Name::One),
        };
        let names = rest.iter().map(name).collect::<Option<Vec<Name>>>()?;
        let is_secret = base.is_secret || SECRET.could_be_on(&names);
        Some(Many { base, names, is_secret })
    }

    /// Whether no link is anywhere near the spot, the project or the home.
    pub fn is_plain(&self, spot: &Spot) -> bool {
        spot.written == spot.real && self.is_plain
    }

    /// The directory that a call stands in, which is absolute or unknown.
    pub fn dir(&self, path: &str) -> Option<Spot> {
        Some(path).filter(|path| path.starts_with('/')).and_then(|path| self.spot(path, "/"))
    }

    /// The spots that `text` could name, if it is a path at all.
    pub fn either(&self, text: &str, dir: &str) -> Option<(Spot, Option<Spot>)> {
        if text.is_empty() || !dir.starts_with('/') {
            return None;
        }
        let raw = match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", self.home.0)
            }
            Some(_) => return None,
            None if text.starts_with('/') => text.to_string(),
            None => format!("{dir}/{text}"),
        };
        let written = normal(&raw);
        let real = normal(&(self.place.resolve)(&raw));
        // `link/..` is one place to the kernel and another to who tidies up the text first.
        let dots = raw.split('/').any(|name| name == "..");
        let tidy = dots.then(|| normal(&(self.place.resolve)(&written)));
        let other = tidy.filter(|tidy| *tidy != real);
        Some((self.look(written.clone(), real), other.map(|real| self.look(written, real))))
    }

    fn look(&self, written: String, real: String) -> Spot {
        let same_rest = |(given, truth): &(String, String)| {
            below(&written, given).is_some_and(|rest| below(&real, truth) == Some(rest))
        };
        let is_direct = written == real || same_rest(&self.project) || same_rest(&self.home);
        // Agents tell a project that was opened by a link by its true name.
        let (given, truth) = (&self.project.0, &self.project.1);
        let as_written = below(&written, given).or_else(|| below(&written, truth));
        let inside = (as_written, below(&real, truth));
        let names = match inside {
            (Some(written), Some(real)) => [written, real],
            _ => [written.as_str(), real.as_str()],
        };
        let any = |list: &Names| names.iter().any(|path| list.are_on(path));
        let (is_secret, is_guarded) = (any(&SECRET), any(&GUARDED));
        let is_inside = matches!(inside, (Some(_), Some(_)));
        Spot { written, real, is_direct, is_inside, is_secret, is_guarded }
    }
}

/// An absolute path without `.`, `..`, doubled and trailing slashes, by its text alone.
pub fn normal(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// What of `path` lies behind `dir`, without a slash before it; both are [`normal`].
pub fn below<'p>(path: &'p str, dir: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(dir.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// Whether a name, or a pattern of names as it is written, is one that holds secrets.
pub fn is_secret_name(name: &str) -> bool {
    SECRET.have(name)
}

struct Names {
    yes: Vec<Glob>,
    no: Vec<Glob>,
    /// How names end that are not meant, and make only those names on the way count that have a
    /// dot in front.
    code: Vec<&'static str>,
}

static SECRET: LazyLock<Names> = LazyLock::new(|| Names::parse(include_str!("secret_names.txt")));
static GUARDED: LazyLock<Names> = LazyLock::new(|| Names::parse(include_str!("guarded_names.txt")));

impl Names {
    /// A file of names is part of the program: a broken line is found by the tests below.
    fn parse(text: &'static str) -> Names {
        let (mut yes, mut no, mut code) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(ends) = line.strip_prefix("code: ") {
                code.extend(ends.split(' '));
                continue;
            }
            let (list, name) = match line.strip_prefix('!') {
                Some(name) => (&mut no, name),
                None => (&mut yes, line),
            };
            list.push(Glob::parse(name).expect("a name in a file of ours"));
        }
        Names { yes, no, code }
    }

    /// Whether a name on a path is one of these.
    fn are_on(&self, path: &str) -> bool {
        let is_code = self.is_code(path.rsplit('/').next().unwrap_or(path));
        path.split('/').any(|name| self.have(name) && (name.starts_with('.') || !is_code))
    }

    fn is_code(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        !name.starts_with('.') && self.code.iter().any(|end| name.ends_with(end))
    }

    /// Whether a path of such names could have one of these on it. What is excepted counts.
    fn could_be_on(&self, path: &[Name]) -> bool {
        let budget = Budget::new(u64::MAX);
        let is_code = matches!(path.last(), Some(Name::One(glob))
            if !glob.text().starts_with('.') && self.code.iter().any(|end| glob.ends_with(end)));
        path.iter().any(|name| match name {
            Name::Many => !is_code,
            Name::One(glob) => {
                let Ok(glob) = Glob::parse(&glob.text().to_ascii_lowercase()) else { return true };
                let could = |secret: &&Glob| glob.meets(secret, &budget);
                let mut found = self.yes.iter().filter(could);
                found.any(|secret| !is_code || secret.text().starts_with('.'))
            }
        })
    }

    fn have(&self, name: &str) -> bool {
        if name.is_empty() {
            return false;
        }
        let (name, budget) = (name.to_ascii_lowercase(), Budget::new(u64::MAX));
        let any = |list: &[Glob]| list.iter().any(|glob| glob.matches(&name, &budget));
        any(&self.yes) && !any(&self.no) && !self.is_code(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(links: &[(&str, &str)], ask: impl FnOnce(&Ground<'_>) -> T) -> T {
        // Links are resolved name by name, as the kernel does it.
        let resolve = |path: &str| {
            let mut at = String::new();
            for name in path.split('/').filter(|n| !n.is_empty() && *n != ".") {
                at = match name {
                    ".." => at.rsplit_once('/').map_or(String::new(), |(dir, _)| dir.to_string()),
                    name => format!("{at}/{name}"),
                };
                if let Some((_, to)) = links.iter().find(|(from, _)| *from == at) {
                    at = to.to_string();
                }
            }
            at
        };
        ask(&Ground::new(&Place {
            project: "/home/u/p",
            home: "/home/u",
            own: &[],
            resolve: &resolve,
        }))
    }

    #[test]
    fn a_path_is_inside_only_if_it_is_both_written_and_real() {
        with(&[("/home/u/p/out", "/etc"), ("/home/u/in", "/home/u/p/src")], |ground| {
            for (text, inside) in [
                ("a", true),
                ("src/../a//b/.", true),
                (".", true),
                ("/home/u/p", true),
                ("/home/u/p/a", true),
                ("~/p/a", true),
                ("/home/u/pp", false),
                ("..", false),
                ("a/../../b", false),
                ("~", false),
                ("/etc/passwd", false),
                ("out/passwd", false),
                ("/home/u/in/a", false),
            ] {
                let spot = ground.spot(text, "/home/u/p").expect(text);
                assert_eq!(spot.is_inside, inside, "{text}: {spot:?}");
            }
            assert_eq!(ground.spot("../x", "/home/u/p/a").unwrap().written, "/home/u/p/x");
        });
    }

    #[test]
    fn what_is_not_plainly_one_file_is_no_spot() {
        with(&[("/home/u/p/link", "/var/lib")], |ground| {
            for odd in ["", " a", "a ", "~root/x", "~+", "a\nb", "a\0b", "a\u{202e}b", "link/../x"]
            {
                assert_eq!(ground.spot(odd, "/home/u/p"), None, "{odd:?}");
            }
            assert_eq!(ground.spot("a", "p"), None, "a directory that is not absolute");
            assert_eq!(ground.spot(&"a/".repeat(4096), "/home/u/p"), None);
            assert!(ground.spot("src/../x", "/home/u/p").is_some());
        });
    }

    #[test]
    fn a_project_behind_a_link_is_still_the_project() {
        with(&[("/home/u/p", "/data/p"), ("/data/p/k", "/data/q")], |ground| {
            let spot = ground.spot("a", "/home/u/p").unwrap();
            assert_eq!((spot.real.as_str(), spot.is_direct), ("/data/p/a", true));
            assert!(spot.is_inside);
            assert!(!ground.spot("k/a", "/home/u/p").unwrap().is_direct);
            let true_name = ground.spot("a", "/data/p").unwrap();
            assert!(true_name.is_inside && true_name.is_direct);
            assert!(!ground.spot("../q/a", "/data/p").unwrap().is_inside);
        });
    }

    #[test]
    fn secrets_are_known_by_any_name_on_the_way() {
        let names = [".env", ".ENV", ".env.local", "prod.env", "id_rsa", "a.pem", ".ssh", ".netrc"];
        assert!(names.iter().all(|name| is_secret_name(name)));
        let plain = [".env.example", "id_rsa.pub", "environment", "id_map.rs", "README.md", ""];
        assert!(plain.iter().all(|name| !is_secret_name(name)));
        let code = ["id_rsa.go", "credentials.py", "my.key.ts"];
        assert!(code.iter().all(|name| !is_secret_name(name)));
        assert!([".env.go", "id_rsa.goo"].iter().all(|name| is_secret_name(name)));
        with(&[("/home/u/p/notes", "/home/u/p/.env")], |ground| {
            for (text, secret) in [
                ("a/.aws/x", true),
                ("a/.aws/x.go", true),
                ("credentials/x", true),
                ("credentials/x.go", false),
                ("b/../.env", true),
                ("notes", true),
                ("c", false),
            ] {
                assert_eq!(ground.spot(text, "/home/u/p").unwrap().is_secret, secret, "{text}");
            }
            assert!(ground.spot(".git/hooks/pre-commit", "/home/u/p").unwrap().is_guarded);
            assert!(!ground.spot("src/git.rs", "/home/u/p").unwrap().is_guarded);
        });
    }

    #[test]
    fn a_pattern_is_secret_if_anything_that_it_could_mean_is() {
        with(&[], |ground| {
            let many = |glob: &str| ground.many(glob, "/home/u/p").expect(glob);
            for glob in [
                ".e*",
                "a/.en?",
                "a/*",
                "x/id*",
                "a/*.pem",
                "a/*.json",
                "a/.*",
                "~/.ssh/*",
                "a/**",
                ".[a-z]nv",
                "a/*/x",
                "*/.aws/*.go",
                "a/c*/*",
                "A/.E*",
                "x*",
            ] {
                assert!(many(glob).is_secret, "{glob}");
            }
            for glob in ["a/*.go", "a/*/b.rs", "a/**/*.ts", "a/test_*.md", "a/x*.lock", "a/*.log"] {
                assert!(!many(glob).is_secret, "{glob}");
            }
            assert_eq!(many("a/*.go").base.written, "/home/u/p/a");
            assert!(!many("/etc/*.go").base.is_inside && !many("../*.go").base.is_inside);
            assert_eq!(ground.many("a*/../x", "/home/u/p"), None);
        });
    }
}
