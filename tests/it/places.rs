//! The promise: a place that no cage can be built around is named, with the way out, and nothing
//! starts there; one that only looks odd is as good as any other.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use codepiper::sys::proc;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const LEVELS: [&str; 4] = ["guard", "workspace", "strict", "keys-only"];

/// What is said of a start there.
fn start(space: &Space, level: &str, project: &Path, script: &str) -> (bool, String) {
    let project = path_text(project);
    let line = ["start", "-p", "command", "-d", &project, "--sandbox", level, "--json", "--"];
    let said = space.cli(&[&line[..], &["sh", "-c", script]].concat()).run();
    (said.status.success(), said.stdout + &said.stderr)
}

#[test]
fn a_project_that_any_level_hides_is_refused_by_all_of_them() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let hidden = [".claude/sessions/project", ".docker/run/project"].map(|at| space.home.join(at));
    for project in &hidden {
        fs::create_dir_all(project).expect("a directory");
    }
    let state = space.state.join("sessions");
    for level in LEVELS {
        for project in hidden.iter().chain([&state]) {
            let (started, said) = start(&space, level, project, "sleep 600");
            assert!(!started, "{level} {said}");
            for part in ["which a cage hides", "work elsewhere", "--sandbox off"] {
                assert!(said.contains(part), "{level}: {said}");
            }
        }
    }
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
}

/// Moves the home of a space, and with it the state directory, to behind a link.
fn behind_a_link(space: &mut Space) {
    let disk = space.root.join("disk");
    fs::create_dir(&disk).expect("a directory");
    fs::rename(&space.home, disk.join("home")).expect("moved");
    symlink("disk/home", &space.home).expect("a link");
    space.state = space.home.join(".codepiper");
    space.env.insert("CODEPIPER_HOME".into(), path_text(&space.state));
}

#[test]
fn a_home_behind_a_link_is_as_good_as_any_unless_a_session_could_replace_the_link() {
    let mut space = Space::new();
    behind_a_link(&mut space);
    let real = space.root.join("disk/home/.codepiper");
    if proc::uid() != 0 {
        let refused = space.cli(&["daemon"]).expect(2).stderr;
        for part in [&path_text(&space.home), "could replace", &path_text(&real)] {
            assert!(refused.contains(part), "{refused}");
        }
        assert!(!real.exists());
        return;
    }
    let daemon = Daemon::start(&space);
    fs::write(space.home.join(".bashrc"), "# mine\n").expect("a start-up file");
    let script = format!(
        "for dir in ~/.codepiper {}; do cat $dir/codepiper.db >/dev/null && echo open; \
         echo x >$dir/hook/x; done; \
         echo end; sleep 600",
        real.display()
    );
    for level in LEVELS {
        let (started, said) = start(&space, level, &space.project, &script);
        assert!(started, "{level} {said}");
        let id = daemon.get("/sessions")["sessions"][0]["id"].as_str().expect("an id").to_string();
        let shown = daemon.wait_screen(&id, "end");
        assert_eq!(shown.matches("cat: ").count(), 2, "{level}: {shown}");
        assert!(!shown.contains("open\n"), "{level}: {shown}");
        assert_eq!(daemon.session(&id)["sandbox"]["verified"], level);
        assert!(!real.join("hook/x").exists(), "{level}: {shown}");
        space.cli(&["kill", &id]).expect(0);
        space.cli(&["rm", &id]).expect(0);
    }
}
