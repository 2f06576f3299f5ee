//! What people do all day works inside the cage as it does outside: version control, also over ssh,
//! packages, servers and debuggers.

use crate::sshd;
use crate::sshd::run;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::wait_for;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

const LEVELS: [&str; 2] = ["guard", "workspace"];

/// Longer than npm and gdb take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A person's place with a daemon, and a repository in it.
struct Place<'a> {
    space: &'a Space,
    daemon: Daemon<'a>,
}

impl<'a> Place<'a> {
    #[track_caller]
    fn new(space: &'a Space) -> Place<'a> {
        space.write("home/.gitconfig", "[user]\nname = Ann\nemail = ann@example.org\n");
        run(space, "git", &["init", "-q", "-b", "main"]);
        Place { space, daemon: Daemon::start(space) }
    }

    /// Runs a script in a session at this level, and returns what it printed and its exit code.
    #[track_caller]
    fn does(&self, level: &str, script: &str) -> (String, i32) {
        self.does_with(&["--sandbox", level], &[], script)
    }

    /// The same with these arguments of the start and variables of the person's.
    #[track_caller]
    fn does_with(&self, args: &[&str], vars: &[(&str, &str)], script: &str) -> (String, i32) {
        let out = self.space.project.join("out");
        let id = self.start(
            args,
            vars,
            &format!("({script}\n) >part 2>&1; echo $? >>part; mv part out"),
        );
        let text = wait_for("the script's end", PATIENCE, || fs::read_to_string(&out).ok());
        fs::remove_file(&out).expect("removed");
        self.space.cli(&["kill", &id]).run();
        let (text, code) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
        (text.to_string(), code.parse().expect("an exit code"))
    }

    /// A session with a script that stays when its work is done.
    #[track_caller]
    fn start(&self, args: &[&str], vars: &[(&str, &str)], script: &str) -> String {
        let project = path_text(&self.space.project);
        let stays = format!("{script}; sleep 600");
        let start = ["start", "-p", "command", "-d", &project, "--json"];
        let line = [&start, args, &["--", "sh", "-c", &stays]].concat();
        let call =
            vars.iter().fold(self.space.cli(&line), |call, (name, value)| call.env(name, value));
        let started = call.expect(0).json();
        started["session"]["id"].as_str().expect("an id").to_string()
    }
}

#[test]
fn work_is_committed_and_branched_and_looked_at() {
    let space = Space::new();
    let place = Place::new(&space);
    for level in LEVELS {
        let script = format!(
            "set -e; echo {level} >file; git add file; git commit -qm 'Add {level}'; \
             git switch -qc {level}; git stash list; git gc -q; git log --format=%s%an -1"
        );
        assert_eq!(place.does(level, &script), (format!("Add {level}Ann"), 0), "{level}");
        assert_eq!(run(&space, "git", &["log", "--format=%s", "-1"]), format!("Add {level}\n"));
    }
}

#[test]
fn work_is_pushed_over_ssh_with_the_grant_and_without_it_the_agent_is_out_of_reach() {
    let space = Space::new();
    let config = sshd::serve(&space);
    let agent = sshd::Agent::start(&space);
    let place = Place::new(&space);
    let remote = path_text(&space.root.join("remote.git"));
    run(&space, "git", &["init", "-q", "--bare", "-b", "main", &remote]);
    run(&space, "git", &["remote", "add", "origin", &format!("there:{remote}")]);
    run(&space, "git", &["config", "core.sshCommand", &format!("ssh -F {}", config.display())]);
    run(&space, "git", &["commit", "-q", "--allow-empty", "-m", "First"]);
    let socket = path_text(&agent.socket);
    let vars = [("SSH_AUTH_SOCK", socket.as_str())];
    let push = "git commit -q --allow-empty -m More && git push -q origin main";
    let granted = ["--grant", "ssh-agent"];

    for level in LEVELS {
        let script = format!("{push}; SSH_AUTH_SOCK={socket} ssh-add -l; ls -A ~/.ssh/agent");
        let (said, code) = place.does_with(&["--sandbox", level], &vars, &script);
        assert!(said.contains("Permission denied (publickey)"), "{level}: {said}");
        assert!(said.contains("Error connecting to agent: No such file"), "{level}: {said}");
        assert_eq!((said.contains("s.test"), code), (false, 0), "{level}: {said}");

        let granted = [&granted[..], &["--sandbox", level]].concat();
        assert_eq!(place.does_with(&granted, &vars, push), (String::new(), 0), "{level}");
        let ours = run(&space, "git", &["rev-parse", "main"]);
        assert_eq!(
            run(&space, "git", &["--git-dir", &remote, "rev-parse", "main"]),
            ours,
            "{level}"
        );
        let fetch = "git fetch -q origin main && git rev-parse FETCH_HEAD";
        let fetched = place.does_with(&granted, &vars, fetch);
        assert_eq!(fetched, (ours.trim().to_string(), 0), "{level}");
    }
    let remembered = [&granted[..], &["--remember"]].concat();
    for args in [&remembered[..], &[]] {
        assert_eq!(place.does_with(args, &vars, push), (String::new(), 0), "{args:?}");
    }
}

#[test]
fn a_package_is_installed_from_a_file_and_its_scripts_run() {
    let space = Space::new();
    let place = Place::new(&space);
    let package = r#"{"name": "dep", "version": "1.0.0", "main": "main.js",
        "scripts": {"install": "echo 'module.exports = \"built\"' > main.js"}}"#;
    space.write("package/package.json", package);
    space.write("project/package.json", r#"{"name": "mine", "version": "1.0.0"}"#);
    let root = path_text(&space.root);
    run(&space, "tar", &["-czf", "dep.tgz", "-C", &root, "package"]);
    let script = "npm install --offline --no-audit --no-fund ./dep.tgz >log 2>&1 || cat log; \
                  node -p 'require(\"dep\")'; rm -r node_modules";
    for level in LEVELS {
        assert_eq!(place.does(level, script), ("built".to_string(), 0), "{level}");
    }
}

#[test]
fn a_server_is_reached_from_outside_and_ends_with_its_session() {
    let space = Space::new();
    let place = Place::new(&space);
    let server = "const server = require('http').createServer((_, out) => out.end('served'));\n\
                  server.listen(0, '127.0.0.1', () => { const fs = require('fs');\n\
                  fs.writeFileSync('new', '' + server.address().port);\n\
                  fs.renameSync('new', 'port'); });\n";
    space.write("project/server.js", server);
    for level in LEVELS {
        let id = place.start(&["--sandbox", level], &[], "node server.js");
        let file = space.project.join("port");
        let port = wait_for("the server's port", PATIENCE, || fs::read_to_string(&file).ok());
        fs::remove_file(&file).expect("removed");
        let address = format!("127.0.0.1:{port}");
        let mut stream = TcpStream::connect(&address).expect("the server");
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("a request");
        let mut page = String::new();
        stream.read_to_string(&mut page).expect("an answer");
        assert!(page.ends_with("served"), "{level}: {page}");
        space.cli(&["stop", &id]).expect(0);
        wait_for("the port to close", PATIENCE, || TcpStream::connect(&address).err());
        drop(place.daemon.session(&id));
    }
}

#[test]
fn a_debugger_starts_a_program_stops_it_and_lets_it_run() {
    let space = Space::new();
    let place = Place::new(&space);
    let script = "gdb -nx -batch -ex starti -ex 'print $pc != 0' -ex continue \
                  --args /bin/echo hello";
    for level in LEVELS {
        let (said, code) = place.does(level, script);
        for words in ["Program stopped", "$1 = 1", "hello", "exited normally"] {
            assert!(said.contains(words), "{level}: no {words:?} in {said}");
        }
        assert_eq!(code, 0, "{level}: {said}");
    }
}
