//! What decides in a session: its policies, read once and kept until something about them changes.
//!
//! 1. A policy that cannot be read MUST NOT fall away: the calls that it was for are asked or
//!    denied.
//! 2. What is kept MUST NOT be used any more once the maker of a change has been told that it is
//!    made.

use crate::base::error::Result;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::model::policy::Scope;
use crate::model::policy::StoredPolicy;
use crate::model::session::Session;
use crate::policy;
use crate::policy::Place;
use crate::policy::Policies;
use crate::policy::Policy;
use crate::policy::built_in;
use crate::policy::explain;
use crate::policy::explain::Explanation;
use crate::policy::judge::strictness;
use crate::policy::rule;
use crate::service::Service;
use crate::service::policy_rows::problem;
use crate::service::resolve;
use crate::service::settings::DEFAULT_ACTION;
use crate::service::settings::DEFAULT_SET;
use crate::service::settings::default_action;
use crate::service::settings::default_set;
use crate::store::policies;
use crate::store::policy_sets;
use crate::store::settings;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// All that decides for a session, ready to judge with.
#[derive(Debug, Clone)]
pub struct Effective {
    /// What it is made of: two sessions with the same share it.
    parts: Vec<String>,
    policies: Policies,
    /// Name of a policy that cannot be read, and why.
    unreadable: Option<(String, String)>,
}

impl Effective {
    fn new(
        parts: Vec<String>,
        sets: &[String],
        stored: Vec<StoredPolicy>,
        default: Action,
    ) -> Effective {
        let (mut list, mut default): (Vec<Policy>, Action) = (Vec::new(), default);
        for set in built_in::sets().into_iter().filter(|set| sets.iter().any(|s| s == set.id)) {
            if strictness(set.default) > strictness(default) {
                default = set.default;
            }
            list.extend(set.policies);
        }
        let mut unreadable = None;
        for one in stored {
            match rule::parse(&one.rules) {
                Ok(rules) => {
                    let (name, priority, version) = (one.name, one.priority, Some(one.version));
                    list.push(Policy { name, priority, version, rules });
                }
                Err(_) => {
                    let why = problem(&one).unwrap_or_default();
                    log::error!("the policy {} cannot be read: {why}", one.name);
                    unreadable.get_or_insert((one.name, why));
                }
            }
        }
        Effective { parts, policies: Policies { list, tighten: Vec::new(), default }, unreadable }
    }

    /// The same with a policy that can only make it stricter.
    pub fn tightened(&self, policy: Policy) -> Effective {
        let mut policies = self.policies.clone();
        policies.tighten.push(policy);
        Effective { parts: self.parts.clone(), policies, unreadable: self.unreadable.clone() }
    }

    /// The same with one more policy.
    pub fn with(mut self, policy: Policy) -> Effective {
        self.policies.list.push(policy);
        self
    }

    /// The same without this stored policy.
    pub fn without(mut self, stored: &StoredPolicy) -> Effective {
        let is_it = |policy: &Policy| {
            let version = policy.version == Some(stored.version);
            version && policy.name == stored.name && policy.priority == stored.priority
        };
        self.policies.list.retain(|policy| !is_it(policy));
        self.unreadable = self.unreadable.filter(|(known, _)| *known != stored.name);
        self
    }

    /// Why a call is judged as it is; the verdict is that of [`Effective::judge`].
    pub fn explain(&self, call: &ToolCall, place: &Place<'_>) -> Explanation {
        let mut said = explain::explain(&self.policies, call, place);
        said.verdict = self.judge(call, place);
        said
    }

    /// Judges a call. A policy that cannot be read leaves nothing but a denial as it is.
    pub fn judge(&self, call: &ToolCall, place: &Place<'_>) -> Verdict {
        let verdict = policy::evaluate(&self.policies, call, place);
        match &self.unreadable {
            Some((name, why)) if verdict.action != Action::Deny => Verdict {
                action: match self.policies.default {
                    Action::Deny => Action::Deny,
                    Action::Ask | Action::Allow => Action::Ask,
                },
                policy: Some(name.clone()),
                rule: None,
                version: None,
                reason: format!("the policy {name} cannot be read ({why}); mend or disable it"),
                effects: verdict.effects,
            },
            _ => verdict,
        }
    }
}

/// What is known of the running sessions.
#[derive(Default)]
pub struct Cache {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// How often all was forgotten: what was read before that is not kept.
    changes: u64,
    sessions: HashMap<String, Arc<Effective>>,
}

/// A change of policies, sets or settings that is being made: when this goes, whether or not the
/// change was stored, all that was known is forgotten.
pub struct Changing<'a>(&'a Cache);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut known = self.0.lock();
        known.changes += 1;
        known.sessions.clear();
    }
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// To be held over a write that may change what decides anywhere.
    pub fn changing(&self) -> Changing<'_> {
        Changing(self)
    }

    /// One that is made of the same parts.
    fn alike(&self, parts: &[String]) -> Option<Arc<Effective>> {
        self.lock().sessions.values().find(|known| known.parts == parts).cloned()
    }

    /// What is known of a session, else what `read` finds. That is kept, unless there was a change
    /// meanwhile; sessions that have ended are forgotten.
    fn known_or(
        &self,
        session: &str,
        lives: impl Fn(&str) -> bool,
        read: impl FnOnce() -> Result<Arc<Effective>>,
    ) -> Result<Arc<Effective>> {
        let changes = {
            let known = self.lock();
            if let Some(found) = known.sessions.get(session) {
                return Ok(found.clone());
            }
            known.changes
        };
        let found = read()?;
        let mut known = self.lock();
        if known.changes == changes {
            known.sessions.retain(|id, _| lives(id));
            known.sessions.insert(session.to_string(), found.clone());
        }
        Ok(found)
    }
}

impl Service {
    /// What decides in a session; from memory, where nothing has changed since the last call.
    pub fn effective(&self, session: &str) -> Result<Arc<Effective>> {
        let lives = |id: &str| self.records.live(id).is_some();
        let base = self.rules.known_or(session, lives, || {
            self.store().read(|conn| {
                let sets = policy_sets::applied(conn, session)?;
                let mut parts: Vec<String> = sets.iter().map(|id| format!("set {id}")).collect();
                parts.extend(policies::effective_ids(conn, session)?);
                if let Some(known) = self.rules.alike(&parts) {
                    return Ok(known);
                }
                let default = default_action(settings::get(conn, DEFAULT_ACTION)?.as_ref());
                let stored = policies::effective(conn, session)?;
                Ok(Arc::new(Effective::new(parts, &sets, stored, default)))
            })
        })?;
        Ok(match self.records.live(session) {
            Some(live) => self.tightened.with(session, base, &live.row().cwd),
            None => base,
        })
    }

    /// What would decide in a new session: the global policies and the default set.
    pub fn effective_by_default(&self) -> Result<Effective> {
        self.store().read(|conn| {
            let set = default_set(settings::get(conn, DEFAULT_SET)?.as_ref());
            let members = policy_sets::memberships(conn)?;
            let listed = |policy: &StoredPolicy| {
                members.iter().any(|m| Some(&m.set) == set.as_ref() && m.policy == policy.id)
            };
            let holds = |p: &StoredPolicy| p.enabled && (p.scope == Scope::Global || listed(p));
            let stored = policies::list(conn)?.into_iter().filter(holds).collect();
            let default = default_action(settings::get(conn, DEFAULT_ACTION)?.as_ref());
            let sets: Vec<String> = set.into_iter().collect();
            Ok(Effective::new(Vec::new(), &sets, stored, default))
        })
    }

    /// Why a call is judged as it is in a session, or would be in a new one.
    pub fn explain(&self, session: Option<&Session>, call: &ToolCall) -> Result<Explanation> {
        let project = session.map_or(&call.cwd, |row| &row.cwd);
        let home = &self.user_home;
        let place = Place { project, home, own: &self.own, resolve: &resolve::path };
        Ok(match session {
            Some(row) => self.effective(&row.id)?.explain(call, &place),
            None => self.effective_by_default()?.explain(call, &place),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use serde_json::json;

    const PLACE: Place<'_> =
        Place { project: "/p", home: "/h", own: &[], resolve: &|path| path.to_string() };

    fn stored(name: &str, rules: Value) -> StoredPolicy {
        StoredPolicy {
            id: name.into(),
            name: name.into(),
            description: None,
            enabled: true,
            priority: 0,
            scope: Scope::Global,
            rules,
            version: 1,
            created_ms: 0,
            updated_ms: 0,
        }
    }

    fn judge(stored: Vec<StoredPolicy>, sets: &[&str], default: Action, tool: &str) -> Verdict {
        let sets: Vec<String> = sets.iter().map(|s| s.to_string()).collect();
        let call = ToolCall {
            tool: tool.into(),
            input: json!({}),
            cwd: "/p".into(),
            call_id: None,
            agent_id: None,
        };
        Effective::new(Vec::new(), &sets, stored, default).judge(&call, &PLACE)
    }

    #[test]
    fn what_cannot_be_read_is_asked_or_denied_and_named() {
        let broken = || stored("odd", json!([{"action": "deny", "sense": "smell"}]));
        let fine = || {
            stored(
                "fine",
                json!([{"action": "allow", "tool": "*"}, {"action": "deny", "tool": "Bash"}]),
            )
        };
        for (default, wanted) in [(Action::Ask, Action::Ask), (Action::Deny, Action::Deny)] {
            let said = judge(vec![fine(), broken()], &["standard"], default, "TodoWrite");
            assert_eq!((said.action, said.policy.as_deref()), (wanted, Some("odd")));
            let words = ["the policy odd cannot be read", "rule 1", "sense"];
            assert!(words.iter().all(|w| said.reason.contains(w)), "{}", said.reason);
            let said = judge(vec![broken(), fine()], &[], default, "Bash");
            assert_eq!((said.action, said.policy.as_deref()), (Action::Deny, Some("fine")));
        }
        assert_eq!(judge(vec![fine()], &[], Action::Deny, "TodoWrite").action, Action::Allow);
        let huge = stored("huge", json!([{"action": "x".repeat(1 << 20)}]));
        assert!(judge(vec![huge], &[], Action::Ask, "TodoWrite").reason.len() < 2000);
    }

    #[test]
    fn built_in_sets_count_only_where_they_are_applied() {
        let todo = |sets: &[&str]| judge(Vec::new(), sets, Action::Deny, "TodoWrite").action;
        assert_eq!(todo(&["standard"]), Action::Allow);
        assert_eq!(todo(&["mine"]), Action::Deny);
        assert_eq!(todo(&[]), Action::Deny);
    }

    #[test]
    fn what_was_read_is_used_until_something_changes_and_not_a_call_longer() {
        let cache = Cache::default();
        let one = || Arc::new(Effective::new(vec!["p".into()], &[], Vec::new(), Action::Ask));
        let first = cache.known_or("a", |_| true, || Ok(one())).unwrap();
        let never = || panic!("nothing has changed, so nothing is read");
        assert!(Arc::ptr_eq(&first, &cache.known_or("a", |_| true, never).unwrap()));
        assert!(Arc::ptr_eq(&first, &cache.alike(&["p".into()]).unwrap()));
        let changing = cache.changing();
        cache.known_or("a", |_| true, never).expect("nobody was told of the change yet");
        drop(changing);
        assert!(cache.alike(&["p".into()]).is_none());
        let read_during_a_change = || {
            drop(cache.changing());
            Ok(one())
        };
        let old = cache.known_or("a", |_| true, read_during_a_change).unwrap();
        let new = cache.known_or("a", |_| true, || Ok(one())).unwrap();
        assert!(!Arc::ptr_eq(&old, &new), "what may be older than the change is not kept");
        cache.known_or("b", |id| id == "b", || Ok(one())).unwrap();
        assert_eq!(cache.lock().sessions.len(), 1, "an ended session is forgotten");
    }
}
