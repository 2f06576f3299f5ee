//! The promise: what runs in a session cannot reach codepiper, other sessions, or the person's
//! other programs, and what is said of its cage is so.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::daemon::read_only_home;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use serde_json::json;
use std::fs;

/// What a script prints in a session of its own.
fn prints(daemon: &Daemon<'_>, script: &str) -> String {
    let id = daemon.start_session(&["sh", "-c", &format!("{script}; echo done; sleep 600")]);
    daemon.wait_screen(&id, "done")
}

#[test]
fn its_own_files_are_not_there_and_it_says_what_holds() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let state = space.state.to_str().expect("text");
    let shown = prints(
        &daemon,
        &format!("ls {state}; cat {state}/codepiper.db; echo x > {state}/hook/x; ps -e | wc -l"),
    );
    assert!(shown.contains("hook") && !shown.contains("sessions"), "{shown}");
    assert!(shown.contains("codepiper.db: No such file"), "{shown}");
    assert!(shown.contains("Read-only file system"), "{shown}");
    let id = daemon.get("/sessions")["sessions"][0]["id"].as_str().expect("an id").to_string();
    let sandbox = daemon.session(&id)["sandbox"].clone();
    assert_eq!((&sandbox["requested"], &sandbox["verified"]), (&json!("auto"), &json!("guard")));
    let shown = space.cli(&["show", &id]).expect(0).stdout;
    assert!(shown.contains("sandbox    guard"), "{shown}");
}

#[test]
fn keys_only_can_be_asked_for_and_no_link_leads_around_it() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let beside = space.state.parent().expect("a directory");
    std::os::unix::fs::symlink(&space.state, beside.join("around")).expect("a link");
    std::os::unix::fs::symlink("/nowhere", beside.join("dangling")).expect("a link");
    let script = format!(
        "cat {0}/codepiper.db {1}/around/codepiper.db; ls {0}; echo x > mine && cat mine; \
         echo done; sleep 600",
        space.state.display(),
        beside.display()
    );
    let project = space.project.to_str().expect("text");
    let line = ["start", "-p", "command", "-d", project, "--sandbox", "keys-only", "--"];
    space.cli(&[&line[..], &["sh", "-c", &script]].concat()).expect(0);
    let id = daemon.get("/sessions")["sessions"][0]["id"].as_str().expect("an id").to_string();
    let shown = daemon.wait_screen(&id, "done");
    assert_eq!(shown.matches("Permission denied").count(), 3, "{shown}");
    assert!(shown.contains("\nx"), "{shown}");
    assert_eq!(daemon.session(&id)["sandbox"]["verified"], "keys-only");
}

#[test]
fn sockets_of_the_persons_programs_are_not_there_wherever_they_are_kept() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let runtime = space.root.join("runtime");
    fs::create_dir(&runtime).expect("a directory");
    let _bus = std::os::unix::net::UnixListener::bind(runtime.join("bus")).expect("a bus");
    let script = "ls -A $XDG_RUNTIME_DIR; touch $XDG_RUNTIME_DIR/own && echo end; sleep 600";
    let body = json!({"provider": "command", "cwd": space.project,
        "env": {"XDG_RUNTIME_DIR": runtime}, "args": ["sh", "-c", script]});
    let reply = daemon.post("/sessions", &body);
    let id = reply["session"]["id"].as_str().expect("an id").to_string();
    let screen = daemon.wait_screen(&id, "end");
    assert!(!screen.contains("bus"), "{screen}");
    assert!(!runtime.join("own").exists(), "it has one of its own");
}

#[test]
fn a_daemon_that_starts_anew_changes_nothing_and_the_end_is_told() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let script = "trap 'exit 7' HUP TERM; while :; do sleep 0.1; done";
    let id = daemon.start_session(&["sh", "-c", script]);
    daemon.crash_and_restart();
    wait_until("adoption", SOON, || daemon.session(&id)["adopting"] == false);
    assert_eq!(daemon.session(&id)["sandbox"]["verified"], "guard");
    space.cli(&["stop", &id]).expect(0);
    let session = daemon.session(&id);
    assert_eq!(session["exitCode"], 7, "{session}");
}

#[test]
fn what_it_leaves_running_ends_with_it() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let mark = space.project.join("alive");
    let script = format!(
        "setsid sh -c 'while :; do date >> {}; sleep 0.05; done' >/dev/null 2>&1 & sleep 0.3",
        mark.display()
    );
    let id = daemon.start_session(&["sh", "-c", &script]);
    daemon.get(&format!("/sessions/{id}/wait?for=ended&timeout=20"));
    let size = || fs::metadata(&mark).map(|meta| meta.len()).unwrap_or_default();
    wait_until("it to be still", SOON, || {
        let before = size();
        std::thread::sleep(std::time::Duration::from_millis(300));
        size() == before && before > 0
    });
}

#[test]
fn a_mask_that_is_lost_freezes_the_session_with_an_alarm_also_while_no_daemon_runs() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let socket_dir = space.home.join(".docker/run");
    for is_away in [false, true] {
        fs::create_dir_all(&socket_dir).expect("a directory of sockets");
        let id = daemon.start_session(&["sh", "-c", "while :; do echo x; sleep 0.05; done"]);
        daemon.wait_screen(&id, "x");
        let keeper = daemon.keeper(&id);
        if is_away {
            daemon.kill9();
        }
        fs::remove_dir(&socket_dir).expect("removed outside");
        let still = || proc::descendants(keeper).iter().all(|s| matches!(s.state, 'T' | 'D'));
        wait_until("all to stand still", SOON, still);
        if is_away {
            daemon.start_binary(BINARY);
        }
        wait_until("the alarm", SOON, || daemon.session(&id)["alarm"].is_string());
        let session = daemon.session(&id);
        assert!(session["alarm"].to_string().contains(&*socket_dir.to_string_lossy()), "{session}");
        wait_until("it to be shown", SOON, || daemon.session(&id)["frozen"] == true);
        space.cli(&["kill", &id]).expect(0);
    }
}

#[test]
fn a_level_that_is_none_and_a_grant_that_is_none_are_errors_that_name_those_there_are() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let start = |more: &[&str]| {
        let line = [&["start", "-p", "command", "-d", "/tmp"], more, &["--", "true"]].concat();
        space.cli(&line).expect(2).stderr
    };
    assert!(start(&["--sandbox", "tight"]).contains("guard, workspace, strict"));
    assert!(start(&["--grant", "dokcer"]).contains("docker"));
    assert!(start(&["--remember"]).contains("--grant"));
    let inside = space.state.join("sessions");
    let line = ["start", "-p", "command", "-d", inside.to_str().expect("text"), "--", "true"];
    assert!(space.cli(&line).expect(2).stderr.contains("a cage hides"));
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
}

#[test]
fn a_projects_grants_are_remembered_listed_and_taken_back() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let project = space.project.to_str().expect("text");
    let path = "/usr/share";
    let line = ["start", "-p", "command", "-d", project, "--grant", path, "--remember"];
    space.cli(&[&line[..], &["--", "sleep", "600"]].concat()).expect(0);
    let id = daemon.start_session(&["sleep", "600"]);
    assert_eq!(daemon.session(&id)["sandbox"]["grants"], json!([path]));
    assert!(space.cli(&["sandbox", "grants"]).expect(0).stdout.contains(project));
    space.cli(&["sandbox", "revoke", path, "-d", project]).expect(0);
    let id = daemon.start_session(&["sleep", "600"]);
    assert_eq!(daemon.session(&id)["sandbox"]["grants"], json!([]));
    let missing = space.cli(&["sandbox", "revoke", path, "-d", project]).expect(4).stderr;
    assert!(missing.contains("is not granted"), "{missing}");
}

/// A session at this level that tries to write to each of `files`: what became of each.
fn writes(daemon: &Daemon<'_>, space: &Space, level: &str, files: &[String]) -> Vec<String> {
    let tries = files.iter().map(|file| format!("(echo x >> {file}) 2>/dev/null; echo $? >> out;"));
    let script = format!("{} echo whole >> out; sleep 600", tries.collect::<String>());
    let project = space.project.to_str().expect("text");
    let body = json!({"provider": "command", "cwd": project, "sandbox": level,
        "args": ["sh", "-c", script]});
    daemon.post("/sessions", &body);
    let out = space.project.join("out");
    let read = || fs::read_to_string(&out).unwrap_or_default();
    wait_until("the script's end", SOON, || read().contains("whole"));
    let said = read();
    fs::remove_file(&out).expect("removed");
    said.lines().zip(files).map(|(code, file)| format!("{file} {code}")).collect()
}

#[test]
fn at_workspace_it_writes_to_its_project_and_not_to_what_runs_later() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let home = space.home.to_str().expect("text");
    fs::create_dir_all(space.project.join(".git/hooks")).expect("a repository");
    fs::write(space.project.join(".git/config"), "").expect("its settings");
    fs::write(space.home.join(".bashrc"), "# mine\n").expect("a start-up file");
    let files = ["/tmp/x", "new", ".git/index", ".git/hooks/pre-commit", ".git/config"];
    let more = [".vscode/tasks.json", ".mcp.json", ".claude/settings.json", "/etc/x"];
    let mut all: Vec<String> = files.iter().chain(&more).map(|file| file.to_string()).collect();
    all.extend([format!("{home}/.bashrc"), format!("{home}/bin/x"), format!("{home}/.zshenv")]);
    let became = writes(&daemon, &space, "workspace", &all);
    let written: Vec<&str> = became.iter().filter_map(|line| line.strip_suffix(" 0")).collect();
    let zshenv = format!("{home}/.zshenv");
    assert_eq!(written, ["/tmp/x", "new", ".git/index", &zshenv], "{became:?}");
    assert!(!space.home.join(".zshenv").exists(), "what is new in its home is its own");
    assert_eq!(fs::read_to_string(space.home.join(".bashrc")).expect("still there"), "# mine\n");
    let id = daemon.get("/sessions")["sessions"][0]["id"].as_str().expect("an id").to_string();
    assert_eq!(daemon.session(&id)["sandbox"]["verified"], "workspace");
    assert!(space.project.join(".vscode").is_dir(), "held while it runs");
    space.cli(&["kill", &id]).expect(0);
    wait_until("its place to be given back", SOON, || !space.project.join(".vscode").exists());
    assert!(space.project.join(".git").is_dir() && space.project.join("new").exists());
}

#[test]
fn at_strict_it_reads_what_is_listed_and_connects_where_it_may() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let secret = space.home.join(".aws");
    fs::create_dir(&secret).expect("a directory");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let connect =
        format!("python3 -c 'import socket;socket.create_connection((\"127.0.0.1\",{port}))'");
    let script = format!(
        "ls -d {0} /etc/shadow /var/log 2>/dev/null; ls -d /usr /etc/passwd; \
         {connect} 2>&1 | tail -n 1; echo end; sleep 600",
        secret.display()
    );
    for (grants, refused) in [(json!([]), true), (json!([format!("port:{port}")]), false)] {
        let body = json!({"provider": "command", "cwd": space.project, "sandbox": "strict",
            "grants": grants, "args": ["sh", "-c", script]});
        let reply = daemon.post("/sessions", &body);
        let id = reply["session"]["id"].as_str().expect("an id").to_string();
        let screen = daemon.wait_screen(&id, "end");
        assert_eq!(screen.contains("Permission denied"), refused, "{screen}");
        for absent in [".aws", "shadow", "/var/log"] {
            assert!(!screen.contains(absent), "{absent} in {screen}");
        }
        assert!(screen.contains("/usr") && screen.contains("/etc/passwd"), "{screen}");
    }
}

#[test]
fn a_project_that_holds_the_home_is_none_to_keep_writes_to() {
    let space = Space::new();
    let _daemon = Daemon::start(&space);
    let home = space.home.to_str().expect("text");
    let line = ["start", "-p", "command", "-d", home, "--sandbox", "workspace", "--", "true"];
    let refused = space.cli(&line).expect(2).stderr;
    assert!(refused.contains("--sandbox guard"), "{refused}");
}

#[test]
fn a_session_that_ends_leaves_what_protects_the_project_to_the_next() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let project = space.project.to_str().expect("text");
    let start = |script: &str| {
        let line = ["start", "-p", "command", "-d", project, "--sandbox", "workspace", "--json"];
        let started = space.cli(&[&line[..], &["--", "sh", "-c", script]].concat()).expect(0);
        started.json()["session"]["id"].as_str().expect("an id").to_string()
    };
    let plant = "echo up; until [ -e go ]; do sleep 0.05; done; mkdir .vscode; \
                 echo x > .vscode/tasks.json; echo done; sleep 600";
    let (first, second) = (start("echo up; sleep 600"), start(plant));
    daemon.wait_screen(&second, "up");
    let keeper = proc::stat(daemon.keeper(&first)).expect("a keeper");
    space.cli(&["kill", &first]).expect(0);
    wait_until("the keeper to go", SOON, || !proc::is_alive(keeper.pid, keeper.start));
    fs::write(space.project.join("go"), "").expect("the word to go on");
    let shown = daemon.wait_screen(&second, "done");
    assert!(shown.contains("Read-only file system"), "{shown}");
    space.cli(&["kill", &second]).expect(0);
    wait_until("its place to be given back", SOON, || !space.project.join(".vscode").exists());
}

#[test]
fn a_project_that_is_read_only_outside_is_so_at_workspace_and_the_rest_holds() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    daemon.kill9();
    daemon.start_binary(&read_only_home(&space));
    let project = space.home.join("project");
    fs::create_dir(&project).expect("a project");
    let script = "touch here; touch /tmp/there && echo in tmp; echo done; sleep 600";
    let body = json!({"provider": "command", "cwd": project, "sandbox": "workspace",
        "args": ["sh", "-c", script]});
    let reply = daemon.post("/sessions", &body);
    let id = reply["session"]["id"].as_str().expect("an id").to_string();
    let screen = daemon.wait_screen(&id, "done");
    assert!(screen.contains("Read-only file system"), "{screen}");
    assert!(screen.contains("in tmp"), "{screen}");
    assert_eq!(daemon.session(&id)["sandbox"]["verified"], "workspace");
}

#[test]
fn an_agents_own_channel_is_covered_before_its_first_start_makes_it() {
    let space = Space::new();
    Inside::install_claude(&space);
    let daemon = Daemon::start(&space);
    let config = space.root.join("config");
    let env = json!({"CLAUDE_CONFIG_DIR": config});
    let agent = Inside::start_as(
        &space,
        &daemon,
        "agent",
        &json!({"provider": "claude-code",
        "env": env}),
    );
    let pid = daemon.session(&agent.id)["pid"].as_i64().expect("a running program");
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("its mounts");
    for dir in [space.home.join(".claude/sessions"), config.join("sessions")] {
        let shown = dir.to_str().expect("text");
        assert!(mounts.lines().any(|line| line.split(' ').nth(4) == Some(shown)), "{shown}");
    }
}

/// A program that runs the daemon where nobody gets a namespace.
fn without_namespaces(space: &Space) -> String {
    let script = format!(
        "#!/bin/sh\nexec unshare --user --map-current-user --keep-caps sh -c '\
         echo 0 > /proc/sys/user/max_user_namespaces && exec {BINARY} \"$@\"' sh \"$@\"\n"
    );
    path_text(&space.write_program("daemon-without-namespaces", &script))
}

#[test]
fn a_level_that_the_host_refuses_starts_nothing_and_names_the_way_out() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    daemon.stop();
    daemon.start_binary(&without_namespaces(&space));
    let project = space.project.to_str().expect("text");
    for level in ["guard", "workspace", "strict"] {
        let line = ["start", "-p", "command", "-d", project, "--sandbox", level, "--", "touch"];
        let refused = space.cli(&[&line[..], &["ran"]].concat()).run();
        assert!(!refused.status.success(), "{level}");
        for part in [level, "raise user.max_user_namespaces", "--sandbox"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
    }
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
    let left: Vec<_> = fs::read_dir(&space.project).expect("the project").collect();
    assert!(left.is_empty(), "{left:?}");
    let id = daemon.start_session(&["sleep", "600"]);
    assert_eq!(daemon.session(&id)["sandbox"]["verified"], "keys-only");
    let log = fs::read_to_string(space.root.join("daemon.out")).expect("its log");
    assert!(log.contains("no sandbox guard") && log.contains("raise user.max"), "{log}");
}
