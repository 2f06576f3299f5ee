//! `notices`: what happened while nobody looked, and marking it as read.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::short;
use crate::cli::describe::word;
use crate::cli::out::cell;
use crate::cli::policy_words::items;
use crate::cli::text;
use serde_json::Value;
use serde_json::json;

/// Where a notice was read that was marked here.
const SOURCE: &str = "cli";

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "notices",
    aliases: &["notifications"],
    group: Group::Approvals,
    usage: "[read [ID...]] [--unread] [--session ID]",
    about: "List what happened while nobody looked",
    options: &[
        switch(&["-u", "--unread"], "only what is not read"),
        value(&["-s", "--session"], "ID", "only of this session"),
        value(&["-n", "--limit"], "N", "the newest N; 50 without, 200 at most"),
    ],
    words: Words::Count(0, 100),
    details: "The newest is first; `*` marks what is not read. SENT says by which channels it\n\
              went, see: codepiper notify. `notices read` marks all as read, or those of\n\
              --session, or the ones that are named.\n\
              \n\
              A question makes a notice once it has stood for some seconds (the setting\n\
              notificationDwellSeconds). It is read by itself when it is answered, when\n\
              you attach to its session, and when its page is on your screen. Which kinds\n\
              there are: codepiper settings notificationEventDefaults.",
    examples: &["codepiper notices --unread", "codepiper notices read", "codepiper notices read 7"],
    run,
}];

fn run(call: &Invocation<'_>) -> Result<i32> {
    match call.args.words.split_first() {
        None => list(call),
        Some((verb, ids)) if verb == "read" => read(call, ids),
        Some((other, _)) => Err(Error::invalid(format!(
            "unexpected word {other:?}; usage: codepiper notices [read [ID...]]"
        ))),
    }
}

fn list(call: &Invocation<'_>) -> Result<i32> {
    let limit: u64 = call.args.number("--limit")?.unwrap_or(50);
    let mut target = format!("/notifications?limit={limit}");
    if call.args.has("--unread") {
        target.push_str("&unreadOnly=true");
    }
    if let Some(id) = call.args.value("--session") {
        target.push_str(&format!("&sessionId={}", encode(id)));
    }
    let body = call.client.get(&target)?;
    if call.out.json {
        return call.out.body(&body).map(|()| 0);
    }
    let found = items(&body, "notifications");
    if found.is_empty() {
        call.out.line("nothing happened while you were away")?;
        return Ok(0);
    }
    let now = time::unix_ms();
    let rows: Vec<_> = found.iter().map(|notice| row(notice, now).map(cell).into()).collect();
    let headings = ["ID", "", "AGE", "SESSION", "TITLE", "SENT", "ABOUT"];
    call.out.table(&headings, &rows, 6)?;
    Ok(0)
}

fn row(notice: &Value, now_ms: i64) -> [String; 7] {
    let at = time::parse_rfc3339(word(notice, "createdAt")).unwrap_or(now_ms);
    let session = match word(notice, "sessionName") {
        "" => short(word(notice, "sessionId")),
        name => name,
    };
    let title = match notice["count"].as_i64() {
        Some(count) if count > 1 => format!("{} ({count})", word(notice, "title")),
        _ => word(notice, "title").to_string(),
    };
    let mark = if word(notice, "readAt").is_empty() { "*" } else { "" };
    let sent = items(notice, "deliveries").iter().map(|one| match word(one, "state") {
        "sent" => word(one, "channelName").to_string(),
        state => format!("{} ({state})", word(one, "channelName")),
    });
    [
        notice["id"].to_string(),
        mark.to_string(),
        text::age(now_ms - at),
        session.to_string(),
        title,
        sent.collect::<Vec<_>>().join(", "),
        word(notice, "body").to_string(),
    ]
}

fn read(call: &Invocation<'_>, ids: &[String]) -> Result<i32> {
    if ids.is_empty() {
        let mut body = json!({"readSource": SOURCE});
        if let Some(id) = call.args.value("--session") {
            body["sessionId"] = id.into();
        }
        let answer = call.client.post("/notifications/read", &body)?;
        let count = answer["updated"].as_u64().unwrap_or_default();
        return call.out.told(&answer, &format!("{count} marked as read"));
    }
    let number = |id: &String| {
        let wrong = || {
            let see = "see: codepiper notices";
            Error::invalid(format!("a notice is called by its number, not {id:?}; {see}"))
        };
        id.parse::<u64>().map_err(|_| wrong())
    };
    for id in ids.iter().map(number).collect::<Result<Vec<_>>>()? {
        let target = format!("/notifications/{id}/read");
        let answer = call.client.post(&target, &json!({"readSource": SOURCE}))?;
        let was = if answer["changed"] == json!(true) { "" } else { " already" };
        call.out.told(&answer, &format!("notice {id} is read{was}"))?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    #[test]
    fn lists_and_marks_ask_for_what_was_typed() {
        let fake = Fake::api(|_, _| (200, r#"{"success":true,"notifications":[]}"#.into()));
        for line in [
            &["notices"][..],
            &["notices", "--unread", "--session", "a b", "--limit", "9"],
            &["notices", "read"],
            &["notices", "read", "7", "8"],
        ] {
            assert_eq!(run(&invocation(&fake, line)).unwrap(), 0, "{line:?}");
        }
        let asked = [
            "GET /notifications?limit=50",
            "GET /notifications?limit=9&unreadOnly=true&sessionId=a%20b",
            "POST /notifications/read",
            "POST /notifications/7/read",
            "POST /notifications/8/read",
        ];
        assert_eq!(fake.lines(), asked);
        assert!(run(&invocation(&fake, &["notices", "raed"])).is_err());
        let error = run(&invocation(&fake, &["notices", "read", "x"])).unwrap_err();
        assert!(error.message.contains("by its number"), "{error}");
    }

    #[test]
    fn a_line_says_what_is_unread_how_often_it_came_and_where_it_went() {
        let sent = json!([{"channelName": "phone", "state": "sent"},
            {"channelName": "pager", "state": "waiting"}]);
        let notice = json!({"id": 7, "sessionId": "0b7e4c1e-9d43", "title": "Permission required",
            "body": "b", "count": 3, "createdAt": "1970-01-01T00:00:00Z", "deliveries": sent});
        let row = row(&notice, 120_000);
        let wanted =
            ["7", "*", "2m", "0b7e4c1e", "Permission required (3)", "phone, pager (waiting)", "b"];
        assert_eq!(row, wanted);
    }
}
