//! The environment that sessions start with: from the login shell's, by allow-list.
//!
//! 1. A variable MUST NOT pass unless the list names it or a person gave it by name: agent keys,
//!    markers of another agent (CLAUDECODE, CLAUDE_*, AI_AGENT) and loader variables (LD_*) stay
//!    out.
//! 2. A person MUST NOT be able to give the variables that tie a session to the gate.
//! 3. A key with which an agent bills by token MUST NOT reach a session that is billed by
//!    subscription, not even by name: an agent takes it without a word.
//! 4. A variable that makes programs load or run other code MUST NOT come from an env set unless a
//!    person said so for it: a set is made once and used for long.

use crate::base::error::{Error, Result};
use crate::base::secret::Vars;
use crate::limits;
use crate::model::session::Billing;
use std::collections::BTreeMap;

/// Where hook-forward finds the daemon.
pub const HOOK_SOCKET: &str = "CODEPIPER_UNIX_SOCK";
/// Which session it speaks for.
pub const SESSION: &str = "CODEPIPER_SESSION";
/// How it proves that.
pub const SECRET: &str = "CODEPIPER_SECRET";
/// Milliseconds after which hook-forward gives up sooner than it would.
pub const HOOK_DEADLINE: &str = "CODEPIPER_HOOK_DEADLINE_MS";

/// Names that pass from the login shell; `*` at the end means any rest. TERM and COLORTERM are in
/// the design's list too, but say what our own terminal is, so they are set below.
const ALLOWED: &[&str] = &[
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "TZ", "TMPDIR", "EDITOR", "VISUAL",
    "PAGER", "XDG_*",
];

/// What an agent gives to the programs it starts: inherited, they make another one take itself for
/// a part of the first, without a transcript of its own.
const MARKERS: &[&str] = &[
    "AI_AGENT",
    "CLAUDECODE",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_ENV_FILE",
    "CLAUDE_PID",
    "CLAUDE_PROJECT_DIR",
];

/// What our terminal model understands.
const TERMINAL: [(&str, &str); 2] = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];

/// Names that make programs load or run other code, one a line.
const LOADERS: &str = include_str!("loader_variables.txt");

/// For a login shell that says nothing.
const PATH: (&str, &str) = ("PATH", "/usr/local/bin:/usr/bin:/bin");

/// The base environment: the terminal's own variables, then those of `login` (the login shell's)
/// that the list allows, then `given` (`--env` and the request's `env`), which win.
///
/// Fails with `Invalid` for a name that is none, a NUL, too much, a name of codepiper's own, or one
/// that marks the programs of another agent.
pub fn base(login: &BTreeMap<String, String>, given: &BTreeMap<String, String>) -> Result<Vars> {
    check(given)?;
    let mut env = Vars::default();
    env.put(PATH.0, PATH.1);
    let allowed = login.iter().filter(|(name, _)| is_allowed(name));
    allowed.for_each(|(name, value)| env.put(name, value.as_str()));
    TERMINAL.iter().for_each(|(name, value)| env.put(*name, *value));
    env.put_all(given);
    Ok(env)
}

/// Whether [`base`] sets a variable by itself.
pub fn is_terminals(name: &str) -> bool {
    TERMINAL.iter().any(|(own, _)| *own == name)
}

/// Why a variable of the login shell stays out of sessions; `None` for one that passes.
pub fn left_out(name: &str) -> Option<&'static str> {
    let why = if is_allowed(name) || is_terminals(name) {
        return None;
    } else if is_protocol(name) {
        "it ties programs to a session, another agent or a daemon"
    } else if is_loader(name) {
        "it makes programs load or run other code"
    } else {
        "only names on the list pass unasked"
    };
    Some(why)
}

/// Refuses keys of the agent's (`keys`) among the given variables where it is not billed by token.
pub fn check_billing(
    billing: Billing,
    keys: &[&str],
    given: &BTreeMap<String, String>,
) -> Result<()> {
    match keys.iter().find(|key| given.contains_key(**key)) {
        Some(key) if billing == Billing::Subscription => Err(Error::invalid(format!(
            "{key} bills by token, and this session is billed by subscription; \
             start it with -b api, or without the variable"
        ))),
        _ => Ok(()),
    }
}

fn is_allowed(name: &str) -> bool {
    ALLOWED.iter().any(|allowed| fits(allowed, name))
}

/// Whether a variable makes programs load or run other code.
pub fn is_loader(name: &str) -> bool {
    let listed = LOADERS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    listed.into_iter().any(|listed| fits(listed, name))
}

/// `*` at the end means any rest.
fn fits(listed: &str, name: &str) -> bool {
    match listed.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == listed,
    }
}

fn is_protocol(name: &str) -> bool {
    // All of them: a session's own programs must not be led to another daemon either.
    name.starts_with("CODEPIPER_") || MARKERS.contains(&name)
}

/// Refuses what no session may be given, by name or in an env set: a name that is none, one of the
/// gate's or another agent's, a value that no program could be started with.
pub fn check(given: &BTreeMap<String, String>) -> Result<()> {
    if given.len() > limits::ENV_VARS {
        let most = limits::ENV_VARS;
        return Err(Error::invalid(format!("{} variables, at most {most}", given.len())));
    }
    for (name, value) in given {
        if !is_name(name) {
            let shown: String = name.chars().take(limits::NAME_CHARS).collect();
            return Err(Error::invalid(format!(
                "{shown:?} is no name of a variable; one has letters, digits and _, begins with no \
                 digit, and has at most {} bytes",
                limits::ENV_NAME_BYTES
            )));
        }
        if name.starts_with("CODEPIPER_") {
            return Err(Error::invalid(format!("{name} is set by codepiper itself")));
        }
        if is_protocol(name) {
            return Err(Error::invalid(format!(
                "{name} marks the programs of another agent; a session is nobody's part"
            )));
        }
        if value.contains('\0') {
            return Err(Error::invalid(format!("the value of {name} has a NUL; leave it out")));
        }
        if value.len() > limits::ENV_VALUE_BYTES {
            let (bytes, most) = (value.len(), limits::ENV_VALUE_BYTES);
            return Err(Error::invalid(format!(
                "the value of {name} has {bytes} bytes, at most {most} are taken; put it into a \
                 file and give that file's path"
            )));
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on_well = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    starts_well && goes_on_well && name.len() <= limits::ENV_NAME_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn only_listed_names_pass_from_the_login_shell() {
        let stay_out = [
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_AUTH_TOKEN",
            "ANTHROPIC_BASE_URL",
            "CLAUDECODE",
            "CLAUDE_CODE_CHILD_SESSION",
            "CLAUDE_CONFIG_DIR",
            "CLAUDE_PROJECT_DIR",
            "AI_AGENT",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "NODE_OPTIONS",
            "BASH_ENV",
            "PYTHONPATH",
            "CODEPIPER_SESSION",
            "AWS_SECRET_ACCESS_KEY",
            "SSH_AUTH_SOCK",
            "PATHS",
            "lc_ALL",
        ];
        let pass = ["HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_", "TZ", "TMPDIR"];
        let more = ["EDITOR", "VISUAL", "PAGER", "XDG_RUNTIME_DIR", "PATH"];
        let mut login = map(&[("TERM", "dumb"), ("COLORTERM", "no")]);
        let names = stay_out.iter().chain(&pass).chain(&more);
        login.extend(names.map(|name| (name.to_string(), "x".to_string())));
        let env = base(&login, &BTreeMap::new()).unwrap();
        for name in pass.iter().chain(&more) {
            assert_eq!(env.get(*name).map(String::as_str), Some("x"), "{name}");
        }
        assert_eq!(
            (env["TERM"].as_str(), env["COLORTERM"].as_str()),
            ("xterm-256color", "truecolor")
        );
        assert_eq!(env.len(), pass.len() + more.len() + 2, "{:?}", env.keys());
    }

    #[test]
    fn what_makes_programs_run_other_code_is_known() {
        for name in ["LD_PRELOAD", "DYLD_X", "BASH_ENV", "ENV", "NODE_OPTIONS", "GIT_SSH_COMMAND"] {
            assert!(is_loader(name), "{name}");
        }
        for name in
            ["GITHUB_TOKEN", "DATABASE_URL", "ENVIRONMENT", "LD", "#", "", "GIT_AUTHOR_NAME"]
        {
            assert!(!is_loader(name), "{name}");
        }
        let bad = LOADERS.lines().find(|line| {
            let name = line.strip_suffix('*').unwrap_or(line);
            !line.is_empty() && !line.starts_with('#') && !is_name(name)
        });
        assert_eq!(bad, None, "each line is a name");
        let is = |name| left_out(name).unwrap_or_default();
        assert!(left_out("LANG").is_none() && left_out("TERM").is_none());
        assert!(is("LD_PRELOAD").contains("code") && is("CLAUDECODE").contains("agent"));
        assert!(is("AWS_SECRET_ACCESS_KEY").contains("list"));
    }

    #[test]
    fn what_a_person_gives_by_name_wins() {
        let login = map(&[("LANG", "C"), ("ANTHROPIC_API_KEY", "login")]);
        let given = map(&[
            ("LANG", "de_DE"),
            ("TERM", "vt100"),
            ("ANTHROPIC_API_KEY", "given"),
            ("LD_X", ""),
        ]);
        let env = base(&login, &given).unwrap();
        assert_eq!(env["LANG"], "de_DE");
        assert_eq!(env["TERM"], "vt100");
        assert_eq!(env["ANTHROPIC_API_KEY"], "given");
        assert!(env.contains_key("LD_X"));
        let keys = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"];
        check_billing(Billing::Api, &keys, &given).unwrap();
        let refused = check_billing(Billing::Subscription, &keys, &given).unwrap_err().message;
        assert!(refused.contains("ANTHROPIC_API_KEY") && refused.contains("-b api"), "{refused}");
        assert!(!refused.contains("given"), "{refused}");
        check_billing(Billing::Subscription, &keys, &map(&[("TOKEN", "x")])).unwrap();
        assert_eq!(env["PATH"], PATH.1, "a login shell without PATH still finds programs");
    }

    #[test]
    fn the_gates_own_variables_and_broken_ones_cannot_be_given() {
        let long = "x".repeat(limits::ENV_VALUE_BYTES + 1);
        for (name, value) in [
            (SECRET, "x"),
            (HOOK_SOCKET, "/tmp/other.sock"),
            (SESSION, "x"),
            ("CODEPIPER_SOCKET", "x"),
            ("CLAUDECODE", "1"),
            ("CLAUDE_CODE_CHILD_SESSION", "1"),
            ("", "x"),
            ("1A", "x"),
            ("A B", "x"),
            ("A=B", "x"),
            ("A\0", "x"),
            ("A", "x\0y"),
            ("A", long.as_str()),
        ] {
            let error = base(&BTreeMap::new(), &map(&[(name, value)])).unwrap_err();
            assert!(!error.message.contains("x\0y"), "values stay out of errors");
        }
    }
}
