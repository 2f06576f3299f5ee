//! Dangerous mode: for a while, what policy would leave to a person is allowed in one session.
//! Knows nothing of rules; it sees verdicts.
//!
//! 1. Self-protection and a `deny` that a person wrote MUST stay a no.
//! 2. What cannot be read MUST NOT be lifted: it may hold such a `deny`.
//! 3. It MUST end in time also when the clock is set back, and with the session's program.
//! 4. Each answer that it gave MUST say so, and what it would have been.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::limits;
use crate::model::audit::Decider;
use crate::model::call::Action;
use crate::model::call::Verdict;
use crate::model::session::Dangerous;
use crate::model::session::Session;
use crate::policy::protect;
use crate::provider;
use crate::service::Service;
use crate::service::live::Live;
use crate::sys::clock;
use serde_json::json;
use std::time::Duration;

/// The policy that verdicts of the program's own name, and the rule of it that nothing lifts.
const BUILT_IN: &str = protect::SOURCE.0;
const PROTECTION: &str = protect::SOURCE.1;
/// The rule of it that stands for dangerous mode.
const DANGEROUS: &str = "dangerous";

/// Whether a verdict protects codepiper itself; nothing lifts such a one.
pub fn is_protection(verdict: &Verdict) -> bool {
    is_own(verdict, PROTECTION)
}

fn is_own(verdict: &Verdict, rule: &str) -> bool {
    (verdict.policy.as_deref(), verdict.rule.as_deref()) == (Some(BUILT_IN), Some(rule))
}

/// Who gave a verdict that no person and no grant gave.
pub fn decider(verdict: &Verdict) -> Decider {
    match &verdict.rule {
        _ if is_protection(verdict) => Decider::SelfProtection,
        _ if is_own(verdict, DANGEROUS) => Decider::Dangerous,
        Some(_) => Decider::Rule,
        None => Decider::Default,
    }
}

/// The end of dangerous mode that begins now.
pub fn until(wait: Duration) -> Result<Dangerous> {
    if wait.is_zero() || wait > limits::DANGEROUS_MOST {
        let most = limits::DANGEROUS_MOST.as_secs() / 3600;
        return Err(Error::invalid(format!("dangerous mode lasts from 1s to {most}h")));
    }
    let ms = wait.as_millis() as i64;
    let (until_ms, until_boot_ms) = (time::unix_ms() + ms, clock::boot_ms().saturating_add(ms));
    Ok(Dangerous { until_ms, until_boot_ms })
}

/// Dangerous mode of a session, as long as it holds.
pub fn of(row: &Session) -> Option<Dangerous> {
    row.dangerous.filter(|d| d.holds(time::unix_ms(), clock::boot_ms()))
}

/// Refuses it where nothing of the session's comes to our gate.
pub fn check(provider: &str) -> Result<()> {
    match provider::find(provider)?.capabilities.dangerous_mode {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "a {provider} session has no gate, so there is nothing to lift; leave --dangerous out"
        ))),
    }
}

impl Service {
    /// Turns a verdict into a yes while dangerous mode holds in the session that asked.
    pub fn lift(&self, row: &Session, verdict: Verdict) -> Verdict {
        match of(row) {
            Some(dangerous) => lifted(dangerous, verdict),
            None => verdict,
        }
    }

    /// Begins dangerous mode in a running session, for so long from now on.
    pub fn set_dangerous(&self, row: &Session, wait: Duration) -> Result<()> {
        check(&row.provider)?;
        let dangerous = until(wait)?;
        let live = self.need_live(row)?;
        let before = live.row().dangerous;
        let at = time::rfc3339(dangerous.until_ms);
        log::warn!("session {}: dangerous mode until {at}", row.id);
        let set = |row: &mut Session| row.dangerous = Some(dangerous);
        // What is not on record is not dangerous.
        self.records.change(&live, "dangerous on", json!({"until": at}), set).inspect_err(|_| {
            live.change(|row| row.dangerous = before);
        })
    }

    /// Ends it; nothing happens where there is none.
    pub fn end_dangerous(&self, row: &Session) -> Result<()> {
        end(&self.records, &*self.need_live(row)?, "asked for");
        Ok(())
    }
}

/// Ends dangerous mode in a running session, with the reason why.
pub fn end(records: &super::records::Records, live: &Live, why: &str) {
    if live.row().dangerous.is_some() {
        log::warn!("session {}: dangerous mode ends: {why}", live.id);
        let payload = json!({"why": why});
        records.change_or_log(live, "dangerous off", payload, |row| row.dangerous = None);
    }
}

fn lifted(dangerous: Dangerous, verdict: Verdict) -> Verdict {
    let by_default = verdict.policy.is_none() && verdict.rule.is_none();
    // A policy without a rule is one that cannot be read.
    let known = by_default || verdict.rule.is_some();
    let lifts = match verdict.action {
        Action::Allow => false,
        Action::Ask => known,
        Action::Deny => by_default,
    };
    if !lifts || is_protection(&verdict) {
        return verdict;
    }
    let at = time::rfc3339(dangerous.until_ms);
    let rule = match (&verdict.policy, &verdict.rule) {
        (Some(policy), Some(rule)) => format!(" by {policy}: {rule}"),
        _ => " by default".to_string(),
    };
    Verdict {
        action: Action::Allow,
        policy: Some(BUILT_IN.to_string()),
        rule: Some(DANGEROUS.to_string()),
        version: None,
        reason: format!(
            "dangerous mode until {at}; else {}{rule}: {}",
            verdict.action.word(),
            verdict.reason
        ),
        effects: verdict.effects,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(action: Action, policy: Option<&str>, rule: Option<&str>) -> Verdict {
        let (policy, rule) = (policy.map(str::to_string), rule.map(str::to_string));
        Verdict { policy, rule, ..Verdict::new(action, "why") }
    }

    #[test]
    fn what_is_asked_or_denied_by_default_is_lifted_and_nothing_else() {
        let on = Dangerous { until_ms: 0, until_boot_ms: 0 };
        let check = |action, policy, rule, to: Action| {
            let before = verdict(action, policy, rule);
            let after = lifted(on, before.clone());
            assert_eq!(after.action, to, "{before:?}");
            match after.action == action {
                true => assert_eq!(after, before),
                false => {
                    assert_eq!(decider(&after), Decider::Dangerous);
                    let said = format!("else {}", action.word());
                    assert!(after.reason.contains(&said) && after.reason.ends_with("why"));
                }
            }
        };
        use Action::*;
        check(Ask, None, None, Allow);
        check(Ask, Some("mine"), Some("rule 1"), Allow);
        check(Deny, None, None, Allow);
        check(Deny, Some("mine"), Some("rule 1"), Deny);
        check(Allow, Some("mine"), Some("rule 1"), Allow);
        for action in [Ask, Deny] {
            check(action, Some(BUILT_IN), Some(PROTECTION), action);
            check(action, Some("odd"), None, action);
        }
    }

    #[test]
    fn the_first_of_two_clocks_ends_it() {
        let on = Dangerous { until_ms: 100, until_boot_ms: 10 };
        assert!(on.holds(99, 9));
        assert!(!on.holds(100, 9) && !on.holds(99, 10));
        assert!(!on.holds(-1_000_000, 10), "a clock that was set back");
        for bad in [Duration::ZERO, limits::DANGEROUS_MOST + Duration::from_secs(1)] {
            assert!(until(bad).is_err());
        }
        let on = until(Duration::from_secs(60)).unwrap();
        assert!(on.holds(time::unix_ms(), clock::boot_ms()));
    }
}
