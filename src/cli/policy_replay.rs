//! `policy replay`: what a file of rules would have said of the calls in the audit log. Writes
//! nothing, and looks at no disk but for the file: paths are what their text says.
//!
//! 1. A call that is not on record as it was judged MUST be marked as inexact.

use crate::base::error::Result;
use crate::base::id;
use crate::cli::Invocation;
use crate::cli::audit;
use crate::cli::audit_show;
use crate::cli::command::Opt;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::word;
use crate::cli::out::cell;
use crate::cli::policy_words::items;
use crate::cli::rules;
use crate::cli::text;
use crate::cli::verb::Verb;
use crate::config::paths::user_home;
use crate::limits;
use crate::model::audit::Decider;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::policy;
use crate::policy::Place;
use crate::policy::Policies;
use crate::policy::Policy;
use crate::policy::built_in;
use crate::policy::example;
use crate::policy::path;
use crate::policy::source;
use crate::provider::canonical;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::HashMap;

/// The policy of the rehearsals that prove a gate: their rows are no calls of an agent's.
const REHEARSAL: &str = "gate proof";
/// Columns of a call in the table, and characters of one in JSON.
const SHOWN: (usize, usize) = (80, 400);

const OPTIONS: &[Opt] = &[
    value(&["--since"], "T", "only from then on: 30m, 7d, 2026-11-24T06:50:00Z"),
    value(&["--session"], "ID", "only calls of this session"),
    value(&["--limit"], "N", "only the newest N calls; default 10000"),
    switch(&["--with-standard"], "by the set standard, too"),
];

/// The verb of this file.
pub const REPLAY: Verb = Verb {
    name: "replay",
    aliases: &[],
    usage: "FILE|- [OPTIONS]",
    about: "Show which past calls the rules in a file would decide differently",
    options: OPTIONS,
    words: (1, 1),
    run,
};

fn run(call: &Invocation<'_>) -> Result<i32> {
    let (shown, bytes) = rules::read_named(&call.args.words[0])?;
    let rules = source::rules(shown, &bytes)?;
    let mut list = vec![Policy { name: shown.to_string(), priority: 0, version: None, rules }];
    list.extend(call.args.has("--with-standard").then(built_in::standard));
    let mut left = call.args.number::<u64>("--limit")?.unwrap_or(limits::gate::REPLAY_ROWS);
    let filter = audit::filter(call)?;
    let settings = call.client.get("/settings/daemon")?;
    let default = Action::from_word(word(&settings["settings"], "defaultPolicyAction"));
    let default = default.unwrap_or(Action::Ask);
    let sessions = call.client.get("/sessions")?;
    let project = |s: &Value| (word(s, "id").to_string(), word(s, "cwd").to_string());
    let mut replay = Replay {
        policies: Policies { list, tighten: Vec::new(), default },
        home: user_home().to_string_lossy().into_owned(),
        projects: items(&sessions, "sessions").iter().map(project).collect(),
        ..Replay::default()
    };
    let mut before = String::new();
    while left > 0 {
        let page = left.min(limits::PAGE);
        let target = format!("/audit?kind=decision&limit={page}{filter}{before}");
        let body = call.client.get(&target)?;
        let rows = items(&body, "entries");
        rows.iter().rev().for_each(|row| replay.judge(row));
        match rows.first().and_then(|row| row["seq"].as_i64()) {
            Some(first) if rows.len() as u64 == page => before = format!("&before={first}"),
            _ => break,
        }
        left -= page;
    }
    match call.out.json {
        true => call.out.body(&replay.to_json())?,
        false => replay.print(call, shown)?,
    }
    Ok(0)
}

/// The call of a row, as it is on record.
pub fn call_of(entry: &Value) -> ToolCall {
    example::of(word(entry, "toolName"), entry["args"].clone(), word(entry, "cwd"))
}

/// Whether the input on record is the one that was judged: nothing in it was replaced or left off.
pub fn is_exact(entry: &Value) -> bool {
    word(entry, "argsSha256") == id::hex(&canonical::sha256(&entry["args"]))
}

/// What rules said of a call. Where a grant or dangerous mode allowed it, they had not.
fn was(entry: &Value) -> Option<Action> {
    let lifted = [Decider::Grant, Decider::Dangerous].map(Decider::word);
    match lifted.contains(&word(entry, "decider")) {
        true => Some(Action::Ask),
        false => Action::from_word(word(entry, "decision")),
    }
}

/// A call that would be decided differently, and how often it was made.
struct Change {
    seq: i64,
    call: String,
    was: Action,
    would: Action,
    by: Option<String>,
    reason: String,
    times: u64,
    inexact: bool,
}

struct Replay {
    policies: Policies,
    home: String,
    /// The directory of each session that there still is.
    projects: HashMap<String, String>,
    /// How many rows went from one action to another, or stayed.
    counts: BTreeMap<(&'static str, &'static str), u64>,
    /// The newest first.
    changed: Vec<Change>,
    /// Where a call stands among them.
    known: HashMap<String, usize>,
    /// Rows that would change and are not listed.
    left_out: u64,
    inexact: u64,
}

impl Default for Replay {
    fn default() -> Replay {
        let policies = Policies { list: Vec::new(), tighten: Vec::new(), default: Action::Ask };
        let (home, projects, counts, changed, known) = Default::default();
        Replay { policies, home, projects, counts, changed, known, left_out: 0, inexact: 0 }
    }
}

impl Replay {
    /// Judges a row again; they come newest first.
    fn judge(&mut self, entry: &Value) {
        let Some(was) = was(entry).filter(|_| word(entry, "policyName") != REHEARSAL) else {
            return;
        };
        // No rule can lift it, so no draft does.
        if word(entry, "decider") == Decider::SelfProtection.word() {
            *self.counts.entry((was.word(), was.word())).or_default() += 1;
            return;
        }
        let call = call_of(entry);
        let session = self.projects.get(word(entry, "sessionId"));
        let inexact = session.is_none() || !is_exact(entry);
        let project = session.unwrap_or(&call.cwd);
        let place = Place { project, home: &self.home, own: &[], resolve: &path::normal };
        let would = policy::evaluate(&self.policies, &call, &place);
        *self.counts.entry((was.word(), would.action.word())).or_default() += 1;
        self.inexact += u64::from(inexact);
        if was == would.action {
            return;
        }
        let sha256 = word(entry, "argsSha256");
        let facts = [was.word(), would.action.word(), &call.tool, &call.cwd, project, sha256];
        let key = facts.join("\0");
        if let Some(at) = self.known.get(&key) {
            self.changed[*at].times += 1;
            self.changed[*at].inexact |= inexact;
            return;
        }
        if self.changed.len() == limits::gate::REPLAY_CALLS {
            self.left_out += 1;
            return;
        }
        self.known.insert(key, self.changed.len());
        let by = would.policy.zip(would.rule).map(|(policy, rule)| format!("{policy}: {rule}"));
        self.changed.push(Change {
            seq: entry["seq"].as_i64().unwrap_or_default(),
            call: audit_show::call(entry).chars().take(SHOWN.1).collect(),
            was,
            would: would.action,
            by,
            reason: would.reason,
            times: 1,
            inexact,
        });
    }

    fn rows(&self) -> u64 {
        self.counts.values().sum()
    }

    fn to_json(&self) -> Value {
        let shape = |c: &Change| {
            json!({
                "seq": c.seq,
                "call": c.call,
                "was": c.was.word(),
                "would": c.would.word(),
                "by": c.by,
                "reason": c.reason,
                "times": c.times,
                "inexact": c.inexact,
            })
        };
        let mut counts = json!({});
        for ((was, would), count) in &self.counts {
            counts[was][would] = json!(count);
        }
        json!({
            "changed": self.changed.iter().rev().map(shape).collect::<Vec<_>>(),
            "counts": counts,
            "inexact": self.inexact,
            "leftOut": self.left_out,
            "rows": self.rows(),
        })
    }

    fn print(&self, call: &Invocation<'_>, shown: &str) -> Result<()> {
        let out = &call.out;
        let row = |c: &Change| {
            let mark = if c.inexact { "inexact" } else { "" };
            vec![
                cell(c.seq.to_string()),
                cell(c.times.to_string()),
                cell(c.was.word()),
                cell(c.would.word()),
                cell(text::keep_start(&c.call, SHOWN.0)),
                cell(c.by.as_deref().unwrap_or("no rule")),
                cell(mark),
            ]
        };
        if !self.changed.is_empty() {
            let rows: Vec<_> = self.changed.iter().rev().map(row).collect();
            let headings = ["ROW", "TIMES", "WAS", "WOULD BE", "CALL", "BY", ""];
            out.table(&headings, &rows, 4)?;
        }
        if self.left_out > 0 {
            out.line(&format!("{} older rows would change, too", self.left_out))?;
        }
        for ((was, would), count) in &self.counts {
            out.line(&format!("{was:<5} -> {would:<5}  {count}"))?;
        }
        let (rows, shown) = (self.rows(), text::clean(shown));
        out.line(&format!("{rows} calls judged again by {shown}"))?;
        if self.inexact > 0 {
            out.line(&format!(
                "{} of them inexact: their input is not on record as it was, or their session \
                 is gone",
                self.inexact
            ))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;
    use crate::policy::lines;

    fn entry(seq: i64, command: &str, decision: &str) -> Value {
        let args = json!({"command": command});
        let sha256 = id::hex(&canonical::sha256(&args));
        json!({"seq": seq, "sessionId": "s1", "toolName": "Bash", "args": args, "cwd": "/p",
            "argsSha256": sha256, "decision": decision, "decider": "rule"})
    }

    fn replay(draft: &str, rows: &[Value]) -> Value {
        let rules = lines::parse("draft", draft).unwrap();
        let mut replay = Replay::default();
        replay.policies.list.push(Policy {
            name: "draft".into(),
            priority: 0,
            version: None,
            rules,
        });
        replay.projects.insert("s1".into(), "/p".into());
        rows.iter().rev().for_each(|row| replay.judge(row));
        replay.to_json()
    }

    #[test]
    fn a_call_is_listed_once_with_how_often_and_the_newest_is_last() {
        let rows = [
            entry(1, "make", "ask"),
            entry(2, "git push", "allow"),
            entry(3, "ls", "allow"),
            entry(4, "git push", "allow"),
            entry(5, "make", "ask"),
        ];
        let said = replay("deny shell git push\nallow shell make ; shell ls\n", &rows);
        let short: Vec<Value> = said["changed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| json!([c["seq"], c["call"], c["was"], c["would"], c["by"], c["times"]]))
            .collect();
        let want = json!([
            [4, "Bash git push", "allow", "deny", "draft: rule 1", 2],
            [5, "Bash make", "ask", "allow", "draft: rule 2", 2],
        ]);
        assert_eq!(json!(short), want);
        let counts = json!({"allow": {"allow": 1, "deny": 2}, "ask": {"allow": 2}});
        assert_eq!((&said["counts"], &said["rows"]), (&counts, &json!(5)));
        assert_eq!((&said["inexact"], &said["leftOut"]), (&json!(0), &json!(0)));
    }

    #[test]
    fn what_is_not_on_record_as_it_was_is_inexact() {
        let mut cut = entry(1, "curl -H [redacted:bearer]", "ask");
        cut["argsSha256"] = json!("00");
        let mut gone = entry(2, "ls", "ask");
        gone["sessionId"] = json!("s2");
        let marked = entry(3, "echo [redacted:", "ask");
        let said = replay("allow shell ls\n", &[cut, gone, marked]);
        assert_eq!((&said["inexact"], &said["changed"][0]["inexact"]), (&json!(2), &json!(true)));
    }

    #[test]
    fn what_rules_did_not_say_is_not_held_against_them() {
        let with = |seq, name: &str, value: &str, decision| {
            let mut row = entry(seq, "make", decision);
            row[name] = json!(value);
            row
        };
        let rows = [
            with(1, "decider", "grant", "allow"),
            with(2, "decider", "dangerous", "allow"),
            with(3, "decider", "self-protection", "deny"),
            with(4, "policyName", REHEARSAL, "deny"),
        ];
        let said = replay("ask shell make\n", &rows);
        assert_eq!(said["counts"], json!({"ask": {"ask": 2}, "deny": {"deny": 1}}));
        assert_eq!(said["changed"], json!([]));
    }

    #[test]
    fn more_calls_than_can_be_listed_are_counted() {
        let many = limits::gate::REPLAY_CALLS as i64 + 3;
        let rows: Vec<Value> = (1..=many).map(|n| entry(n, &format!("a{n}"), "deny")).collect();
        let said = replay("ask shell x\n", &rows);
        assert_eq!(items(&said, "changed").len(), limits::gate::REPLAY_CALLS);
        assert_eq!((&said["leftOut"], &said["rows"]), (&json!(3), &json!(many)));
        assert_eq!(items(&said, "changed").last().unwrap()["seq"], many);
    }

    #[test]
    fn rows_are_read_page_by_page_and_nothing_is_written() {
        let path = std::env::temp_dir().join(format!("cp-replay-{}.rules", std::process::id()));
        std::fs::write(&path, "deny shell git push\n").unwrap();
        let page: Vec<Value> = (2..=1001).map(|n| entry(n, "git push", "ask")).collect();
        let pages = [json!({"entries": page}), json!({"entries": [entry(1, "ls", "ask")]})];
        let fake = Fake::api(move |line, _| match line {
            "GET /settings/daemon" => (200, json!({"settings": {}}).to_string()),
            "GET /sessions" => (200, json!({"sessions": []}).to_string()),
            line => (200, pages[usize::from(line.contains("&before=2"))].to_string()),
        });
        let file = path.to_str().unwrap();
        let line = ["policy", "replay", file, "--session", "s1", "--limit", "1500"];
        assert_eq!(run(&invocation(&fake, &line)).unwrap(), 0);
        let asked = [
            "GET /settings/daemon",
            "GET /sessions",
            "GET /audit?kind=decision&limit=1000&sessionId=s1",
            "GET /audit?kind=decision&limit=500&sessionId=s1&before=2",
        ];
        assert_eq!(fake.lines(), asked);
        std::fs::remove_file(&path).unwrap();
    }
}
