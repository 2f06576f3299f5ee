//! What a draft would have said of the calls in the audit log. Writes nothing, and looks at no
//! disk: paths are what their text says.
//!
//! 1. A call that is not on record as it was judged MUST be marked as inexact.

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::limits;
use crate::model::audit::Decider;
use crate::model::audit::Entry;
use crate::model::audit::Filter;
use crate::model::audit::Kind;
use crate::model::call;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::policy;
use crate::policy::Place;
use crate::policy::Policies;
use crate::policy::built_in;
use crate::policy::path;
use crate::provider::canonical;
use crate::service::Service;
use crate::service::drafts::Draft;
use crate::service::proof::script;
use crate::service::settings::DEFAULT_ACTION;
use crate::service::settings::default_action;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// Characters of a call that are told.
const SHOWN: usize = 400;

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The rules.
    pub draft: Draft,
    /// Only calls from this time on, Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Only those of this session, by its whole id.
    pub session: Option<String>,
    /// The newest so many.
    pub limit: u64,
    /// By the set `standard`, too.
    pub with_standard: bool,
}

impl Service {
    /// Tries a draft on the past, on a thread of its own, and tells `then`: `{summary, changed}`.
    /// `Busy` while another is tried. Ends early where `gone` says that nobody waits.
    pub fn replay(
        self: &Arc<Service>,
        asked: Asked,
        gone: Arc<AtomicBool>,
        then: Box<dyn FnOnce(Result<Value>) + Send>,
    ) {
        let service = self.clone();
        self.replays.run("replay", move || service.replayed(&asked, &gone), then);
    }

    fn replayed(&self, asked: &Asked, gone: &AtomicBool) -> Result<Value> {
        let mut list = vec![asked.draft.policy()?];
        list.extend(asked.with_standard.then(built_in::standard));
        let default = default_action(self.settings()?.get(DEFAULT_ACTION));
        let projects = self.list()?.into_iter().map(|row| (row.id, row.cwd)).collect();
        let mut replay = Replay {
            policies: Policies { list, tighten: Vec::new(), default },
            home: self.user_home.clone(),
            projects,
            ..Replay::default()
        };
        let (mut left, mut before) = (asked.limit, None);
        while left > 0 {
            if gone.load(Ordering::Acquire) {
                return Err(Error::busy("nobody waits for the replay"));
            }
            let limit = left.min(limits::PAGE) as usize;
            let page = self.audit(&Filter {
                session: asked.session.clone(),
                kind: Some(Kind::Decision),
                since_ms: asked.since_ms,
                before,
                limit,
                ..Filter::default()
            })?;
            page.iter().rev().for_each(|row| replay.judge(row));
            match page.first() {
                Some(first) if page.len() == limit => before = Some(first.seq),
                _ => break,
            }
            left -= limit as u64;
        }
        Ok(replay.to_json())
    }
}

/// What rules said of a call. Where a grant or dangerous mode allowed it, they had not.
fn was(row: &Entry) -> Option<Action> {
    match row.entry.decider {
        Decider::Grant | Decider::Dangerous => Some(Action::Ask),
        _ => row.entry.decision,
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
    fn judge(&mut self, row: &Entry) {
        let entry = &row.entry;
        // Rehearsals that prove a gate are no calls of an agent's.
        let rehearsed = entry.policy.as_deref() == Some(script::POLICY);
        let Some(was) = was(row).filter(|_| !rehearsed) else { return };
        // No rule can lift it, so no draft does.
        if entry.decider == Decider::SelfProtection {
            *self.counts.entry((was.word(), was.word())).or_default() += 1;
            return;
        }
        let Some(call) = &entry.call else { return };
        let call = ToolCall { call_id: None, agent_id: None, ..call.clone() };
        let session = entry.session.as_ref().and_then(|id| self.projects.get(id));
        let exact = entry.input_sha256 == Some(canonical::sha256(&call.input));
        let inexact = session.is_none() || !exact;
        let project = session.unwrap_or(&call.cwd);
        let place = Place { project, home: &self.home, own: &[], resolve: &path::normal };
        let would = policy::evaluate(&self.policies, &call, &place);
        *self.counts.entry((was.word(), would.action.word())).or_default() += 1;
        self.inexact += u64::from(inexact);
        if was == would.action {
            return;
        }
        let sha256 = entry.input_sha256.map(|sha256| id::hex(&sha256)).unwrap_or_default();
        let facts = [was.word(), would.action.word(), &call.tool, &call.cwd, project, &sha256];
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
            seq: row.seq,
            call: call::line(&call.tool, &call.input).chars().take(SHOWN).collect(),
            was,
            would: would.action,
            by,
            reason: would.reason,
            times: 1,
            inexact,
        });
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
            "summary": {
                "counts": counts,
                "inexact": self.inexact,
                "leftOut": self.left_out,
                "rows": self.counts.values().sum::<u64>(),
            },
            "changed": self.changed.iter().rev().map(shape).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::audit::NewEntry;
    use crate::policy::Policy;
    use crate::policy::lines;

    fn row(seq: i64, command: &str, decision: Action) -> Entry {
        let input = json!({"command": command});
        let mut entry = NewEntry::new(Kind::Decision, 0, Decider::Rule, "");
        entry.session = Some("s1".into());
        entry.input_sha256 = Some(canonical::sha256(&input));
        let (call_id, agent_id) = (None, None);
        entry.call =
            Some(ToolCall { tool: "Bash".into(), input, cwd: "/p".into(), call_id, agent_id });
        entry.decision = Some(decision);
        Entry { seq, entry, hash: [0; 32], mac: None, boot_ms: None, boot_id: None }
    }

    fn replay(draft: &str, rows: &[Entry]) -> Value {
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
            row(1, "make", Action::Ask),
            row(2, "git push", Action::Allow),
            row(3, "ls", Action::Allow),
            row(4, "git push", Action::Allow),
            row(5, "make", Action::Ask),
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
        let summary = json!({"counts": counts, "rows": 5, "inexact": 0, "leftOut": 0});
        assert_eq!(said["summary"], summary);
    }

    #[test]
    fn what_is_not_on_record_as_it_was_is_inexact() {
        let mut cut = row(1, "curl -H [redacted:bearer]", Action::Ask);
        cut.entry.input_sha256 = Some([0; 32]);
        let mut gone = row(2, "ls", Action::Ask);
        gone.entry.session = Some("s2".into());
        let marked = row(3, "echo [redacted:", Action::Ask);
        let said = replay("allow shell ls\n", &[cut, gone, marked]);
        assert_eq!(said["summary"]["inexact"], 2);
        assert_eq!(said["changed"][0]["inexact"], true);
    }

    #[test]
    fn what_rules_did_not_say_is_not_held_against_them() {
        let by = |seq, decider: Decider, decision| {
            let mut row = row(seq, "make", decision);
            row.entry.decider = decider;
            row
        };
        let mut rehearsed = row(4, "make", Action::Deny);
        rehearsed.entry.policy = Some(script::POLICY.into());
        let rows = [
            by(1, Decider::Grant, Action::Allow),
            by(2, Decider::Dangerous, Action::Allow),
            by(3, Decider::SelfProtection, Action::Deny),
            rehearsed,
        ];
        let said = replay("ask shell make\n", &rows);
        let counts = json!({"ask": {"ask": 2}, "deny": {"deny": 1}});
        assert_eq!(said["summary"]["counts"], counts);
        assert_eq!(said["changed"], json!([]));
    }

    #[test]
    fn more_calls_than_can_be_listed_are_counted() {
        let many = limits::gate::REPLAY_CALLS as i64 + 3;
        let rows: Vec<Entry> = (1..=many).map(|n| row(n, &format!("a{n}"), Action::Deny)).collect();
        let said = replay("ask shell x\n", &rows);
        let changed = said["changed"].as_array().unwrap();
        assert_eq!(changed.len(), limits::gate::REPLAY_CALLS);
        assert_eq!(said["summary"]["leftOut"], 3);
        assert_eq!(
            (&said["summary"]["rows"], &changed[changed.len() - 1]["seq"]),
            (&json!(many), &json!(many))
        );
    }
}
