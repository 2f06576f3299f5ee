//! Rows of the audit log that are about no tool call: who changed what may be done, and what shows
//! that somebody tries to get around it.

use crate::base::error::Result;
use crate::base::time;
use crate::model::audit::Decider;
use crate::model::audit::Kind;
use crate::model::audit::NewEntry;
use crate::model::chain::Secret;
use crate::model::env_set::EnvSet;
use crate::model::policy::StoredPolicy;
use crate::model::session::Session;
use crate::service::Service;
use crate::store::audit;
use crate::store::env_sets;
use crate::store::tx::Tx;
use serde_json::Value;
use serde_json::json;

impl Service {
    /// Begins a key of the audit log. The secret is not kept; the number is that of the first row
    /// that it marks.
    pub fn begin_audit_key(&self, by: &str) -> Result<(Secret, i64)> {
        let (secret, by) = (Secret::random()?, by.to_string());
        let ours = secret.clone();
        let now = time::unix_ms();
        let seq =
            self.store().write(move |tx| audit::begin_key(tx, &ours, now, Some(by.as_str())))?;
        Ok((secret, seq))
    }
}

/// Something that shows that a session's gate does not hold, or that somebody tries to get around.
pub fn alarm(session: &str, text: &str) -> NewEntry {
    let mut row = NewEntry::new(Kind::Alarm, time::unix_ms(), Decider::Daemon, text);
    row.session = Some(session.to_string());
    row
}

/// A session begins that gets env sets, or is let off a protection: its repository's own settings
/// count, or what policy would ask runs for a while.
pub fn begun(tx: &Tx<'_>, session: &Session) -> Result<()> {
    sets_used(tx, session)?;
    let reason = match (session.project_settings, session.dangerous.is_some()) {
        (false, false) => return Ok(()),
        (true, false) => "started with the repository's own settings",
        (false, true) => "started in dangerous mode",
        (true, true) => "started in dangerous mode, with the repository's own settings",
    };
    let mut row = NewEntry::new(Kind::Session, time::unix_ms(), Decider::Person, reason);
    row.session = Some(session.id.clone());
    row.details = Some(json!({"provider": session.provider, "cwd": session.cwd}));
    audit::append(tx, &row).map(drop)
}

/// A session gets env sets; their names and those of the variables.
fn sets_used(tx: &Tx<'_>, session: &Session) -> Result<()> {
    let found = session.env_sets.iter().map(|id| env_sets::get(tx, id));
    let found = found.collect::<Result<Vec<_>>>()?;
    let sets: Vec<EnvSet> = found.into_iter().flatten().collect();
    if sets.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
    let reason = format!("started with the env set {}", names.join(", "));
    let mut row = NewEntry::new(Kind::Session, time::unix_ms(), Decider::Person, reason);
    row.session = Some(session.id.clone());
    let one = |set: &EnvSet| {
        let EnvSet { id, name, version, names, .. } = set;
        json!({"id": id, "name": name, "version": version, "variables": names})
    };
    row.details = Some(json!({"envSets": sets.iter().map(one).collect::<Vec<_>>()}));
    audit::append(tx, &row).map(drop)
}

/// A session begins under policy sets that a person chose for it.
pub fn started_under(tx: &Tx<'_>, session: &str, names: &[&str], ids: &[&str]) -> Result<()> {
    let reason = match names {
        [] => "started with no policy set".to_string(),
        names => format!("started under the policy set {}", names.join(", ")),
    };
    let mut row = NewEntry::new(Kind::Session, time::unix_ms(), Decider::Person, reason);
    row.session = Some(session.to_string());
    row.details = Some(json!({"policySets": ids}));
    audit::append(tx, &row).map(drop)
}

/// A session's cage is less than what this host is expected to have.
pub fn less_caged(session: &str, asked: &str, held: &str) -> NewEntry {
    let reason = format!("the sandbox is only {held}; asked for: {asked}");
    let mut row = NewEntry::new(Kind::Session, time::unix_ms(), Decider::Daemon, reason);
    row.session = Some(session.to_string());
    row
}

/// Whether an event of a session belongs on record: it is stopped or goes on whole, or what policy
/// would ask is let run for a while. Dangerous mode that ends by itself was nobody's doing.
pub fn session(session: &str, kind: &str, payload: &Value) -> Option<NewEntry> {
    if !["frozen", "thawed", "dangerous on", "dangerous off"].contains(&kind) {
        return None;
    }
    let asked = payload["why"].as_str().is_none_or(|why| why == "asked for");
    let decider = if asked { Decider::Person } else { Decider::Daemon };
    let mut row = NewEntry::new(Kind::Session, time::unix_ms(), decider, kind);
    row.session = Some(session.to_string());
    row.details = Some(payload.clone());
    Some(row)
}

/// A person's change, with what it was in detail.
pub fn changed(tx: &Tx<'_>, kind: Kind, by: &str, reason: String, details: Value) -> Result<i64> {
    let mut row = NewEntry::new(kind, time::unix_ms(), Decider::Person, reason);
    row.client = Some(by.to_string());
    row.session = details["sessionId"].as_str().map(str::to_string);
    row.policy = details["policy"].as_str().map(str::to_string);
    row.version = details["version"].as_i64();
    row.details = Some(details);
    audit::append(tx, &row)
}

/// A policy was made, changed or removed.
pub fn policy(
    tx: &Tx<'_>,
    by: &str,
    before: Option<&StoredPolicy>,
    after: Option<&StoredPolicy>,
) -> Result<i64> {
    let Some(policy) = after.or(before) else { return Ok(0) };
    let done = match (before, after) {
        (None, _) => "made",
        (_, None) => "removed",
        _ => "changed",
    };
    let (added, removed) = difference(before, after);
    let mut details = json!({
        "id": policy.id,
        "policy": policy.name,
        "version": policy.version,
        "enabled": policy.enabled,
        "scope": policy.scope.word(),
        "sessionId": policy.scope.session(),
        "added": added,
        "removed": removed,
    });
    if let (Some(before), Some(after)) = (before, after)
        && before.enabled != after.enabled
    {
        details["wasEnabled"] = json!(before.enabled);
    }
    changed(tx, Kind::Policy, by, format!("policy {} {done}", policy.name), details)
}

/// Something about a policy set.
pub fn set(tx: &Tx<'_>, by: &str, reason: String, details: Value) -> Result<()> {
    changed(tx, Kind::Policy, by, reason, details).map(drop)
}

/// The rules, each as one line of JSON, that `after` has and `before` has not, and the other way
/// around.
pub fn difference(
    before: Option<&StoredPolicy>,
    after: Option<&StoredPolicy>,
) -> (Vec<String>, Vec<String>) {
    let lines = |policy: Option<&StoredPolicy>| -> Vec<String> {
        let rules = policy.and_then(|policy| policy.rules.as_array());
        rules.into_iter().flatten().map(Value::to_string).collect()
    };
    let (old, new) = (lines(before), lines(after));
    (without(&new, &old), without(&old, &new))
}

/// What is in `these` and not in `those`, as often as it is more.
fn without(these: &[String], those: &[String]) -> Vec<String> {
    let mut left = std::collections::HashMap::<&str, usize>::new();
    those.iter().for_each(|line| *left.entry(line).or_default() += 1);
    let mut more = |line: &&String| match left.get_mut(line.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    these.iter().filter(|line| more(line)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_a_session_off_or_holds_it_is_on_record() {
        let row = |kind: &str, payload: Value| session("s", kind, &payload);
        assert_eq!(row("frozen", json!({})).unwrap().decider, Decider::Person);
        let off = row("dangerous off", json!({"why": "the time is over"})).unwrap();
        assert_eq!((off.decider, off.reason.as_str()), (Decider::Daemon, "dangerous off"));
        assert!(row("state", json!({})).is_none());
    }

    #[test]
    fn a_difference_has_each_rule_that_came_or_went() {
        let lines = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        assert_eq!(without(&lines("a b b c"), &lines("b d")), lines("a b c"));
        assert_eq!(without(&lines("a"), &lines("a")), Vec::<String>::new());
    }
}
