//! `key rotate`: a new master key, and everything that is sealed, sealed anew under it.
//!
//! Values are sealed again one batch after the other. Digests cannot be made anew, since nobody
//! has what they are of: the keys that they were made with are taken out of the old master key and
//! kept, sealed under the new one.
//!
//! 1. Nothing MUST be begun while something sealed does not open.
//! 2. Killed at any point, everything MUST still open, and the next start MUST go on from there.

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::limits;
use crate::model::audit::Decider;
use crate::model::audit::Kind;
use crate::model::audit::NewEntry;
use crate::secrets::Place;
use crate::secrets::kept_place;
use crate::secrets::rotation::Rotation;
use crate::secrets::rotation::Step;
use crate::service::Service;
use crate::service::login::digest_places;
use crate::store::account;
use crate::store::audit;
use crate::store::sealed;
use crate::store::sealed::MacKey;
use crate::store::sealed::Sealed;
use serde_json::json;

/// Who brings a change to its end that was begun before.
const DAEMON: &str = "daemon";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Values that are sealed under the new key.
    pub values: usize,
    /// What tells the new key from others.
    pub key_id: String,
    /// An earlier change was brought to its end; no other was begun.
    pub resumed: bool,
}

impl Service {
    /// Changes the master key, or brings a change that was begun to its end.
    pub fn rotate_key(&self, by: &str) -> Result<Rotated> {
        self.rotate_with(by, &mut || Ok(()))
    }

    /// Brings a change to its end that an earlier daemon did not.
    pub fn finish_rotation(&self) -> Result<()> {
        if self.logins.keys.is_unfinished() {
            let done = self.rotate_key(DAEMON)?;
            log::info!("the change of the master key is at its end: {} values", done.values);
        }
        Ok(())
    }

    /// The keys of digests that an earlier change of the master key has kept.
    pub(super) fn know_digest_keys(&self) -> Result<()> {
        let kept = self.store().read(sealed::mac_keys)?;
        let kept = kept.into_iter().map(|key| (key.purpose, key.version, key.sealed));
        self.logins.keys.keep(kept.collect());
        Ok(())
    }

    fn rotate_with(&self, by: &str, step: Step<'_>) -> Result<Rotated> {
        let rotation = self.logins.keys.rotation()?;
        let resumed = self.logins.keys.is_unfinished();
        self.check_all_open()?;
        if !resumed {
            step()?;
            self.record_key(by, "began to change the master key", json!({}))?;
        }
        rotation.begin(step)?;
        self.keep_digest_keys(&rotation, step)?;
        self.reseal_all(&rotation, step)?;
        let found = self.store().read(sealed::all)?;
        for one in &found {
            if !rotation.is_new(&one.blob)? {
                return Err(Error::busy(format!(
                    "the {} of {} was sealed meanwhile; once more: codepiper key rotate",
                    one.purpose, one.table
                )));
            }
        }
        rotation.finish(step)?;
        let key_id = rotation.key_id()?;
        let done = Rotated { values: found.len(), key_id, resumed };
        let details = json!({"values": done.values, "keyId": done.key_id});
        self.record_key(by, "changed the master key; the old one is destroyed", details)?;
        Ok(done)
    }

    fn record_key(&self, by: &str, what: &str, details: serde_json::Value) -> Result<()> {
        let decider = if by == DAEMON { Decider::Daemon } else { Decider::Person };
        let mut row = NewEntry::new(Kind::Setting, time::unix_ms(), decider, what);
        row.client = Some(by.to_string());
        row.details = Some(details);
        self.store().write(move |tx| audit::append(tx, &row).map(drop))
    }

    /// How many sealed values there are; an error where one does not open. Without `hold`: whoever
    /// asks holds it, or is the change itself.
    fn check_all_open(&self) -> Result<usize> {
        let found = self.store().read(sealed::all)?;
        for one in &found {
            self.logins.keys.open(place(one), &one.blob).map_err(|error| {
                let (what, way) = match one.table {
                    "env_sets" => ("an env set", format!("codepiper env-set delete {}", one.row)),
                    "notice_channels" => {
                        ("a channel of notices", format!("codepiper notify rm {}", one.row))
                    }
                    _ => ("the login", "codepiper auth reset-mfa".to_string()),
                };
                Error::new(
                    Code::Failed,
                    format!(
                        "{what} does not open: {error}; bring the database and master.key back \
                         from one backup, or let it go: {way}"
                    ),
                )
            })?;
        }
        Ok(found.len())
    }

    /// The same for who only looks.
    pub(super) fn sealed_values(&self) -> Result<usize> {
        let _hold = self.logins.keys.hold();
        self.check_all_open()
    }

    fn keep_digest_keys(&self, rotation: &Rotation<'_>, step: Step<'_>) -> Result<()> {
        let known = self.store().read(account::get)?;
        let places = digest_places(known.as_ref());
        let mut keys = Vec::new();
        for place in &places {
            let key = rotation.digest_key(*place)?;
            let stands = kept_place(place.purpose, place.version);
            let sealed = self.logins.keys.seal(stands, &key[..])?;
            let (purpose, version) = (place.purpose.to_string(), place.version);
            keys.push(MacKey { purpose, version, sealed });
        }
        step()?;
        self.store().write(move |tx| {
            for key in &keys {
                sealed::keep_mac_key(tx, key)?;
                sealed::drop_mac_keys(tx, &key.purpose, key.version)?;
            }
            Ok(())
        })?;
        self.know_digest_keys()
    }

    fn reseal_all(&self, rotation: &Rotation<'_>, step: Step<'_>) -> Result<()> {
        let mut due = Vec::new();
        for one in self.store().read(sealed::all)? {
            if !rotation.is_new(&one.blob)? {
                due.push(one);
            }
        }
        for batch in due.chunks(limits::RESEAL_BATCH) {
            let anew = |one: &Sealed| Ok((one.clone(), rotation.reseal(place(one), &one.blob)?));
            let anew = batch.iter().map(anew).collect::<Result<Vec<_>>>()?;
            step()?;
            self.store().write(move |tx| {
                anew.iter().try_for_each(|(old, new)| sealed::replace(tx, old, new).map(drop))
            })?;
        }
        self.know_digest_keys()
    }
}

fn place(one: &Sealed) -> Place<'_> {
    Place { table: one.table, row: &one.row, purpose: one.purpose, version: one.version }
}

#[cfg(test)]
mod tests;
