//! Who we are, read from /etc/passwd: a static binary has no name service.

use std::path::PathBuf;

/// The account of the effective user.
#[derive(Debug, Clone)]
pub struct User {
    /// Numeric id.
    pub uid: u32,
    /// Login name; the number where /etc/passwd has no such line.
    pub name: String,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

/// Looks the effective user up. `HOME` and `SHELL` fill in where /etc/passwd (LDAP hosts) does not
/// know the user.
pub fn current() -> User {
    let uid = nix::unistd::geteuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let from_env =
        |name: &str, or: &str| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| or.into()));
    find(&passwd, uid).unwrap_or_else(|| User {
        uid,
        name: std::env::var("USER").unwrap_or_else(|_| uid.to_string()),
        home: from_env("HOME", "/"),
        shell: from_env("SHELL", "/bin/sh"),
    })
}

fn find(passwd: &str, uid: u32) -> Option<User> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        if fields.len() != 7 || fields[2].parse::<u32>() != Ok(uid) {
            return None;
        }
        let shell = if fields[6].is_empty() { "/bin/sh" } else { fields[6] };
        Some(User { uid, name: fields[0].into(), home: fields[5].into(), shell: shell.into() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passwd_line_is_found_by_number() {
        let text = "root:x:0:0:root:/root:/bin/bash\nbroken\nann:x:1000:1000:,,,:/home/ann:\n";
        let ann = find(text, 1000).unwrap();
        assert_eq!((ann.name.as_str(), ann.shell.to_str().unwrap()), ("ann", "/bin/sh"));
        assert!(find(text, 7).is_none());
    }
}
