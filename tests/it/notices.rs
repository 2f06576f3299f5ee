//! The promise: a person hears once of what a session waits for or came to, unless they saw it;
//! what is answered is read. Where it goes from there is tests/it/channels.rs.

use crate::approvals::event;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::socket::Socket;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;

/// A daemon, and a Claude without dialogs in it, whose questions are news after so many seconds.
pub fn headless<'a>(space: &'a Space, dwell: u64) -> (Daemon<'a>, Inside) {
    Inside::install_claude(space);
    let daemon = Daemon::start(space);
    daemon.uncage();
    set(&daemon, json!({"notificationDwellSeconds": dwell}));
    let asked = json!({"provider": "claude-code", "args": ["-p", "hi"]});
    let inside = Inside::start_as(space, &daemon, "build", &asked);
    (daemon, inside)
}

#[track_caller]
pub fn set(daemon: &Daemon<'_>, settings: Value) {
    daemon.request("PUT", "/settings/daemon", Some(&settings)).ok();
}

/// The notices, newest first, once there are so many.
#[track_caller]
pub fn listed(daemon: &Daemon<'_>, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} notices"), SOON, || {
        let found = daemon.get("/notifications")["notifications"].as_array().cloned().unwrap();
        assert!(found.len() <= count, "{found:?}");
        (found.len() == count).then_some(found)
    })
}

#[test]
fn a_question_that_stands_is_a_notice_until_it_is_answered_and_one_that_does_not_is_none() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, 2);
    let first = inside.hook_aside(&event("PreToolUse", "touch secret-plan", Some("t1")));
    space.answer(&["approve"]);
    inside.result(first);
    inside.hook_aside(&event("PreToolUse", "touch b", Some("t2")));
    let notice = listed(&daemon, 1).remove(0);
    assert_eq!(notice["eventType"], "session.permission_required");
    assert_eq!((&notice["approvalId"], &notice["count"]), (&json!(2), &json!(1)));
    assert_eq!(notice["title"], "Permission required");
    assert_eq!(notice["body"], "build is waiting for permission approval in Claude Code.");
    assert_eq!(
        (&notice["sessionName"], &notice["provider"]),
        (&json!("build"), &json!("claude-code"))
    );
    assert_eq!(notice["deliveries"], json!([]));
    let counts = daemon.get("/notifications/counts")["counts"].clone();
    assert_eq!(counts, json!({"totalUnread": 1, "bySession": {inside.id.clone(): 1}}));
    let shown = space.cli(&["notices", "--unread", "--no-color"]).expect(0).stdout;
    assert!(shown.contains("Permission required") && shown.contains("build"), "{shown}");
    space.answer(&["deny"]);
    wait_until("the notice to be read", SOON, || {
        let read = listed(&daemon, 1).remove(0);
        read["readSource"] == "answered" && read.get("readAt").is_some()
    });
    assert_eq!(daemon.get("/notifications?unreadOnly=true")["notifications"], json!([]));
}

#[test]
fn questions_that_come_together_are_one_notice_with_a_count() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, 0);
    inside.hook_aside(&event("PreToolUse", "touch a", Some("t1")));
    listed(&daemon, 1);
    inside.hook_aside(&event("PreToolUse", "touch b", Some("t2")));
    let both = wait_for("the second to count", SOON, || {
        let one = listed(&daemon, 1).remove(0);
        (one["count"] == json!(2)).then_some(one)
    });
    assert_eq!(both["approvalId"], json!(2));
    daemon.post("/approvals/2/approve", &json!({}));
    assert_eq!(listed(&daemon, 1)[0].get("readAt"), None, "the other waits still");
    daemon.post("/approvals/1/approve", &json!({}));
    assert_eq!(listed(&daemon, 1)[0]["readSource"], "answered");
}

#[test]
fn turns_ends_and_alarms_are_news_and_what_a_person_did_is_not() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, 0);
    let stop = json!({"hook_event_name": "Stop", "session_id": "x"});
    inside.hook(&stop);
    let prompt = json!({"hook_event_name": "UserPromptSubmit", "session_id": "x", "prompt": "p"});
    inside.hook(&prompt);
    inside.hook(&stop);
    let turn = listed(&daemon, 1).remove(0);
    assert_eq!(turn["eventType"], "session.turn_completed", "and not at the start, with none");
    assert_eq!(turn["body"], "build is ready for your next prompt.");
    inside.hook(&prompt);
    assert_eq!(listed(&daemon, 1)[0]["readSource"], "answered");
    inside.hook(&event("PostToolUse", "rm -rf /", Some("never")));
    let alarm = listed(&daemon, 2).remove(0);
    assert_eq!(alarm["eventType"], "session.ungated_call");
    assert_eq!(alarm["body"], "build: Bash ran without a decision.");
    let ended = daemon.start_session(&["sh", "-c", "read x; exit 3"]);
    daemon.post(&format!("/sessions/{ended}/send"), &json!({"text": "x"}));
    let crashed = listed(&daemon, 3).remove(0);
    assert_eq!(crashed["eventType"], "session.crashed");
    assert_eq!(crashed["body"], "project has crashed: exit code 3.");
    daemon.post(&format!("/sessions/{}/kill", inside.id), &json!({}));
    let well = daemon.start_session(&["sh", "-c", "read x"]);
    daemon.post(&format!("/sessions/{well}/send"), &json!({"text": "x"}));
    let last = listed(&daemon, 4).remove(0);
    assert_eq!(last["eventType"], "session.ended");
    assert_eq!(last["sessionId"], json!(well), "of the one that was killed there is none");
    let crashes = daemon.get("/notifications?eventType=session.crashed")["notifications"].clone();
    assert_eq!(crashes.as_array().unwrap().len(), 1);
    daemon.request("DELETE", &format!("/sessions/{ended}"), None).ok();
    listed(&daemon, 3);
}

#[test]
fn switches_hold_for_a_session_for_a_kind_and_for_all() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let crash = || {
        let id = daemon.start_session(&["sh", "-c", "read x; exit 3"]);
        let prefs = format!("/sessions/{id}/notifications/prefs");
        (id, prefs)
    };
    let end = |id: &str| {
        daemon.post(&format!("/sessions/{id}/send"), &json!({"text": "x"}));
        wait_until("its end", SOON, || daemon.session(id)["status"] == "CRASHED");
    };
    let (quiet, prefs) = crash();
    let off = daemon.request("PUT", &prefs, Some(&json!({"enabled": false}))).ok();
    assert_eq!(off["prefs"]["enabled"], false);
    assert!(off["prefs"]["updatedAt"].is_string());
    end(&quiet);
    set(&daemon, json!({"notificationEventDefaults": {"session.crashed": false}}));
    let all = daemon.get("/settings/daemon")["settings"]["notificationEventDefaults"].clone();
    assert_eq!((&all["session.crashed"], &all["session.ended"]), (&json!(false), &json!(true)));
    end(&crash().0);
    set(&daemon, json!({"notificationEventDefaults": null, "notificationsEnabled": false}));
    end(&crash().0);
    set(&daemon, json!({"notificationsEnabled": true}));
    let (loud, prefs) = crash();
    let left = daemon.request("PUT", &prefs, Some(&json!({"enabled": null}))).ok();
    assert_eq!(left["prefs"], json!({"sessionId": loud, "enabled": null}));
    end(&loud);
    assert_eq!(listed(&daemon, 1)[0]["sessionId"], json!(loud));
    let wrong = daemon.request("PUT", &prefs, Some(&json!({})));
    assert_eq!(wrong.status, 400);
}

#[test]
fn what_comes_up_on_the_screen_is_read_already_and_so_is_what_an_attached_person_finds() {
    let space = Space::new();
    let (_daemon, inside) = headless(&space, 0);
    let mut page = Socket::hello(&space);
    page.subscribe("notifications");
    page.say(json!({"op": "looking", "sessionId": inside.id}));
    page.json_where(|m| m["op"] == "looking_ack" && m["sessionId"] == json!(inside.id));
    inside.hook_aside(&event("PreToolUse", "touch a", Some("t1")));
    let told = page.json_where(|m| m["type"] == "notification_created");
    assert_eq!(told["notification"]["readSource"], "on screen");
    assert_eq!(told["notification"]["deliveries"], json!([]));
    page.say(json!({"op": "looking", "sessionId": null}));
    page.json_where(|m| m["op"] == "looking_ack" && m["sessionId"].is_null());
    inside.hook_aside(&event("PreToolUse", "touch b", Some("t2")));
    let told = page.json_where(|m| m["type"] == "notification_created");
    assert_eq!(told["notification"].get("readAt"), None);
    let id = told["notification"]["id"].clone();
    let mut terminal = Socket::open(&space);
    terminal.say(json!({"op": "attach", "sessionId": inside.id, "from": "end", "cols": 80,
        "rows": 24, "readonly": true, "resize": false}));
    let told = page.json_where(|m| m["type"] == "notification_updated");
    assert_eq!(told["notification"]["readSource"], "on screen");
    let read = page.json_where(|m| m["type"] == "notifications_read");
    assert_eq!((&read["id"], &read["counts"]["totalUnread"]), (&id, &json!(0)));
}

#[test]
fn a_dashboard_is_told_of_each_notice_and_of_what_is_read_elsewhere() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let mut page = Socket::hello(&space);
    page.subscribe("notifications");
    let mut crashed = Vec::new();
    for _ in 0..3 {
        let id = daemon.start_session(&["sh", "-c", "read x; exit 3"]);
        daemon.post(&format!("/sessions/{id}/send"), &json!({"text": "x"}));
        let told = page.json_where(|m| m["type"] == "notification_created");
        assert_eq!(told["notification"]["sessionId"], json!(id));
        crashed.push((id, told["notification"]["id"].clone()));
    }
    let (_, first) = &crashed[0];
    space.cli(&["notices", "read", &first.to_string()]).expect(0);
    let read = page.json_where(|m| m["type"] == "notifications_read");
    assert_eq!((&read["id"], &read["counts"]["totalUnread"]), (first, &json!(2)));
    let again = daemon.post(&format!("/notifications/{first}/read"), &json!({}));
    assert_eq!(again, json!({"success": true, "changed": false}));
    daemon.request("DELETE", &format!("/sessions/{}", crashed[1].0), None).ok();
    let gone = page.json_where(|m| m["type"] == "notifications_read");
    assert_eq!((&gone["id"], &gone["counts"]["totalUnread"]), (&crashed[1].1, &json!(1)));
    let all = space.cli(&["notices", "read", "--json"]).expect(0).json();
    assert_eq!(all, json!({"success": true, "updated": 1}));
    let read = page.json_where(|m| m["type"] == "notifications_read");
    assert_eq!(read["counts"], json!({"totalUnread": 0, "bySession": {}}));
    assert_eq!(daemon.request("POST", "/notifications/999/read", Some(&json!({}))).status, 404);
}
