//! Changing the master key: its files, step by step, so that whatever ends the process everything
//! still opens.
//!
//! | `master.key` | `.new` | `.old` | what it means |
//! |---|---|---|---|
//! | K | | | nothing under way |
//! | K | N | | N seals, both open, K makes digests; values are being sealed anew |
//! | | N | K | all is sealed under N |
//! | N | | K | only K is left to be destroyed |
//!
//! 1. A key MUST NOT be destroyed while anything is sealed under it.
//! 2. The next key MUST be on the disk before anything is sealed under it.
//! 3. While this goes on nobody else MUST seal for a row, or open one: who does holds
//!    [`Keyring::hold`].

use crate::base::error::{Context, Error, Result};
use crate::base::id;
use crate::secrets::Keyring;
use crate::secrets::Keys;
use crate::secrets::Place;
use crate::secrets::key;
use crate::secrets::key::Key;
use crate::secrets::seal;
use crate::sys::file;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::RwLockWriteGuard;
use zeroize::Zeroizing;

/// Called before each step that changes something on the disk; an error ends it there.
pub type Step<'a> = &'a mut dyn FnMut() -> Result<()>;

/// The key's next or former name.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(end);
    PathBuf::from(name)
}

/// Where a key is while it is the next one, and while it is to be destroyed.
pub(super) fn next(path: &Path) -> PathBuf {
    beside(path, ".new")
}

pub(super) fn former(path: &Path) -> PathBuf {
    beside(path, ".old")
}

/// The only change of the key at the moment.
pub struct Rotation<'a> {
    ring: &'a Keyring,
    _alone: RwLockWriteGuard<'a, ()>,
}

impl Keyring {
    /// Keeps everybody else from sealing. `Conflict` where the key is not ours to change, or there
    /// is none.
    pub fn rotation(&self) -> Result<Rotation<'_>> {
        if let Some(given) = key::given() {
            let (given, own) = (given.display(), self.path.display());
            return Err(Error::conflict(format!(
                "the master key comes from $CREDENTIALS_DIRECTORY ({given}) and is not codepiper's \
                 to change; copy it to {own} (mode 600), start the daemon without that credential, \
                 rotate, and give systemd the new file (systemd-creds encrypt)"
            )));
        }
        let alone = self.changing.write().unwrap_or_else(|e| e.into_inner());
        self.keys(false)?;
        Ok(Rotation { ring: self, _alone: alone })
    }

    /// A change of the key was begun and is not at its end.
    pub fn is_unfinished(&self) -> bool {
        key::given().is_none() && [next(&self.path), former(&self.path)].iter().any(|p| p.exists())
    }
}

impl Rotation<'_> {
    /// Makes the next key, unless there is one already; from now on it seals.
    pub fn begin(&self, step: Step<'_>) -> Result<()> {
        let path = &self.ring.path;
        if self.ring.is_unfinished() {
            return Ok(());
        }
        step()?;
        let made = key::make(&next(path))?;
        let before = self.ring.keys(false)?.now.clone();
        self.ring.know(Keys { now: Arc::new(made), before: Some(before) });
        Ok(())
    }

    /// The key that seals now, as far as it may be shown.
    pub fn key_id(&self) -> Result<String> {
        Ok(id::hex(&self.ring.keys(false)?.now.id()))
    }

    /// Whether a value is sealed under the key that is to stay.
    pub fn is_new(&self, blob: &[u8]) -> Result<bool> {
        Ok(seal::key_id(blob) == Some(self.ring.keys(false)?.now.id()))
    }

    /// The same value, sealed under the key that is to stay.
    pub fn reseal(&self, place: Place<'_>, blob: &[u8]) -> Result<Vec<u8>> {
        self.ring.seal(place, &self.ring.open(place, blob)?)
    }

    /// What digests of this place are made with, for when the key that it comes from is gone.
    pub fn digest_key(&self, place: Place<'_>) -> Result<Zeroizing<[u8; 32]>> {
        let keys = self.ring.keys(false)?;
        seal::mac_key(keys.before.as_ref().unwrap_or(&keys.now), place)
    }

    /// Everything is sealed under the next key: it takes its place, and the one before is
    /// overwritten and removed.
    pub fn finish(&self, step: Step<'_>) -> Result<()> {
        let path = &self.ring.path;
        let (next, former) = (next(path), former(path));
        if next.exists() && path.exists() {
            step()?;
            file::rename(path, &former)?;
        }
        if next.exists() {
            step()?;
            file::rename(&next, path)?;
        }
        let now: Arc<Key> = self.ring.keys(false)?.now.clone();
        self.ring.know(Keys { now, before: None });
        if former.exists() {
            step()?;
            file::destroy(&former).internal(|| format!("cannot destroy {}", former.display()))?;
        }
        Ok(())
    }
}
