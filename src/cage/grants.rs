//! What a person can grant to a caged session: sockets and directories that it sees after all.
//! Knows the names and what each gives away; nothing of who granted what.

use crate::base::error::{Error, Result};
use crate::cage::plan::expand;
use crate::sys::landlock::Ports;
use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::path::PathBuf;

const GRANTS: &str = include_str!("grants.txt");

/// A grant by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it is called.
    pub name: &'static str,
    paths: Vec<&'static str>,
    /// Variables that pass with it.
    pub variables: Vec<&'static str>,
    /// What it gives away.
    pub gives: &'static str,
}

/// All of them.
pub fn all() -> Vec<Grant> {
    let lines = GRANTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let words = |column: &'static str| column.split_whitespace().collect();
    lines
        .filter_map(|line| {
            let mut columns = line.split('|').map(str::trim);
            let (name, paths) = (columns.next()?, columns.next()?);
            let (variables, gives) = (columns.next()?, columns.next()?);
            Some(Grant { name, paths: words(paths), variables: words(variables), gives })
        })
        .collect()
}

/// What a session was granted, as paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Granted {
    /// What it sees, resolved.
    pub paths: Vec<PathBuf>,
    /// TCP ports, where those are listed.
    pub ports: Ports,
    /// There are sockets among it, whose programs look at who comes and take our user alone.
    pub sockets: bool,
}

impl Granted {
    /// From what was typed: names of grants, absolute paths, and `port:N` or `listen:N`. `env` has
    /// the variables that name sockets.
    pub fn new(
        typed: &[String],
        home: &Path,
        uid: u32,
        env: &BTreeMap<String, String>,
    ) -> Result<Granted> {
        let known = all();
        let (mut paths, mut ports, mut sockets) = (Vec::new(), Ports::default(), false);
        for word in typed {
            if let Some((list, number)) = port(word, &mut ports) {
                list.push(number?);
                continue;
            }
            if word.starts_with('/') {
                let real = Path::new(word)
                    .canonicalize()
                    .map_err(|e| Error::invalid(format!("cannot grant {word}: {e}")))?;
                let is_socket = |meta: std::fs::Metadata| meta.file_type().is_socket();
                sockets |= real.metadata().is_ok_and(is_socket);
                paths.push(real);
                continue;
            }
            let Some(grant) = known.iter().find(|grant| grant.name == word) else {
                let names: Vec<&str> = known.iter().map(|grant| grant.name).collect();
                return Err(Error::invalid(format!(
                    "there is no grant {word:?}; it is a path from / on, port:N, listen:N or: {}",
                    names.join(", ")
                )));
            };
            let found = grant.paths.iter().flat_map(|word| named(word, home, uid, env));
            paths.extend(found.filter_map(|path| path.canonicalize().ok()));
            sockets = true;
        }
        Ok(Granted { paths, ports, sockets })
    }

    /// Whether a path is granted, by itself or with what it lies in.
    pub fn shows(&self, path: &Path) -> bool {
        self.paths.iter().any(|granted| path.starts_with(granted))
    }
}

/// Which list a word adds a port to.
fn port<'a>(word: &str, ports: &'a mut Ports) -> Option<(&'a mut Vec<u16>, Result<u16>)> {
    let (kind, number) = word.split_once(':')?;
    let list = match kind {
        "port" => &mut ports.connect,
        "listen" => &mut ports.listen,
        _ => return None,
    };
    let wrong = || Error::invalid(format!("{word:?} names no port: {kind}:1 to {kind}:65535"));
    Some((list, number.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)))
}

/// The paths of one word of the list.
fn named(word: &str, home: &Path, uid: u32, env: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let Some((before, name)) = word.split_once('$') else { return expand(word, home, uid) };
    let Some(value) = env.get(name) else { return Vec::new() };
    let value = value.strip_prefix("unix://").unwrap_or(value);
    expand(&format!("{before}{value}"), home, uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_known_by_name_or_is_a_path_that_is_there() {
        let (home, env) = (Path::new("/home/ann"), BTreeMap::new());
        let typed = |word: &str| Granted::new(&[word.to_string()], home, 1000, &env);
        assert_eq!(typed("/usr/bin/..").unwrap().paths, [PathBuf::from("/usr")]);
        assert!(typed("/usr").unwrap().shows(Path::new("/usr/bin/x")));
        assert!(!typed("/usr").unwrap().shows(Path::new("/usrx")));
        let unknown = typed("dokcer").unwrap_err().message;
        assert!(unknown.contains("ssh-agent") && unknown.contains("docker"), "{unknown}");
        assert!(typed("/no/such").is_err());
        assert_eq!(typed("port:5432").unwrap().ports.connect, [5432]);
        assert_eq!(typed("listen:3000").unwrap().ports.listen, [3000]);
        assert!(typed("port:0").is_err() && typed("port:70000").is_err());
        assert!(typed("ssh-agent").unwrap().paths.is_empty(), "no such variable");
        let env = BTreeMap::from([("SSH_AUTH_SOCK".to_string(), "/etc/hostname".to_string())]);
        let granted = Granted::new(&["ssh-agent".into()], home, 1000, &env).unwrap();
        assert_eq!(granted.paths, [PathBuf::from("/etc/hostname")]);
    }

    #[test]
    fn each_grant_says_what_it_gives() {
        let all = all();
        assert!(all.len() >= 6);
        assert!(all.iter().all(|grant| !grant.gives.is_empty() && !grant.variables.is_empty()));
    }
}
