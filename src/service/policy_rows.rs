//! What a policy must be like to be stored: checked alone, against what it was, and against the
//! others. Stores nothing itself.

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::base::time;
use crate::limits;
use crate::model::policy;
use crate::model::policy::Scope;
use crate::model::policy::StoredPolicy;
use crate::model::session;
use crate::policy::example;
use crate::policy::protect;
use crate::policy::rule;
use crate::service::policies::all_built_in;
use crate::service::proof::script;
use crate::service::tighten;
use crate::store::policies::Head;
use serde_json::Value;

/// A policy that is to be made.
#[derive(Debug, Clone)]
pub struct NewPolicy {
    /// An id of the maker's choice.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it holds at once.
    pub enabled: bool,
    /// Only picks which of several rules that say the same is named.
    pub priority: i64,
    /// Which sessions it holds for.
    pub scope: Scope,
    /// Its rules as JSON.
    pub rules: Value,
}

/// What is to become different about a policy.
#[derive(Debug, Clone, Default)]
pub struct PolicyChange {
    /// Another name.
    pub name: Option<String>,
    /// Another description; empty takes it away.
    pub description: Option<String>,
    /// On or off.
    pub enabled: Option<bool>,
    /// Another priority.
    pub priority: Option<i64>,
    /// Global or only in sets.
    pub scope: Option<Scope>,
    /// Other rules as JSON, all of them.
    pub rules: Option<Value>,
    /// Only if it still has this version.
    pub version: Option<i64>,
}

/// Why a policy's rules cannot be read, where that is so.
pub fn problem(policy: &StoredPolicy) -> Option<String> {
    let error = rule::parse(&policy.rules).err()?;
    Some(error.message.chars().take(limits::gate::PROBLEM_CHARS).collect())
}

/// A name that must be there.
pub fn need_name(text: &str) -> Result<String> {
    session::clean_name(text)?.ok_or_else(|| Error::invalid("field \"name\" is empty"))
}

/// The rules in the one form that is stored, or what is wrong with them or their examples.
pub fn canonical(rules: &Value) -> Result<Value> {
    let rules = rule::parse(rules)?;
    example::check(&rules)?;
    Ok(rule::to_json(&rules))
}

fn check_priority(priority: i64) -> Result<i64> {
    let most = limits::gate::PRIORITY;
    match (-most..=most).contains(&priority) {
        true => Ok(priority),
        false => Err(Error::invalid(format!("field \"priority\" goes from -{most} to {most}"))),
    }
}

/// A new policy, checked for all that can be known without the others.
pub fn made(new: NewPolicy) -> Result<StoredPolicy> {
    let id = match new.id {
        Some(id) => policy::check_id(&id).map(|()| id)?,
        None => id::uuid()?,
    };
    let now = time::unix_ms();
    Ok(StoredPolicy {
        id,
        name: need_name(&new.name)?,
        description: policy::clean_description(new.description.as_deref().unwrap_or_default())?,
        enabled: new.enabled,
        priority: check_priority(new.priority)?,
        scope: new.scope,
        rules: canonical(&new.rules)?,
        version: 1,
        created_ms: now,
        updated_ms: now,
    })
}

/// The policy as it is after a change whose rules have been checked.
pub fn changed(mut policy: StoredPolicy, change: PolicyChange) -> Result<StoredPolicy> {
    if let Some(version) = change.version
        && version != policy.version
    {
        let (name, now) = (&policy.name, policy.version);
        return Err(Error::conflict(format!(
            "the policy {name} has version {now} by now, not {version}; read it again first"
        )));
    }
    if let Some(name) = change.name {
        policy.name = need_name(&name)?;
    }
    if let Some(text) = change.description {
        policy.description = policy::clean_description(&text)?;
    }
    if let Some(scope) = change.scope {
        if policy.scope.session().is_some() {
            let name = &policy.name;
            let text = format!("the policy {name} is its session's own and stays so; make another");
            return Err(Error::conflict(text));
        }
        policy.scope = scope;
    }
    policy.enabled = change.enabled.unwrap_or(policy.enabled);
    policy.priority = check_priority(change.priority.unwrap_or(policy.priority))?;
    if let Some(rules) = change.rules.filter(|rules| *rules != policy.rules) {
        policy.rules = rules;
        policy.version += 1;
    }
    policy.updated_ms = time::unix_ms();
    Ok(policy)
}

/// Refuses what verdicts of the program's own, of a repository's policy and of rehearsals are
/// called: in the audit log a policy must not pass for one of them.
pub fn check_not_ours(id: &str, name: &str) -> Result<()> {
    let ours = [protect::SOURCE.0, tighten::NAME, script::POLICY];
    match ours.iter().find(|own| [id, name].iter().any(|word| word.eq_ignore_ascii_case(own))) {
        Some(own) => {
            Err(Error::conflict(format!("{own:?} is codepiper's own name; choose another one")))
        }
        None => Ok(()),
    }
}

/// Whether a policy finds its place among the others, whose rules take so many bytes.
pub fn check_fits(policy: &StoredPolicy, (others, bytes): (Vec<Head>, usize)) -> Result<()> {
    let StoredPolicy { id, name, scope, .. } = policy;
    check_not_ours(id, name)?;
    if all_built_in().iter().any(|one| one.policy.id == *id || one.policy.name == *name) {
        let text = format!("a built-in policy is called {name:?} or {id:?}; choose another name");
        return Err(Error::conflict(text));
    }
    // Verdicts and logs call a policy by its name.
    let same = |h: &&Head| h.name == *name && h.session.as_deref() == scope.session();
    if let Some(other) = others.iter().find(same) {
        let text = format!("another policy is called {name:?} already: {}", other.id);
        return Err(Error::conflict(text));
    }
    if others.len() >= limits::gate::POLICIES {
        let most = limits::gate::POLICIES;
        return Err(Error::conflict(format!("there are {most} policies, the limit; delete one")));
    }
    if bytes + policy.rules.to_string().len() > limits::gate::POLICY_BYTES {
        let most = limits::gate::POLICY_BYTES;
        let text = format!("the rules of all policies may take {most} bytes; delete some");
        return Err(Error::conflict(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Code;
    use serde_json::json;

    fn new(name: &str) -> NewPolicy {
        NewPolicy {
            id: None,
            name: name.into(),
            description: None,
            enabled: true,
            priority: 0,
            scope: Scope::Global,
            rules: json!([{"action": "ask", "tool": ["Bash"]}]),
        }
    }

    #[test]
    fn only_other_rules_make_another_version_and_a_stale_one_is_refused() {
        let one = made(new("a")).unwrap();
        let same = PolicyChange { rules: Some(one.rules.clone()), ..PolicyChange::default() };
        assert_eq!(changed(one.clone(), same).unwrap().version, 1);
        let rules = Some(json!([]));
        let other = PolicyChange { rules, version: Some(1), ..PolicyChange::default() };
        let next = changed(one, other.clone()).unwrap();
        assert_eq!((next.version, &next.rules), (2, &json!([])));
        let error = changed(next.clone(), other).unwrap_err();
        assert_eq!(error.code, Code::Conflict);
        assert!(error.message.contains("version 2"), "{error}");
        let off = PolicyChange { enabled: Some(false), ..PolicyChange::default() };
        let off = changed(next, off).unwrap();
        assert_eq!((off.version, off.enabled), (2, false));
    }

    #[test]
    fn names_are_each_ones_own_and_the_built_in_ones_are_taken() {
        let one = made(new("a")).unwrap();
        let check = |policy: &StoredPolicy, others: Vec<Head>, bytes: usize| {
            check_fits(policy, (others, bytes)).map_err(|e| (e.code, e.message))
        };
        let taken = Head { id: "x".into(), name: "a".into(), session: None };
        let error = check(&one, vec![taken.clone()], 0).unwrap_err();
        assert_eq!(error.0, Code::Conflict);
        assert!(error.1.contains("\"a\" already: x"), "{}", error.1);
        let of_session = Head { session: Some("s".into()), ..taken };
        check(&one, vec![of_session], 0).unwrap();
        for name in ["built-in", "Built-In", ".codepiper/policy", "gate proof"] {
            let error = check(&made(new(name)).unwrap(), Vec::new(), 0).unwrap_err();
            assert_eq!(error.0, Code::Conflict, "{name}");
            assert!(error.1.ends_with("choose another one"), "{}", error.1);
        }
        let of_id = StoredPolicy { id: "built-in".into(), ..one.clone() };
        assert_eq!(check(&of_id, Vec::new(), 0).unwrap_err().0, Code::Conflict);
        let standard = made(new("standard")).unwrap();
        assert_eq!(check(&standard, Vec::new(), 0).unwrap_err().0, Code::Conflict);
        let bytes = limits::gate::POLICY_BYTES - one.rules.to_string().len();
        check(&one, Vec::new(), bytes).unwrap();
        assert_eq!(check(&one, Vec::new(), bytes + 1).unwrap_err().0, Code::Conflict);
        let many = |count: usize| {
            let head = |at| Head { id: format!("p{at}"), name: format!("n{at}"), session: None };
            (0..count).map(head).collect::<Vec<_>>()
        };
        check(&one, many(limits::gate::POLICIES - 1), 0).unwrap();
        assert!(check(&one, many(limits::gate::POLICIES), 0).unwrap_err().1.contains("limit"));
    }
}
