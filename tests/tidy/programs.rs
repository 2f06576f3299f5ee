//! Where programs are started: git, and whatever else takes the names of programs from a
//! repository, is none of them.

use crate::source::Source;
use crate::source::has_word;

/// The file, and what it starts. Each starts in /, where nobody else writes.
const STARTS: &[(&str, &str)] = &[
    ("src/keeper/client.rs", "ourselves, and systemd-run"),
    ("src/service/checks.rs", "an agent, for its version"),
    ("src/service/login_env.rs", "the login shell, for its environment"),
    ("src/service/notices/child.rs", "a user's notification program, getent and curl"),
    ("src/cli/daemon_cmd.rs", "ourselves, as the daemon"),
];

/// Those that say so; `src/service/probe.rs` does for checks and shells.
const IN_ROOT: &[&str] = &[
    "src/keeper/client.rs",
    "src/service/probe.rs",
    "src/service/notices/child.rs",
    "src/cli/daemon_cmd.rs",
];

/// Starts that no row of the table has.
pub fn starts(sources: &[Source], for_tests: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let listed = STARTS.iter().any(|(path, _)| *path == source.path);
        if listed || source.module().is_some_and(|module| for_tests.contains(&module)) {
            continue;
        }
        let lines = source.code.lines().take(source.lines_before_tests());
        for (at, line) in lines.enumerate().filter(|(_, line)| has_word(line, "Command::new")) {
            complaints.push(format!("{}:{}: starts a program: {line}", source.path, at + 1));
        }
    }
    complaints
}

/// Each row is still so.
pub fn check_table(sources: &[Source]) {
    let code = |path: &str| {
        let found = sources.iter().find(|source| source.path == path);
        &found.unwrap_or_else(|| panic!("no file {path}")).code
    };
    for (path, what) in STARTS {
        assert!(code(path).contains("Command::new"), "{path} no longer starts {what}");
    }
    for path in IN_ROOT {
        assert!(code(path).contains("current_dir(\"/\")"), "{path}: programs start in /");
    }
}
