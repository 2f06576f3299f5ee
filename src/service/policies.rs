//! Policies: made, found, changed and removed, for all sessions or as one session's own. Whatever
//! changes here holds from the next tool call on.

use crate::base::error::{Error, Result};
use crate::model::policy::Scope;
use crate::model::policy::StoredPolicy;
use crate::model::session::Session;
use crate::policy::built_in;
use crate::policy::built_in::BuiltIn;
use crate::policy::rule;
use crate::service::Service;
use crate::service::policy_rows::NewPolicy;
use crate::service::policy_rows::PolicyChange;
use crate::service::policy_rows::canonical;
use crate::service::policy_rows::changed;
use crate::service::policy_rows::check_fits;
use crate::service::policy_rows::made;
use crate::service::policy_rows::problem;
use crate::service::recorded;
use crate::service::records::session_event;
use crate::service::tighten;
use crate::service::tighten::Brought;
use crate::store::events;
use crate::store::policies;
use crate::store::policies::Head;
use crate::store::policy_sets;
use crate::store::policy_sets::Member;
use serde_json::json;

/// A policy with what people want to know of it.
#[derive(Debug, Clone)]
pub struct PolicyView {
    /// The policy.
    pub policy: StoredPolicy,
    /// Id and name of each set that lists it.
    pub sets: Vec<(String, String)>,
    /// It is part of the program.
    pub built_in: bool,
    /// It is the session's repository that brings it: rules of it that allow do not count.
    pub repository: bool,
    /// Why its rules cannot be read, where that is so.
    pub problem: Option<String>,
}

/// What a removed policy was in use for.
#[derive(Debug, Clone)]
pub struct Removed {
    /// The policy, or the set.
    pub name: String,
    /// Id and name of each set that listed it.
    pub sets: Vec<(String, String)>,
    /// Ids of the running sessions that it held for.
    pub sessions: Vec<String>,
}

impl Service {
    /// All stored policies.
    pub fn policies(&self) -> Result<Vec<PolicyView>> {
        self.store().read(|conn| {
            let members = policy_sets::memberships(conn)?;
            Ok(policies::list(conn)?.into_iter().map(|one| view(one, &members)).collect())
        })
    }

    /// Those that decide in a session, the built-in ones of its sets included, and what its
    /// repository brings.
    pub fn session_policies(&self, row: &Session) -> Result<Vec<PolicyView>> {
        let mut found = self.stored_policies(row)?;
        found.extend(self.brought(row).map(|brought| repository_view(row, brought)));
        found.sort_by_key(|one| std::cmp::Reverse(one.policy.priority));
        Ok(found)
    }

    /// What a session's repository brings.
    pub fn brought(&self, row: &Session) -> Option<Brought> {
        tighten::brought(&row.cwd)
    }

    fn stored_policies(&self, row: &Session) -> Result<Vec<PolicyView>> {
        self.store().read(|conn| {
            let members = policy_sets::memberships(conn)?;
            let sets = policy_sets::applied(conn, &row.id)?;
            let stored = policies::effective(conn, &row.id)?;
            let mut found: Vec<PolicyView> =
                stored.into_iter().map(|p| view(p, &members)).collect();
            let built_in =
                built_in::sets().into_iter().filter(|set| sets.iter().any(|s| s == set.id));
            found.extend(built_in.flat_map(|set| built_in_views(&set)));
            Ok(found)
        })
    }

    /// The policy that a person means: by id, by name, or by the beginning of an id.
    pub fn find_policy(&self, words: &str) -> Result<PolicyView> {
        let id = self.policy_id(words)?;
        if let Some(view) = all_built_in().into_iter().find(|one| one.policy.id == id) {
            return Ok(view);
        }
        let found = self.store().read(|conn| {
            let members = policy_sets::memberships(conn)?;
            Ok(policies::get(conn, &id)?.map(|one| view(one, &members)))
        })?;
        found.ok_or_else(|| missing(words))
    }

    fn policy_id(&self, words: &str) -> Result<String> {
        let mut heads = self.store().read(policies::heads)?;
        heads.extend(all_built_in().into_iter().map(|one| head(&one.policy)));
        // What a session calls its own policy hides nobody else's.
        let shared = heads.iter().any(|h| h.session.is_none() && h.name == words);
        let named = |h: &Head| h.name == words && (h.session.is_none() || !shared);
        let all: Vec<(&str, bool)> = heads.iter().map(|h| (h.id.as_str(), named(h))).collect();
        pick("Policy", words, &all)
    }

    /// The id of a policy that may be changed.
    pub(super) fn own_policy_id(&self, words: &str) -> Result<String> {
        let id = self.policy_id(words)?;
        let holds = |set: &&BuiltIn| built_in_views(set).iter().any(|one| one.policy.id == id);
        match built_in::sets().iter().find(holds) {
            Some(set) => Err(built_in_stays("policy", &id, set.id)),
            None => Ok(id),
        }
    }

    /// Makes a policy. `Conflict` where its id or name is taken.
    pub fn create_policy(&self, new: NewPolicy, by: &str) -> Result<StoredPolicy> {
        let (policy, by) = (made(new)?, by.to_string());
        let _changing = self.rules.changing();
        self.store().write(move |tx| {
            check_fits(&policy, policies::others(tx, &policy.id)?)?;
            policies::insert(tx, &policy)?;
            recorded::policy(tx, &by, None, Some(&policy))?;
            Ok(policy)
        })
    }

    /// Changes a policy, all that is asked for or nothing. `Conflict` where it has another version
    /// by now than the change names.
    pub fn change_policy(
        &self,
        words: &str,
        change: PolicyChange,
        by: &str,
    ) -> Result<StoredPolicy> {
        let id = self.own_policy_id(words)?;
        let rules = change.rules.as_ref().map(canonical).transpose()?;
        let change = PolicyChange { rules, ..change };
        let (asked, by) = (words.to_string(), by.to_string());
        let _changing = self.rules.changing();
        self.store().write(move |tx| {
            let before = policies::get(tx, &id)?.ok_or_else(|| missing(&asked))?;
            let policy = changed(before.clone(), change)?;
            check_fits(&policy, policies::others(tx, &policy.id)?)?;
            policies::update(tx, &policy)?;
            recorded::policy(tx, &by, Some(&before), Some(&policy))?;
            Ok(policy)
        })
    }

    /// Removes a policy, wherever it is in use, and says where that was.
    pub fn delete_policy(&self, words: &str, by: &str) -> Result<Removed> {
        let id = self.own_policy_id(words)?;
        let (asked, by) = (words.to_string(), by.to_string());
        let _changing = self.rules.changing();
        self.store().write(move |tx| {
            let policy = policies::get(tx, &id)?.ok_or_else(|| missing(&asked))?;
            let sessions = policies::held_sessions(tx, &id)?;
            let view = view(policy, &policy_sets::memberships(tx)?);
            policies::delete(tx, &id)?;
            recorded::policy(tx, &by, Some(&view.policy), None)?;
            Ok(Removed { name: view.policy.name, sets: view.sets, sessions })
        })
    }

    /// The policies that a session owns.
    pub fn own_policies(&self, row: &Session) -> Result<Vec<PolicyView>> {
        let all = self.policies()?;
        Ok(all.into_iter().filter(|one| one.policy.scope.session() == Some(&row.id)).collect())
    }

    /// Makes the policy that a session owns, or puts `new` in its place; true when it was made.
    pub fn put_session_policy(
        &self,
        row: &Session,
        new: NewPolicy,
        by: &str,
    ) -> Result<(StoredPolicy, bool)> {
        let (session, by) = (row.id.clone(), by.to_string());
        let id = Some(format!("{session}-policy"));
        let fresh = made(NewPolicy { id, scope: Scope::Session(session.clone()), ..new })?;
        let _changing = self.rules.changing();
        let done = self.store().write(move |tx| {
            let before = policies::get(tx, &fresh.id)?;
            let created = before.is_none();
            let policy = match before.clone() {
                None => fresh,
                Some(before) if before.scope == fresh.scope => {
                    let version = before.version + i64::from(before.rules != fresh.rules);
                    StoredPolicy { version, created_ms: before.created_ms, ..fresh }
                }
                Some(_) => {
                    let text = format!("the policy {} is not this session's own", fresh.id);
                    return Err(Error::conflict(text));
                }
            };
            check_fits(&policy, policies::others(tx, &policy.id)?)?;
            match created {
                true => policies::insert(tx, &policy)?,
                false => policies::update(tx, &policy)?,
            }
            recorded::policy(tx, &by, before.as_ref(), Some(&policy))?;
            let told = json!({"policyId": policy.id, "message": policy.name});
            events::append(tx, &session_event(&session, "policy", told))?;
            Ok((policy, created))
        });
        self.records.waits.notify(&row.id);
        done
    }
}

/// The policies of a built-in set, under ids made from the set's.
pub fn built_in_views(set: &BuiltIn) -> Vec<PolicyView> {
    let one = |(at, policy): (usize, &crate::policy::Policy)| PolicyView {
        policy: StoredPolicy {
            id: format!("{}-{}", set.id, at + 1),
            name: policy.name.clone(),
            description: Some(set.description.to_string()),
            enabled: true,
            priority: policy.priority,
            scope: Scope::Set,
            rules: rule::to_json(&policy.rules),
            version: 1,
            created_ms: 0,
            updated_ms: 0,
        },
        sets: vec![(set.id.to_string(), set.name.to_string())],
        built_in: true,
        repository: false,
        problem: None,
    };
    set.policies.iter().enumerate().map(one).collect()
}

/// The policies of all built-in sets.
pub fn all_built_in() -> Vec<PolicyView> {
    built_in::sets().iter().flat_map(built_in_views).collect()
}

/// The refusal to change what comes with the program, with the way out.
pub fn built_in_stays(what: &str, id: &str, set: &str) -> Error {
    Error::conflict(format!(
        "the {what} {id} is built in and stays as it is; copy its set and change that: \
         codepiper policy-set create --name NAME --copy {set}"
    ))
}

/// The id that `words` stand for among ids and whether each is called so: an id comes before a
/// name, and a name before the beginning of an id.
pub fn pick(what: &str, words: &str, all: &[(&str, bool)]) -> Result<String> {
    if let Some((id, _)) = all.iter().find(|(id, _)| *id == words) {
        return Ok(id.to_string());
    }
    let named: Vec<&str> = all.iter().filter(|(_, named)| *named).map(|(id, _)| *id).collect();
    let begun = |id: &&str| !words.is_empty() && id.starts_with(words);
    let found = match named.is_empty() {
        true => all.iter().map(|(id, _)| *id).filter(begun).collect(),
        false => named,
    };
    match found.as_slice() {
        [] => Err(Error::not_found(format!("{what} not found: {words}"))),
        [one] => Ok(one.to_string()),
        many => {
            let ids: Vec<&str> = many.iter().map(|id| &id[..id.len().min(13)]).collect();
            let all = ids.join(", ");
            Err(Error::conflict(format!("{words:?} could be any of {all}; write more of it")))
        }
    }
}

fn view(policy: StoredPolicy, members: &[Member]) -> PolicyView {
    let lists = members.iter().filter(|member| member.policy == policy.id);
    let sets = lists.map(|member| (member.set.clone(), member.set_name.clone())).collect();
    let (built_in, repository) = (false, false);
    PolicyView { sets, built_in, repository, problem: problem(&policy), policy }
}

fn repository_view(row: &Session, brought: Brought) -> PolicyView {
    let Brought { policy, problem } = brought;
    let stored = StoredPolicy {
        id: policy.name.clone(),
        name: policy.name,
        description: Some("brought by the repository; it only tightens".to_string()),
        enabled: true,
        priority: policy.priority,
        scope: Scope::Session(row.id.clone()),
        rules: rule::to_json(&policy.rules),
        version: 1,
        created_ms: 0,
        updated_ms: 0,
    };
    PolicyView { policy: stored, sets: Vec::new(), built_in: false, repository: true, problem }
}

fn head(policy: &StoredPolicy) -> Head {
    let session = policy.scope.session().map(str::to_string);
    Head { id: policy.id.clone(), name: policy.name.clone(), session }
}

fn missing(words: &str) -> Error {
    Error::not_found(format!("Policy not found: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Code;

    #[test]
    fn an_id_goes_before_a_name_and_a_name_before_the_start_of_an_id() {
        let all = [("tests", false), ("abc1", true), ("abc2", false), ("deploy", false)];
        let find = |words: &str| pick("Policy", words, &all);
        assert_eq!(find("tests").unwrap(), "tests");
        assert_eq!(find("any name").unwrap(), "abc1", "the one that is called so");
        let none = [("abc1", false), ("abc2", false)];
        assert_eq!(pick("Policy", "abc2", &none).unwrap(), "abc2");
        let error = pick("Policy", "abc", &none).unwrap_err();
        assert_eq!(error.code, Code::Conflict);
        assert!(error.message.contains("abc1, abc2"), "{error}");
        for words in ["", "x"] {
            assert_eq!(pick("Policy", words, &none).unwrap_err().code, Code::NotFound);
        }
    }
}
