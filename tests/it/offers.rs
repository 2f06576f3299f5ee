//! The promise: whoever starts a session is told before what there is to choose from, and a list of
//! sessions says how each stands.

use crate::hook_gate::set_policy;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::fs;

#[test]
fn a_directory_is_completed_and_looked_at() {
    let space = Space::new();
    for name in ["projects/one/.git", "projects/.hidden", "projects/other", "private"] {
        fs::create_dir_all(space.home.join(name)).expect("a directory");
    }
    let root = space.home.join("projects/one");
    fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").expect("a head");
    let daemon = Daemon::start(&space);
    let names = |typed: &str| {
        let found = daemon.get(&format!("/directories?path={typed}"));
        let list = found["directories"].as_array().expect("a list").clone();
        list.iter().map(|d| d["name"].as_str().expect("a name").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("~/pr"), ["private", "projects"]);
    assert_eq!(names("~/projects/"), ["one", "other", ".hidden"]);
    let found = daemon.get("/directories?path=~/projects/on");
    assert_eq!(found["base"], format!("{}/projects/", space.home.display()));
    let one = json!([{"path": path_text(&root), "name": "one", "isGitRepo": true,
        "isHidden": false, "isLink": false}]);
    assert_eq!((&found["directories"], &found["more"]), (&one, &json!(false)));
    let none = daemon.get("/directories?path=relative");
    assert_eq!(none["directories"], json!([]));
    assert!(none["problem"].as_str().expect("a problem").contains("begins with"));
    let check = |cwd: &str| daemon.post("/sessions/validate", &json!({"cwd": cwd}));
    let said = check("~/projects/one");
    let git = json!({"repoRoot": path_text(&root), "currentBranch": "main"});
    assert_eq!((&said["valid"], &said["gitInfo"]), (&json!(true), &git), "{said}");
    assert_eq!(said["cwd"], path_text(&root));
    let said = check("~/none");
    assert_eq!((&said["valid"], &said["directoryExists"]), (&json!(false), &json!(false)));
    assert!(said["errors"][0].as_str().expect("an error").contains("not there"), "{said}");
    assert_eq!(check(&path_text(&space.state))["valid"], false);
}

#[test]
fn providers_and_cages_say_what_can_be_had() {
    let space = Space::new();
    Inside::install_claude(&space);
    let daemon = Daemon::start(&space);
    let all = daemon.get("/providers");
    let of = |id: &str| -> Value {
        let list = all["providers"].as_array().expect("a list");
        list.iter().find(|one| one["id"] == id).expect("a provider").clone()
    };
    let claude = of("claude-code");
    assert_eq!(claude["installed"], true, "{claude}");
    assert!(claude["program"].as_str().expect("a path").ends_with("/claude"), "{claude}");
    assert!(claude["version"].as_str().expect("a version").contains('.'), "{claude}");
    assert_eq!(claude["billingModes"], json!(["subscription", "api"]));
    assert_eq!(claude["supportsProjectSettings"], true);
    assert!(of("command").get("installed").is_none());
    assert_eq!(of("codex")["installed"], of("codex")["program"].is_string());
    let levels = daemon.get("/sandbox");
    let words: Vec<&Value> =
        levels["levels"].as_array().expect("a list").iter().map(|l| &l["level"]).collect();
    assert_eq!(words, ["off", "keys-only", "guard", "workspace", "strict"]);
    assert_eq!(levels["setting"], "auto");
}

#[test]
fn a_session_says_since_when_it_is_so_and_how_many_questions_are_open() {
    let space = Space::new();
    Inside::install_claude(&space);
    let mut daemon = Daemon::start(&space);
    set_policy(&daemon, &json!([{"action": "ask", "command": "make"}])).ok();
    let id = daemon.start_session(&["cat"]);
    wait_until("it runs", SOON, || daemon.session(&id)["status"] == "RUNNING");
    let row = daemon.session(&id);
    assert_eq!(
        (&row["pendingApprovals"], &row["billingMode"]),
        (&json!(0), &json!("subscription"))
    );
    let since = row["stateSince"].as_str().expect("a time").to_string();
    assert!(since.as_str() >= row["createdAt"].as_str().expect("a time"), "{row}");
    // It is not the time of the last change.
    space.cli(&["rename", &id, "other"]).expect(0);
    assert_eq!(daemon.session(&id)["stateSince"], since);
    daemon.crash_and_restart();
    wait_until("it is adopted", SOON, || daemon.session(&id)["adopting"] == false);
    let known = daemon.session(&id)["stateSince"].as_str().expect("a time").to_string();
    // The event has the time at which it was stored.
    assert!(known[..19] >= since[..19], "{known} {since}");
    let listed = daemon.get("/sessions");
    assert_eq!(listed["sessions"][0]["stateSince"], known);
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    let row = daemon.session(&id);
    assert_eq!(row["stateSince"], row["endedAt"], "{row}");
}
