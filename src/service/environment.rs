//! What a session gets of its env sets, and what is told of its whole environment.
//!
//! 1. Sets MUST be opened only for a start, and what is opened MUST go when that is done.
//! 2. A set that is missing or does not open MUST keep the session from starting.
//! 3. What is told MUST be names.

use crate::base::error::{Error, Result};
use crate::base::secret::Vars;
use crate::limits;
use crate::model::env_set::EnvSet;
use crate::model::redact::exact::Needles;
use crate::model::redact::exact::masks::Masked;
use crate::model::session::Billing;
use crate::model::session::Session;
use crate::provider;
use crate::provider::Provider;
use crate::provider::env;
use crate::service::Service;
use crate::service::live::Picture;
use crate::service::settings::MASK_OUTPUT;
use crate::store::env_sets;
use crate::sys::memory;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A variable that a set has and that does not reach the session, with the set's name.
pub type Dropped = (String, String);

impl Service {
    /// The ids of the sets that a person names, in order; of one that is named twice the later
    /// place counts.
    pub(super) fn env_set_ids(&self, words: &[String]) -> Result<Vec<String>> {
        if words.len() > limits::ENV_SETS {
            let most = limits::ENV_SETS;
            return Err(Error::invalid(format!("a session may get {most} env sets")));
        }
        let mut ids: Vec<String> = Vec::new();
        for word in words {
            let id = self.find_env_set(word)?.id;
            ids.retain(|known| *known != id);
            ids.push(id);
        }
        Ok(ids)
    }

    /// The sets behind a session's ids, sealed.
    pub(super) fn sets_of(&self, row: &Session) -> Result<Vec<EnvSet>> {
        row.env_sets.iter().map(|id| self.set_of(row, id)).collect()
    }

    fn set_of(&self, row: &Session, id: &str) -> Result<EnvSet> {
        let key = id.to_string();
        let found = self.store().read(move |conn| env_sets::get(conn, &key))?;
        found.ok_or_else(|| {
            let session = &row.id;
            Error::not_found(format!(
                "the session gets the env set {id}, which is gone; give it others: codepiper \
                 resume {session} --env-set NAME, or none: codepiper resume {session} --no-env-set"
            ))
        })
    }

    /// The variables of a session's sets with those that a person gave by name, which win.
    pub(super) fn injected(
        &self,
        provider: &Provider,
        row: &Session,
        given: &BTreeMap<String, String>,
    ) -> Result<Vars> {
        let _hold = self.logins.keys.hold();
        let mut all = Vars::default();
        for set in self.sets_of(row)? {
            let mut vars = self.open_env_set(&set)?;
            let keys = provider.keys.iter().filter(|_| row.billing == Billing::Subscription);
            for key in keys {
                vars.remove(key);
            }
            all.put_all(&vars);
        }
        all.put_all(given);
        Ok(all)
    }

    /// Makes what a session gets known, so that no record holds it: its sets' variables and those
    /// by name (`injected`), keys that it bills with, the secret of its hooks. What passes from a
    /// login shell unasked too (HOME, PATH, LANG) is no secret: its value stands in every path.
    pub(super) fn masked(
        &self,
        provider: &Provider,
        billing: Billing,
        injected: &BTreeMap<String, String>,
        secret: Option<&str>,
    ) -> Masked {
        let mut all = Vars::from(self.keys.of(provider, billing));
        all.put_all(injected);
        secret.into_iter().for_each(|secret| all.put(env::SECRET, secret));
        let secret = all.iter().filter(|(name, _)| env::left_out(name).is_some());
        self.store().masks().add(Needles::of(secret, memory::keep))
    }

    /// The same for a session that an earlier daemon has started: its sets are opened once more.
    /// What came by name, and the secret of its hooks, no one knows any more.
    pub(super) fn masked_again(&self, row: &Session) -> Result<Masked> {
        let provider = provider::find(&row.provider)?;
        let injected = self.injected(provider, row, &BTreeMap::new())?;
        Ok(self.masked(provider, row.billing, &injected, None))
    }

    /// The secrets of a session, as far as they are known. Of an ended one those are what its sets
    /// hold today.
    pub(super) fn known(&self, row: &Session) -> Option<Arc<Needles>> {
        match self.records.live(&row.id) {
            Some(live) => live.needles(),
            None if row.env_sets.is_empty() => None,
            None => self.masked_again(row).ok().map(|masked| masked.needles()),
        }
    }

    /// What viewers of a session are not shown, where the setting says so.
    pub fn hidden(&self, row: &Session) -> Option<Arc<Needles>> {
        let live = self.records.live(&row.id);
        let none = live.as_ref().map_or(row.env_sets.is_empty(), |live| live.needles().is_none());
        match none || !self.flag(MASK_OUTPUT) {
            true => None,
            false => self.known(row),
        }
    }

    /// Takes out of a picture what its viewers are not shown. What a line's end has cut in two, or
    /// colours have, is not found there.
    pub fn hide(&self, row: &Session, mut picture: Picture) -> Picture {
        if let Some(hidden) = self.hidden(row) {
            picture.text = hidden.text(&picture.text);
            picture.repaint = hidden.bytes(&picture.repaint);
        }
        picture
    }

    /// The variables by which an agent's program is found: those given, and of the sets what
    /// stands in their place.
    pub fn search_vars(&self, sets: &[String], given: &Vars) -> Result<Vars> {
        let _hold = self.logins.keys.hold();
        let mut all = Vars::default();
        for word in sets {
            let set = self.find_env_set(word)?;
            let wanted = ["PATH", "HOME"].map(|name| (name, set.names.iter().any(|n| n == name)));
            if wanted.iter().any(|(_, has)| *has) {
                let vars = self.open_env_set(&set)?;
                let values = wanted.iter().filter_map(|(name, _)| Some((name, vars.get(*name)?)));
                values.for_each(|(name, value)| all.put(*name, value.as_str()));
            }
        }
        all.put_all(given);
        Ok(all)
    }

    /// What a session's sets have and its billing keeps away.
    pub fn dropped(&self, row: &Session) -> Vec<Dropped> {
        let Ok(provider) = provider::find(&row.provider) else { return Vec::new() };
        if row.billing != Billing::Subscription || row.env_sets.is_empty() {
            return Vec::new();
        }
        let sets = self.sets_of(row).unwrap_or_default();
        let each = |set: &EnvSet| {
            let keys = set.names.iter().filter(|name| provider.keys.contains(&name.as_str()));
            keys.map(|name| (name.clone(), set.name.clone())).collect::<Vec<_>>()
        };
        sets.iter().flat_map(each).collect()
    }
}
