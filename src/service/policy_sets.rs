//! Sets of policies: made, changed and removed, and applied to sessions. Those that come with the
//! program can be applied and copied, and stay as they are.

use crate::base::error::{Code, Error, Result};
use crate::base::id;
use crate::base::time;
use crate::limits;
use crate::model::policy;
use crate::model::policy::PolicySet;
use crate::model::policy::Scope;
use crate::model::policy::StoredPolicy;
use crate::policy::built_in;
use crate::service::Service;
use crate::service::policies::PolicyView;
use crate::service::policies::Removed;
use crate::service::policies::built_in_stays;
use crate::service::policies::built_in_views;
use crate::service::policies::pick;
use crate::service::policy_rows::NewPolicy;
use crate::service::policy_rows::check_fits;
use crate::service::policy_rows::check_not_ours;
use crate::service::policy_rows::made;
use crate::service::policy_rows::need_name;
use crate::service::recorded;
use crate::service::settings::DEFAULT_SET;
use crate::service::settings::default_set;
use crate::store::policies;
use crate::store::policy_sets;
use crate::store::settings;
use serde_json::json;

/// A set that is to be made.
#[derive(Debug, Clone, Default)]
pub struct NewSet {
    /// An id of the maker's choice.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// New sessions get it.
    pub is_default: bool,
    /// Ids of its policies, as [`Service::set_members`] gives them.
    pub policies: Vec<String>,
    /// The set whose policies it begins with.
    pub copy_of: Option<String>,
}

/// What is to become different about a set.
#[derive(Debug, Clone, Default)]
pub struct SetChange {
    /// Another name.
    pub name: Option<String>,
    /// Another description; empty takes it away.
    pub description: Option<String>,
    /// Whether new sessions get it.
    pub is_default: Option<bool>,
}

/// A set with what people want to know of it.
#[derive(Debug, Clone)]
pub struct SetView {
    /// The set.
    pub set: PolicySet,
    /// It is part of the program.
    pub built_in: bool,
    /// New sessions get it.
    pub is_default: bool,
    /// Ids of its policies.
    pub policies: Vec<String>,
    /// Ids of the sessions that it is applied to, ended ones too.
    pub sessions: Vec<String>,
}

impl Service {
    /// All sets, the built-in ones first.
    pub fn policy_sets(&self) -> Result<Vec<SetView>> {
        self.store().read(|conn| {
            let mut all = built_in_sets();
            all.extend(policy_sets::list(conn)?.into_iter().map(bare));
            let default = default_set(settings::get(conn, DEFAULT_SET)?.as_ref());
            let members = policy_sets::memberships(conn)?;
            let applied = policy_sets::applications(conn)?;
            for view in &mut all {
                let id = &view.set.id;
                view.is_default = default.as_ref() == Some(id);
                let listed = members.iter().filter(|m| m.set == *id);
                view.policies.extend(listed.map(|m| m.policy.clone()));
                view.sessions.extend(applied.iter().filter(|a| a.1 == *id).map(|a| a.0.clone()));
            }
            Ok(all)
        })
    }

    /// The set that a person means: by id, by name, or by the beginning of an id.
    pub fn find_set(&self, words: &str) -> Result<SetView> {
        let mut all = self.policy_sets()?;
        let named: Vec<(&str, bool)> =
            all.iter().map(|view| (view.set.id.as_str(), view.set.name == words)).collect();
        let id = pick("Policy set", words, &named)?;
        let at = all.iter().position(|view| view.set.id == id);
        at.map(|at| all.swap_remove(at)).ok_or_else(|| missing(words))
    }

    /// The set, if it may be changed.
    fn own_set(&self, words: &str) -> Result<SetView> {
        let view = self.find_set(words)?;
        match view.built_in {
            true => Err(built_in_stays("policy set", &view.set.id, &view.set.id)),
            false => Ok(view),
        }
    }

    /// The policies of a set.
    pub fn set_policies(&self, view: &SetView) -> Result<Vec<PolicyView>> {
        if let Some(set) = built_in::sets().iter().find(|set| set.id == view.set.id) {
            return Ok(built_in_views(set));
        }
        let all = self.policies()?;
        Ok(all.into_iter().filter(|one| view.policies.contains(&one.policy.id)).collect())
    }

    /// The ids of policies that a set may list. The first list are those that were found, the
    /// second the words for which there is none.
    pub fn set_members(&self, words: &[String]) -> Result<(Vec<String>, Vec<String>)> {
        if words.len() > limits::gate::POLICIES {
            return Err(Error::invalid(format!(
                "a set may list {} policies",
                limits::gate::POLICIES
            )));
        }
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for word in words {
            match self.own_policy_id(word) {
                Ok(id) if found.contains(&id) => {}
                Ok(id) => found.push(id),
                Err(error) if error.code == Code::NotFound => {
                    unknown.push(word.clone());
                }
                Err(error) => return Err(error),
            }
        }
        Ok((found, unknown))
    }

    /// Makes a set. `Conflict` where its id or name is taken.
    pub fn create_set(&self, new: NewSet, by: &str) -> Result<SetView> {
        let id = match new.id {
            Some(id) => policy::check_id(&id).map(|()| id)?,
            None => id::uuid()?,
        };
        let now = time::unix_ms();
        let set = PolicySet {
            id,
            name: need_name(&new.name)?,
            description: policy::clean_description(new.description.as_deref().unwrap_or_default())?,
            created_ms: now,
            updated_ms: now,
        };
        check_name(&set)?;
        let (mut members, mut copies) = (new.policies, Vec::new());
        if let Some(words) = &new.copy_of {
            let source = self.find_set(words)?;
            match source.built_in {
                true => copies = self.copies(&source, &set.name)?,
                false => members.extend(source.policies),
            }
        }
        let _changing = self.rules.changing();
        let (view, is_default, by) = (bare(set.clone()), new.is_default, by.to_string());
        let stored = self.store().write(move |tx| {
            if policy_sets::list(tx)?.len() >= limits::gate::POLICIES {
                let most = limits::gate::POLICIES;
                let text = format!("there are {most} policy sets, the limit; delete one");
                return Err(Error::conflict(text));
            }
            policy_sets::insert(tx, &set)?;
            for copy in &copies {
                check_fits(copy, policies::others(tx, &copy.id)?)?;
                policies::insert(tx, copy)?;
                recorded::policy(tx, &by, None, Some(copy))?;
            }
            members.extend(copies.into_iter().map(|copy| copy.id));
            for member in &members {
                check_member(policies::get(tx, member)?, member)?;
                policy_sets::add_member(tx, &set.id, member)?;
            }
            if is_default {
                settings::put(tx, DEFAULT_SET, &json!(set.id))?;
            }
            let details =
                json!({"id": set.id, "set": set.name, "policies": members, "default": is_default});
            recorded::set(tx, &by, format!("policy set {} made", set.name), details)?;
            Ok(members)
        })?;
        Ok(SetView { policies: stored, is_default, ..view })
    }

    /// The policies of a built-in set as ones that may be changed, named after their new set.
    fn copies(&self, source: &SetView, name: &str) -> Result<Vec<StoredPolicy>> {
        let copy = |view: PolicyView| {
            let alone = source.policies.len() == 1;
            let policy = view.policy;
            made(NewPolicy {
                id: None,
                name: if alone { name.to_string() } else { format!("{name} {}", policy.name) },
                description: policy.description,
                enabled: true,
                priority: policy.priority,
                scope: Scope::Set,
                rules: policy.rules,
            })
        };
        self.set_policies(source)?.into_iter().map(copy).collect()
    }

    /// Changes a set. Which one new sessions get is a setting: also a built-in one may be it.
    pub fn change_set(&self, words: &str, change: SetChange, by: &str) -> Result<SetView> {
        let renames = change.name.is_some() || change.description.is_some();
        let mut view = if renames { self.own_set(words)? } else { self.find_set(words)? };
        let (mut set, built_in, by) = (view.set.clone(), view.built_in, by.to_string());
        let _changing = self.rules.changing();
        (view.set, view.is_default) = self.store().write(move |tx| {
            if !built_in {
                set = changed(policy_sets::need(tx, &set.id)?, &change)?;
                policy_sets::update(tx, &set)?;
            }
            let default = default_set(settings::get(tx, DEFAULT_SET)?.as_ref());
            let was_default = default.as_ref() == Some(&set.id);
            match change.is_default {
                Some(true) => settings::put(tx, DEFAULT_SET, &json!(set.id))?,
                Some(false) if was_default => settings::put_null(tx, DEFAULT_SET)?,
                _ => {}
            }
            let is_default = change.is_default.unwrap_or(was_default);
            let details = json!({"id": set.id, "set": set.name, "default": is_default});
            recorded::set(tx, &by, format!("policy set {} changed", set.name), details)?;
            Ok((set, is_default))
        })?;
        Ok(view)
    }

    /// Removes a set; its policies stay. Where new sessions got it, they get none from now on. The
    /// flag says whether that was so.
    pub fn delete_set(&self, words: &str, by: &str) -> Result<(Removed, bool)> {
        let view = self.own_set(words)?;
        let (id, name, by) = (view.set.id.clone(), view.set.name.clone(), by.to_string());
        let _changing = self.rules.changing();
        let was_default = self.store().write(move |tx| {
            let default = default_set(settings::get(tx, DEFAULT_SET)?.as_ref());
            if !policy_sets::delete(tx, &id)? {
                return Err(missing(&id));
            }
            let was_default = default.as_ref() == Some(&id);
            if was_default {
                settings::put_null(tx, DEFAULT_SET)?;
            }
            let details = json!({"id": id, "set": name, "wasDefault": was_default});
            recorded::set(tx, &by, format!("policy set {name} removed"), details)?;
            Ok(was_default)
        })?;
        let removed = Removed { name: view.set.name, sets: Vec::new(), sessions: view.sessions };
        Ok((removed, was_default))
    }

    /// Puts a policy into a set. `Conflict` where it is in it already.
    pub fn add_to_set(&self, set: &str, policy: &str, by: &str) -> Result<()> {
        let (set, policy) = (self.own_set(set)?.set, self.own_policy_id(policy)?);
        let by = by.to_string();
        let _changing = self.rules.changing();
        self.store().write(move |tx| {
            check_member(policies::get(tx, &policy)?, &policy)?;
            match policy_sets::add_member(tx, &set.id, &policy)? {
                true => {
                    let details = json!({"id": set.id, "set": set.name, "added": [policy]});
                    recorded::set(
                        tx,
                        &by,
                        format!("a policy put into the set {}", set.name),
                        details,
                    )
                }
                false => {
                    let text = format!("the policy {policy} is in the set {} already", set.name);
                    Err(Error::conflict(text))
                }
            }
        })
    }

    /// Takes a policy out of a set. `NotFound` where it is not in it.
    pub fn remove_from_set(&self, set: &str, policy: &str, by: &str) -> Result<()> {
        let (set, policy) = (self.own_set(set)?.set, self.own_policy_id(policy)?);
        let by = by.to_string();
        let _changing = self.rules.changing();
        self.store().write(move |tx| match policy_sets::remove_member(tx, &set.id, &policy)? {
            true => {
                let details = json!({"id": set.id, "set": set.name, "removed": [policy]});
                recorded::set(
                    tx,
                    &by,
                    format!("a policy taken out of the set {}", set.name),
                    details,
                )
            }
            false => {
                let text = format!("the policy {policy} is not in the set {}", set.name);
                Err(Error::not_found(text))
            }
        })
    }
}

/// Whether a set comes with the program.
pub fn is_built_in(id: &str) -> bool {
    built_in::sets().iter().any(|set| set.id == id)
}

fn built_in_sets() -> Vec<SetView> {
    let one = |set: &built_in::BuiltIn| SetView {
        set: PolicySet {
            id: set.id.to_string(),
            name: set.name.to_string(),
            description: Some(set.description.to_string()),
            created_ms: 0,
            updated_ms: 0,
        },
        built_in: true,
        policies: built_in_views(set).into_iter().map(|one| one.policy.id).collect(),
        is_default: false,
        sessions: Vec::new(),
    };
    built_in::sets().iter().map(one).collect()
}

/// The set as it is after a change.
fn changed(mut set: PolicySet, change: &SetChange) -> Result<PolicySet> {
    if let Some(name) = &change.name {
        set.name = need_name(name)?;
        check_name(&set)?;
    }
    if let Some(text) = &change.description {
        set.description = policy::clean_description(text)?;
    }
    set.updated_ms = time::unix_ms();
    Ok(set)
}

fn bare(set: PolicySet) -> SetView {
    let (built_in, is_default) = (false, false);
    SetView { set, built_in, is_default, policies: Vec::new(), sessions: Vec::new() }
}

/// Refuses what a built-in set is called, and the program's own names.
fn check_name(set: &PolicySet) -> Result<()> {
    check_not_ours(&set.id, &set.name)?;
    let taken = |known: &SetView| known.set.id == set.id || known.set.name == set.name;
    match built_in_sets().iter().any(taken) {
        true => {
            let text =
                format!("a built-in policy set is called {:?} or {:?} already", set.name, set.id);
            Err(Error::conflict(text))
        }
        false => Ok(()),
    }
}

/// A set holds for many sessions: what one session owns has no place in it.
fn check_member(policy: Option<StoredPolicy>, id: &str) -> Result<()> {
    let Some(policy) = policy else {
        return Err(Error::not_found(format!("Policy not found: {id}")));
    };
    match policy.scope.session() {
        None => Ok(()),
        Some(session) => Err(Error::conflict(format!(
            "the policy {} is the own one of session {session}, a set takes only shared ones; \
             make another from its rules",
            policy.name
        ))),
    }
}

fn missing(words: &str) -> Error {
    Error::not_found(format!("Policy set not found: {words}"))
}
