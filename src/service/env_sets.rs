//! Env sets: made, changed, removed and listed. What sessions get of them is `environment`.
//!
//! 1. A value MUST NOT leave this file but for a session: lists, records and errors have names.
//! 2. Each change MUST be on record in the transaction that makes it.

use crate::base::error::{Code, Error, Result};
use crate::base::id;
use crate::base::secret::Vars;
use crate::base::time;
use crate::limits;
use crate::model::audit::Kind;
use crate::model::env_set;
use crate::model::env_set::EnvSet;
use crate::model::policy::clean_description;
use crate::model::session::Session;
use crate::provider::env;
use crate::service::Service;
use crate::service::env_sealed;
use crate::service::policies::pick;
use crate::service::recorded;
use crate::store::audit;
use crate::store::env_sets;
use crate::store::sessions;
use serde_json::json;

/// A set that is to be made.
#[derive(Debug, Default)]
pub struct NewEnvSet {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its variables.
    pub vars: Vars,
    /// A person wants those that make programs load or run other code.
    pub allow_loaders: bool,
}

/// What is to become different about a set.
#[derive(Debug, Default)]
pub struct EnvSetChange {
    /// Another name.
    pub name: Option<String>,
    /// Another description; empty takes it away.
    pub description: Option<String>,
    /// These variables instead of all that it has.
    pub vars: Option<Vars>,
    /// Variables to set.
    pub set: Vars,
    /// Names of variables to take out.
    pub unset: Vec<String>,
    /// See [`NewEnvSet::allow_loaders`].
    pub allow_loaders: bool,
}

impl Service {
    /// All sets by name.
    pub fn env_sets(&self) -> Result<Vec<EnvSet>> {
        self.store().read(env_sets::list)
    }

    /// The set that a person means: by id, by name, or by the beginning of an id.
    pub fn find_env_set(&self, words: &str) -> Result<EnvSet> {
        let mut all = self.env_sets()?;
        let named: Vec<(&str, bool)> =
            all.iter().map(|set| (set.id.as_str(), set.name == words)).collect();
        let id = pick("Env set", words, &named).map_err(|error| match error.code {
            Code::NotFound => env_sets::missing(words),
            _ => error,
        })?;
        let at = all.iter().position(|set| set.id == id);
        at.map(|at| all.swap_remove(at)).ok_or_else(|| env_sets::missing(words))
    }

    /// Makes a set. `Conflict` where its name is taken.
    pub fn create_env_set(&self, new: NewEnvSet, by: &str) -> Result<EnvSet> {
        check_vars(&new.vars, new.allow_loaders)?;
        let _hold = self.logins.keys.hold();
        let now = time::unix_ms();
        let mut set = EnvSet {
            id: id::uuid()?,
            name: env_set::clean_name(&new.name)?,
            description: clean_description(new.description.as_deref().unwrap_or_default())?,
            names: Vec::new(),
            sealed: Vec::new(),
            version: 1,
            created_ms: now,
            updated_ms: now,
        };
        env_sealed::seal(&self.logins.keys, &mut set, &new.vars)?;
        let (made, by) = (set.clone(), by.to_string());
        self.store().write(move |tx| {
            if env_sets::list(tx)?.len() >= limits::ENV_SETS {
                let most = limits::ENV_SETS;
                return Err(Error::conflict(format!(
                    "there are {most} env sets, the limit; delete one: codepiper env-set list"
                )));
            }
            env_sets::insert(tx, &set)?;
            let details = json!({"envSet": set.name, "id": set.id, "version": 1, "set": set.names});
            let reason = format!("env set {} made", set.name);
            recorded::changed(tx, Kind::Setting, &by, reason, details).map(drop)
        })?;
        Ok(made)
    }

    /// The variables of a set. An older state of its row, put back with the version that it had,
    /// opens as little as a forged one: the audit log has the newest.
    pub(super) fn open_env_set(&self, set: &EnvSet) -> Result<Vars> {
        let newest = self.store().read(|conn| audit::env_set_version(conn, &set.id))?;
        if newest != Some(set.version) {
            let is = newest.map_or("none".to_string(), |version| version.to_string());
            let why = format!("it is of version {}, and by the audit log {is} counts", set.version);
            return Err(env_sealed::refused(set, &why));
        }
        env_sealed::open(&self.logins.keys, set)
    }

    /// Changes a set. With other variables or another name it is sealed anew under the next
    /// version, so that what was sealed before does not open any more.
    pub fn change_env_set(&self, words: &str, change: EnvSetChange, by: &str) -> Result<EnvSet> {
        check_vars(&change.set, change.allow_loaders)?;
        let _hold = self.logins.keys.hold();
        let before = self.find_env_set(words)?;
        let mut set = before.clone();
        if let Some(name) = &change.name {
            set.name = env_set::clean_name(name)?;
        }
        if let Some(text) = &change.description {
            set.description = clean_description(text)?;
        }
        set.updated_ms = time::unix_ms();
        let touches = change.vars.is_some() || !change.set.is_empty() || !change.unset.is_empty();
        let mut named = Vec::new();
        if touches || set.name != before.name {
            // A set that does not open any more can still be replaced as a whole.
            let mut vars = match change.vars {
                Some(all) => check_vars(&all, change.allow_loaders).map(|()| all)?,
                None => self.open_env_set(&before)?,
            };
            if let Some(name) = change.unset.iter().find(|name| !vars.remove(name)) {
                let text = format!("the env set {} has no variable {name}", before.name);
                return Err(Error::not_found(text));
            }
            vars.put_all(&change.set);
            env::check(&vars)?;
            set.version += 1;
            env_sealed::seal(&self.logins.keys, &mut set, &vars)?;
            named.extend(change.set.keys().cloned());
        }
        let (made, by) = (set.clone(), by.to_string());
        self.store().write(move |tx| {
            env_sets::update(tx, &set, before.version)?;
            let lost = before.names.iter().filter(|name| !set.names.contains(name));
            let new = set.names.iter().filter(|name| !before.names.contains(name));
            let details = json!({
                "envSet": set.name, "was": before.name, "id": set.id, "version": set.version,
                "set": named, "added": new.collect::<Vec<_>>(), "removed": lost.collect::<Vec<_>>(),
                "replaced": touches && named.is_empty() && change.unset.is_empty(),
            });
            let reason = format!("env set {} changed", before.name);
            recorded::changed(tx, Kind::Setting, &by, reason, details).map(drop)
        })?;
        Ok(made)
    }

    /// Removes a set; gives it and the ids of the sessions that start with it.
    pub fn delete_env_set(&self, words: &str, by: &str) -> Result<(EnvSet, Vec<String>)> {
        let (set, by) = (self.find_env_set(words)?, by.to_string());
        let gone = set.clone();
        let sessions = self.store().write(move |tx| {
            if !env_sets::delete(tx, &gone.id)? {
                return Err(env_sets::missing(&gone.name));
            }
            let with = |row: &Session| row.env_sets.contains(&gone.id);
            let rows = sessions::list(tx)?;
            let ids: Vec<String> = rows.into_iter().filter(with).map(|row| row.id).collect();
            let details = json!({"envSet": gone.name, "id": gone.id, "removed": gone.names});
            let reason = format!("env set {} removed", gone.name);
            recorded::changed(tx, Kind::Setting, &by, reason, details)?;
            Ok(ids)
        })?;
        Ok((set, sessions))
    }
}

/// Refuses what no set may hold, and what a person has to say twice.
fn check_vars(vars: &Vars, allow_loaders: bool) -> Result<()> {
    env::check(vars)?;
    match vars.keys().find(|name| env::is_loader(name)) {
        Some(name) if !allow_loaders => Err(Error::invalid(format!(
            "{name} makes programs load or run other code, in every session that gets the set; if \
             that is what you want, say so with --allow-loader-vars"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
