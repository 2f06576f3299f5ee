//! The promise: a session gets the variables of its env sets, and nothing else ever shows them.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::PermissionsExt;

/// A set of the API.
fn create(daemon: &Daemon<'_>, name: &str, vars: Value) -> String {
    let body = json!({"name": name, "vars": vars});
    let made = daemon.post("/env-sets", &body);
    made["envSet"]["id"].as_str().expect("an id").to_string()
}

/// What the session's program sees of these variables, one a line.
fn start(daemon: &Daemon<'_>, space: &Space, body: Value) -> String {
    let script = "env | grep -E '^(A|B|C|ANTHROPIC_API_KEY)=' | sort; echo end; exec sleep 600";
    let mut asked = json!({
        "provider": "command", "cwd": space.project, "args": ["sh", "-c", script],
    });
    asked.as_object_mut().expect("an object").extend(body.as_object().expect("one").clone());
    let started = daemon.post("/sessions", &asked);
    started["session"]["id"].as_str().expect("an id").to_string()
}

fn seen(daemon: &Daemon<'_>, id: &str) -> Vec<String> {
    let screen = daemon.wait_screen(id, "end");
    screen.lines().take_while(|line| *line != "end").map(str::to_string).collect()
}

#[test]
fn later_sets_win_over_earlier_ones_and_a_variable_by_name_over_all() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let one = create(&daemon, "one", json!({"A": "1", "B": "1", "C": "1"}));
    create(&daemon, "two", json!({"B": "2", "C": "2"}));
    let asked = json!({"envSetIds": [one, "two"], "env": {"C": "3"}});
    let id = start(&daemon, &space, asked);
    assert_eq!(seen(&daemon, &id), ["A=1", "B=2", "C=3"]);
    let other = start(&daemon, &space, json!({"envSetIds": ["two", one]}));
    assert_eq!(seen(&daemon, &other), ["A=1", "B=1", "C=1"]);
    let shown = daemon.session(&id);
    let sets = shown["metadata"]["launch"]["envSetIds"].as_array().expect("a list");
    assert_eq!((sets.len(), &sets[0]), (2, &json!(one)));
}

#[test]
fn a_resume_has_the_same_sets_as_they_are_then_and_says_what_to_do_without_one() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    create(&daemon, "one", json!({"A": "1"}));
    create(&daemon, "two", json!({"B": "2"}));
    let id = start(&daemon, &space, json!({"envSetIds": ["one", "two"]}));
    assert_eq!(seen(&daemon, &id), ["A=1", "B=2"]);
    daemon.crash_and_restart();
    space.cli(&["stop", &id]).expect(0);
    space.cli(&["env-set", "update", "one", "--var", "A=9"]).expect(0);
    space.cli(&["resume", &id]).expect(0);
    daemon.wait_screen(&id, "A=9");
    space.cli(&["stop", &id]).expect(0);
    let gone = space.cli(&["env-set", "delete", "two"]).expect(0);
    assert!(gone.stdout.contains(&id[..8]), "{}", gone.stdout);
    let refused = space.cli(&["resume", &id]).expect(4);
    for part in ["which is gone", "--env-set NAME", "--no-env-set"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert_eq!(daemon.session(&id)["status"], "STOPPED");
    space.cli(&["resume", &id, "--env-set", "one"]).expect(0);
    daemon.wait_screen(&id, "A=9");
    space.cli(&["stop", &id]).expect(0);
    space.cli(&["resume", &id, "--no-env-set"]).expect(0);
    assert_eq!(daemon.session(&id)["metadata"]["launch"]["envSetIds"], json!([]));
}

#[test]
fn a_key_in_a_set_follows_the_billing_and_the_start_says_when_it_is_dropped() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    create(&daemon, "keys", json!({"A": "1", "ANTHROPIC_API_KEY": "sk-canary"}));
    let script = "env | grep -cE '^ANTHROPIC_API_KEY='; echo end; exec sleep 600";
    let line = ["start", "-p", "command", "--env-set", "keys"];
    let program = ["--", "sh", "-c", script];
    let started = space.cli(&[&line[..], &program].concat()).expect(0);
    assert!(started.stderr.contains("ANTHROPIC_API_KEY of the env set keys"), "{}", started.stderr);
    assert!(started.stderr.contains("-b api"), "{}", started.stderr);
    let kept = space.cli(&[&line[..], &["-b", "api"], &program].concat()).expect(0);
    assert!(!kept.stderr.contains("left out"), "{}", kept.stderr);
    let sessions = daemon.get("/sessions");
    let ids = sessions["sessions"].as_array().expect("a list").iter();
    let counts: Vec<String> = ids
        .map(|row| {
            let screen = daemon.wait_screen(row["id"].as_str().expect("an id"), "end");
            screen.lines().next().expect("a line").to_string()
        })
        .collect();
    assert_eq!(counts, ["1", "0"], "the newest comes first");
}

#[test]
fn a_set_that_is_missing_or_does_not_open_starts_nothing_and_leaves_nothing() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    create(&daemon, "one", json!({"A": "canary-value"}));
    let line = ["start", "-p", "command", "--env-set"];
    let none = space.cli(&[&line[..], &["nowhere", "--", "true"]].concat()).expect(4);
    assert!(none.stderr.contains("env-set list"), "{}", none.stderr);
    // Another key in the place of the one that sealed it.
    let key = space.state.join("master.key");
    let mut daemon = daemon;
    daemon.stop();
    std::fs::write(&key, [7; 32]).expect("another key");
    daemon.start_binary(crate::support::daemon::BINARY);
    let refused = space.cli(&[&line[..], &["one", "--", "true"]].concat()).expect(1);
    assert!(refused.stderr.contains("env set one does not open"), "{}", refused.stderr);
    assert!(refused.stderr.contains("another master.key"), "{}", refused.stderr);
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
    let left = std::fs::read_dir(space.state.join("sessions")).expect("a directory");
    assert_eq!(left.count(), 0);
}

/// Changes the database while no daemon runs, as whoever has its file could.
fn sql(space: &Space, statement: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); \
                  c.execute(sys.argv[2]); c.commit()";
    let mut python = std::process::Command::new("python3");
    let database = space.state.join("codepiper.db");
    let done = python.args(["-c", script]).arg(database).arg(statement).status().expect("python3");
    assert!(done.success(), "{statement}");
}

#[test]
fn a_set_that_was_swapped_cut_changed_or_put_back_in_the_database_starts_nothing() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    create(&daemon, "one", json!({"A": "canary-one"}));
    create(&daemon, "two", json!({"A": "canary-two"}));
    daemon.stop();
    sql(&space, "CREATE TABLE kept AS SELECT * FROM env_sets");
    let of = |name: &str| format!("(SELECT sealed FROM kept WHERE name = '{name}')");
    let (one, two) = (of("one"), of("two"));
    for blob in [
        two.clone(),
        format!("CAST(substr({one}, 1, length({one}) - 1) AS BLOB)"),
        format!("CAST(substr({one}, 1, 30) || x'00000000' || substr({one}, 35) AS BLOB)"),
        "x''".to_string(),
        format!("{one}, version = version + 1"),
    ] {
        sql(&space, &format!("UPDATE env_sets SET sealed = {blob} WHERE name = 'one'"));
        daemon.start_binary(crate::support::daemon::BINARY);
        let line = ["start", "-p", "command", "--env-set", "one", "--", "sleep", "600"];
        let refused = space.cli(&line).expect(1).stderr;
        for part in ["env set one does not open", "backup", "env-set delete"] {
            assert!(refused.contains(part), "{blob}: {refused}");
        }
        assert!(!refused.contains("canary"), "{refused}");
        assert_eq!(daemon.get("/sessions")["sessions"], json!([]), "{blob}");
        daemon.stop();
        sql(&space, &format!("UPDATE env_sets SET sealed = {one}, version = 1 WHERE name = 'one'"));
    }
    sql(&space, "DROP TABLE kept");
    daemon.start_binary(crate::support::daemon::BINARY);
    let id = start(&daemon, &space, json!({"envSetIds": ["one"]}));
    assert!(seen(&daemon, &id).contains(&"A=canary-one".to_string()));
}

#[test]
fn the_command_line_takes_values_from_every_side_and_shows_none() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["env-set", "create", "--name"], more].concat()
    }
    let out = space.cli(&with(&["argv", "--var", "A=canary-argv"])).expect(0);
    assert!(out.stderr.contains("process list") && out.stderr.contains("--var NAME"));
    let out = space.cli(&with(&["asked", "--var", "A", "--var", "B"]));
    let out = out.stdin(b"canary-a\ncanary-b\n").expect(0);
    assert!(out.stderr.is_empty(), "no warning: {}", out.stderr);
    let out = space.cli(&with(&["piped", "--stdin"])).stdin(b"# x\nA='canary\nline'\n").expect(0);
    assert!(out.stdout.contains("1 variable"), "{}", out.stdout);
    let file = space.write("vars.env", "A=canary-file\n");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("a mode");
    let file = file.to_str().expect("text");
    let out = space.cli(&with(&["file", "--from-file", file])).expect(0);
    assert!(out.stderr.contains("chmod 600"), "{}", out.stderr);
    let bad = space.cli(&with(&["bad", "--stdin"])).stdin(b"A=1\ncanary\n").expect(2);
    assert!(bad.stderr.contains("line 2") && !bad.stderr.contains("canary"), "{}", bad.stderr);
    let loader = space.cli(&with(&["ld", "--stdin"])).stdin(b"LD_PRELOAD=/canary\n").expect(2);
    assert!(loader.stderr.contains("--allow-loader-vars"), "{}", loader.stderr);

    let mut shown = String::new();
    for line in [&["env-set", "list"][..], &["env-set", "get", "asked"]] {
        shown += &space.cli(line).expect(0).stdout;
        shown += &space.cli(&[line, &["--json"]].concat()).expect(0).stdout;
    }
    assert!(shown.contains("A=********") && shown.contains("\"varCount\":2"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    let id = start(&daemon, &space, json!({"envSetIds": ["asked", "piped"]}));
    assert_eq!(
        seen(&daemon, &id),
        ["A=canary", "B=canary-b"],
        "a line of a value is not sorted in"
    );
}

#[test]
fn a_value_of_a_mebibyte_is_refused_by_name() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let text = format!("A={}\n", "x".repeat(1024 * 1024));
    let refused = space.cli(&["env-set", "create", "--name", "big", "--stdin"]);
    let refused = refused.stdin(text.as_bytes()).expect(2);
    assert!(refused.stderr.contains("the value of A has 1048576 bytes"), "{}", refused.stderr);
    assert!(refused.stderr.contains("give that file's path"), "{}", refused.stderr);
    assert_eq!(daemon.get("/env-sets"), json!({"envSets": []}));
}

#[test]
fn the_keeper_does_not_keep_what_the_program_got() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let canary = "canary-in-memory-0123456789";
    create(&daemon, "one", json!({"A": canary}));
    let asked = json!({
        "provider": "command", "cwd": space.project, "args": ["sleep", "600"],
        "envSetIds": ["one"],
    });
    let id = daemon.post("/sessions", &asked)["session"]["id"].as_str().expect("an id").to_string();
    let pid = daemon.session(&id)["pid"].as_i64().expect("a pid") as i32;
    let environ = std::fs::read(format!("/proc/{pid}/environ")).expect("the program's own");
    assert!(holds(&environ, canary), "the program has it");
    let keeper = codepiper::sys::proc::stat(pid).expect("a process").ppid;
    for file in ["environ", "cmdline"] {
        let bytes = std::fs::read(format!("/proc/{keeper}/{file}")).unwrap_or_default();
        assert!(!holds(&bytes, canary), "in the keeper's {file}");
    }
    // Only root may look further, and finds nothing either.
    for bytes in memory(keeper) {
        assert!(!holds(&bytes, canary), "in the keeper's memory");
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// The writable memory of a process, as far as it can be read.
fn memory(pid: i32) -> Vec<Vec<u8>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let Ok(file) = std::fs::File::open(format!("/proc/{pid}/mem")) else { return Vec::new() };
    let ranges = maps.lines().filter(|line| line.contains(" rw")).filter_map(|line| {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
    });
    let read = |(from, to): (u64, u64)| {
        let mut bytes = vec![0; (to - from) as usize];
        file.read_exact_at(&mut bytes, from).ok().map(|()| bytes)
    };
    ranges.filter_map(read).collect()
}

#[test]
fn show_env_names_exactly_what_a_session_gets_and_no_value() {
    let mut space = Space::new();
    for (name, value) in [("ANTHROPIC_API_KEY", "canary-daemon"), ("GIVEN", "canary-given")] {
        space.env.insert(name.to_string(), value.to_string());
    }
    let daemon = Daemon::start(&space);
    create(&daemon, "one", json!({"A": "canary-a", "ANTHROPIC_AUTH_TOKEN": "canary-token"}));
    create(&daemon, "two", json!({"A": "canary-b", "LANG": "C"}));
    let line = ["start", "-p", "command", "--env-set", "one", "--env-set", "two", "-e", "GIVEN"];
    let shown = space.cli(&[&line[..], &["--show-env"]].concat()).expect(0).stdout;
    let json = space.cli(&[&line[..], &["--show-env", "--json"]].concat()).expect(0);
    assert!(!shown.contains("canary") && !json.stdout.contains("canary"), "{shown}");
    let json = json.json();
    let of = |list: &str, name: &str| -> Vec<Value> {
        let all = json[list].as_array().expect("a list").iter();
        all.filter(|one| one["name"] == name).cloned().collect()
    };
    let from = |name: &str| of("passed", name)[0]["from"].clone();
    for (name, source) in [
        ("A", "env set two"),
        ("LANG", "env set two"),
        ("GIVEN", "--env"),
        ("TERM", "codepiper"),
        ("HOME", "login shell"),
    ] {
        assert_eq!(from(name), source, "{name}: {json}");
        assert!(shown.contains(name), "{shown}");
    }
    assert!(of("left", "A")[0]["why"].as_str().expect("text").contains("env set two wins"));
    for name in ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"] {
        assert!(of("passed", name).is_empty(), "{name}");
        assert!(of("left", name)[0]["why"].as_str().expect("text").contains("bills by token"));
    }
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]), "nothing was started");

    let program = ["--", "sleep", "600"];
    space.cli(&[&line[..], &program].concat()).expect(0);
    let sessions = daemon.get("/sessions");
    let pid = sessions["sessions"][0]["pid"].as_i64().expect("a pid");
    let environ = || std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
    let names = |text: &str| {
        let lines = text.split('\0').filter_map(|line| Some(line.split_once('=')?.0.to_string()));
        lines.collect::<std::collections::BTreeSet<_>>()
    };
    let told: std::collections::BTreeSet<String> = json["passed"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["name"].as_str().expect("a name").to_string())
        .collect();
    assert_eq!(names(&environ()), told);
}
