//! Promise: a damaged database or a full disk stops no program. What is wrong is said clearly, and
//! where output was lost there is a mark.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use codepiper::output::index;
use codepiper::output::index::Mark;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Stops the daemon in good order, damages the file, starts a new one and checks all of the
/// promise.
fn check_damaged(damage: impl FnOnce(&Path)) {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "echo first light; exec cat"]);
    daemon.wait_screen(&id, "first light");
    let ended = daemon.start_session(&["sh", "-c", "sleep 0.3"]);
    daemon.get(&format!("/sessions/{ended}/wait?for=ended&timeout=20"));
    assert!(daemon.stop().success());
    let database = space.state.join("codepiper.db");
    damage(&database);
    let damaged = fs::read(&database).unwrap();
    daemon.start_binary(BINARY);

    // Opening meets most damage; what it does not meet is found by the check a moment later.
    wait_until("the damage to be told", SOON, || daemon.get("/health")["status"] == "degraded");
    let health = daemon.get("/health");
    let reason = health["reason"].as_str().unwrap();
    for part in ["codepiper.db", "running sessions go on", "aside"] {
        assert!(reason.contains(part), "no {part:?} in {reason}");
    }
    let checks = daemon.get("/doctor")["checks"].clone();
    let row = checks.as_array().unwrap().iter().find(|row| row["name"] == "database").unwrap();
    assert_eq!((&row["ok"], &row["detail"]), (&Value::from(false), &health["reason"]));
    let told = space.cli(&["doctor"]).run();
    assert!(told.stdout.contains("running sessions go on"), "{}{}", told.stdout, told.stderr);
    assert!(!told.status.success(), "doctor finds something");
    let log = fs::read_to_string(space.root.join("daemon.out")).unwrap();
    assert!(log.contains(reason), "{log}");

    // The session is there, and takes part.
    daemon.wait_screen(&id, "first light");
    assert_eq!(daemon.session(&id)["status"], "RUNNING");
    daemon.post(&format!("/sessions/{id}/send"), &json!({"text": "second breakfast"}));
    daemon.wait_screen(&id, "second breakfast");

    // It can be ended, and the truth about it is told even if it cannot be stored.
    let stopped = &daemon.post(&format!("/sessions/{id}/stop"), &json!({}))["session"];
    assert_eq!((&stopped["status"], &stopped["exitSignal"]), (&"STOPPED".into(), &1.into()));
    assert_eq!(daemon.session(&id)["status"], "STOPPED");

    // Nothing new, and nothing written.
    let cwd = path_text(&space.project);
    let body = json!({"provider": "command", "cwd": cwd, "args": ["cat"]});
    let refused = daemon.request("POST", "/sessions", Some(&body));
    assert_eq!((refused.status, &refused.json()["error"]), (403, &health["reason"]));
    let settings = daemon.request("PUT", "/settings/daemon", Some(&json!({"maxSessions": 3})));
    assert_eq!(settings.status, 403, "{}", settings.text());
    let keepers = fs::read_dir(space.state.join("run/k")).unwrap().count();
    assert_eq!(keepers, 1, "a refused start leaves no keeper");
    assert!(!space.state.join("codepiper.db.new").exists());
    assert_eq!(fs::read(&database).unwrap(), damaged, "the damaged file is for the person to keep");
}

#[test]
fn random_bytes_in_the_middle_of_the_database() {
    check_damaged(|path| {
        let mut bytes = fs::read(path).unwrap();
        let (from, to) = (4096, bytes.len());
        getrandom::fill(&mut bytes[from..to]).unwrap();
        fs::write(path, bytes).unwrap();
    });
}

#[test]
fn a_truncated_database() {
    check_damaged(|path| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2 + 100).unwrap();
    });
}

#[test]
fn a_database_that_is_none() {
    check_damaged(|path| fs::write(path, "not a database at all\n".repeat(500)).unwrap());
}

/// A small disk of its own; it goes with this.
pub struct Disk(pub PathBuf);

impl Disk {
    /// Mounts one; it takes root.
    pub fn mount(size: &str) -> Disk {
        let mut random = [0; 4];
        getrandom::fill(&mut random).unwrap();
        let at = PathBuf::from(format!("/tmp/cp-disk-{:08x}", u32::from_le_bytes(random)));
        fs::create_dir(&at).unwrap();
        let options = format!("size={size},mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "codepiper-test"]).arg(&at);
        assert!(mount.status().expect("mount").success());
        Disk(at)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the processes that still use it end a moment later.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

/// Takes all the room there is.
pub fn fill(path: &Path) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

/// Prints as many bytes as it is asked for, and says when it has.
const PRINTER: &str = "stty -echo; echo ready; while read count name; do \
    head -c $count /dev/zero | tr '\\0' x; echo; echo \"printed $name\"; \
    echo $name > printed; done";

#[test]
fn a_full_disk_stops_no_program_and_leaves_a_gap_that_is_marked() {
    if nix::unistd::geteuid().as_raw() != 0 {
        eprintln!("not tested: mounting a small disk takes root");
        return;
    }
    // In this order: the space ends its processes before the disk goes.
    let disk = Disk::mount("12m");
    let mut space = Space::new();
    space.state = disk.0.clone();
    space.env.insert("CODEPIPER_HOME".to_string(), path_text(&space.state));
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", PRINTER]);
    let print = |count: u32, name: &str| {
        let text = format!("{count} {name}");
        daemon.post(&format!("/sessions/{id}/send"), &json!({"text": text}));
        let printed = space.project.join("printed");
        let is_printed = || fs::read_to_string(&printed).is_ok_and(|text| text.trim() == name);
        wait_until(&format!("{name} to be printed"), SOON, is_printed);
    };
    daemon.wait_screen(&id, "ready");
    print(100_000, "before");
    let ballast = space.state.join("ballast");
    fill(&ballast);

    // The program is read on, whatever happens to its log.
    print(5_000_000, "a-flood");
    print(10, "meanwhile");
    daemon.wait_screen(&id, "printed meanwhile");
    wait_until("logDegraded", SOON, || daemon.session(&id)["logDegraded"] == true);
    assert_eq!(daemon.session(&id)["status"], "RUNNING");
    let doctor = space.cli(&["doctor"]).run().stdout;
    assert!(doctor.contains("cannot write their log"), "{doctor}");

    fs::remove_file(&ballast).unwrap();
    let mut round = 0;
    wait_until("logDegraded to end", SOON, || {
        round += 1;
        print(10, &format!("after-{round}"));
        daemon.session(&id)["logDegraded"] == false
    });
    print(50_000, "at-last");
    daemon.wait_screen(&id, "printed at-last");
    let log = daemon.log(&id);
    let text = String::from_utf8_lossy(&log);
    assert!(text.contains("printed before") && text.contains("printed at-last"));
    let records = index::read(&space.state.join("sessions").join(&id).join("log")).unwrap();
    let lost: u64 = records
        .iter()
        .filter_map(|record| match record.mark {
            Mark::Gap { lost } => Some(u64::from(lost)),
            _ => None,
        })
        .sum();
    let all = daemon.session(&id)["logBytes"].as_u64().unwrap();
    assert!(lost > 1_000_000, "{lost} of {all} bytes are marked as lost");
    assert_eq!(all, log.len() as u64 + lost, "every byte is in the log or marked as lost");
    let told = space.cli(&["logs", &id]).expect(0).stdout;
    assert!(told.contains("log restored"), "{told}");
}
