//! Secrets at rest: sealed under one master key, each with a key of its own made for the place
//! where it stands. Knows the key's file, and nothing of what is sealed or where it is stored.
//!
//! ```text
//! blob   = 0x01 ‖ key id, 8 bytes ‖ nonce, 12 bytes ‖ AES-256-GCM(subkey, nonce, aad, plain)
//! subkey = HKDF-SHA256(master, info = "codepiper seal 1" ‖ place)
//! mac    = HMAC-SHA256(HKDF-SHA256(master, info = "codepiper mac 1" ‖ place), message)
//! aad    = 0x01 ‖ key id ‖ place
//! place  = field(table) ‖ field(row) ‖ field(purpose) ‖ version, 8 bytes, big-endian
//! field  = length, 4 bytes, big-endian ‖ bytes
//! key id = the first 8 bytes of SHA-256("codepiper key id" ‖ master)
//! ```
//!
//! A key of digests that was kept when the master key changed stands sealed in `mac_keys`, and is
//! what the HMAC above is made with then. How the key is changed stands in [`rotation`].
//!
//! 1. What is sealed for one table, row, purpose and version MUST NOT open in another's place, nor
//!    after a change of any bit.
//! 2. A key MUST NOT be made where one is missed: what it sealed would be lost without a word.
//! 3. Keys and what is opened MUST be overwritten when they are let go, and until then be locked in
//!    memory, in no dump and in no child.

mod key;
pub mod rotation;
mod seal;

use crate::base::error::{Error, Result};
use crate::secrets::key::Key;
use crate::sys::memory::Locked;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;

/// Where a sealed value stands. Whoever stores a value anew raises the version.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The row's key in it.
    pub row: &'a str,
    /// What the value is for.
    pub purpose: &'a str,
    /// Which value in that place it is; kept in a column of its own.
    pub version: i64,
}

/// Where a kept key of digests stands.
pub fn kept_place(purpose: &str, version: i64) -> Place<'_> {
    Place { table: "mac_keys", row: purpose, purpose: "digest key", version }
}

/// The keys in force.
struct Keys {
    /// Seals, and opens what it has sealed.
    now: Arc<Key>,
    /// While the key is being changed, the one before: it opens what is not sealed anew yet, and
    /// digests are still made with it.
    before: Option<Arc<Key>>,
}

/// Purpose and version of a key of digests, and the key, sealed.
type Kept = (String, i64, Vec<u8>);

/// The master key behind its file, read when it is first needed.
pub struct Keyring {
    path: PathBuf,
    keys: Mutex<Option<Arc<Keys>>>,
    kept: Mutex<Vec<Kept>>,
    changing: RwLock<()>,
}

impl Keyring {
    /// The key in this file, or, of a service that is given one, in
    /// `$CREDENTIALS_DIRECTORY/codepiper-master-key`.
    pub fn new(path: PathBuf) -> Keyring {
        Keyring {
            path,
            keys: Mutex::default(),
            kept: Mutex::default(),
            changing: RwLock::default(),
        }
    }

    /// Keeps the master key from being changed. Whoever seals a value holds this until the value
    /// is stored, and whoever opens one from before it is read: held over I/O, since a key that is
    /// destroyed meanwhile would take the value along. Never taken twice by one thread.
    pub fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.changing.read().unwrap_or_else(|e| e.into_inner())
    }

    /// Seals a value for its place; the first use makes the key.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>> {
        seal::seal(&self.keys(true)?.now, place, plain)
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: Place<'_>, blob: &[u8]) -> Result<Locked> {
        let keys = self.keys(false)?;
        let is_from = |key: &&Arc<Key>| seal::key_id(blob) == Some(key.id());
        let key = keys.before.as_ref().filter(is_from).unwrap_or(&keys.now);
        seal::open(key, place, blob)
    }

    /// A keyed digest of a message in its place: of no use to whoever has the database alone. It
    /// makes no key: where one is missed, what it is compared with is lost too.
    pub fn mac(&self, place: Place<'_>, message: &[u8]) -> Result<[u8; 32]> {
        let is_it = |kept: &&Kept| kept.0 == place.purpose && kept.1 == place.version;
        let kept = held(&self.kept).iter().find(is_it).cloned();
        if let Some((purpose, version, sealed)) = kept {
            let key = self.open(kept_place(&purpose, version), &sealed)?;
            return seal::mac(&key, message);
        }
        let keys = self.keys(false)?;
        let key = seal::mac_key(keys.before.as_ref().unwrap_or(&keys.now), place)?;
        seal::mac(&key[..], message)
    }

    /// Takes over the keys of digests that are kept.
    pub fn keep(&self, kept: Vec<(String, i64, Vec<u8>)>) {
        *held(&self.kept) = kept;
    }

    /// Where the key is: the file, and whether systemd gives it.
    pub fn source(&self) -> (PathBuf, bool) {
        match key::given() {
            Some(given) => (given, true),
            None => (self.path.clone(), false),
        }
    }

    /// Reads the key as the next daemon would; false where there is none. `Conflict` where it is
    /// not the one that this daemon has.
    pub fn check(&self) -> Result<bool> {
        let Some(found) = load(&self.path)? else { return Ok(false) };
        let known = held(&self.keys).clone();
        match known.is_none_or(|known| known.now.id() == found.now.id()) {
            true => Ok(true),
            false => {
                let shown = self.path.display();
                Err(Error::conflict(format!("{shown} is not the key that this daemon works with")))
            }
        }
    }

    fn know(&self, keys: Keys) {
        *held(&self.keys) = Some(Arc::new(keys));
    }

    fn keys(&self, make: bool) -> Result<Arc<Keys>> {
        // Held over the read of one small file, so that two first uses do not make two keys.
        let mut known = held(&self.keys);
        if let Some(keys) = &*known {
            return Ok(keys.clone());
        }
        let found = match load(&self.path)? {
            Some(keys) => keys,
            None if make => Keys { now: Arc::new(key::make(&self.path)?), before: None },
            None => {
                let shown = self.path.display();
                return Err(Error::not_found(format!(
                    "{shown} is missing, and with it what it sealed; bring it back from a backup"
                )));
            }
        };
        Ok(known.insert(Arc::new(found)).clone())
    }
}

/// The keys as their files say; see the table of [`rotation`].
fn load(path: &Path) -> Result<Option<Keys>> {
    if let Some(given) = key::given() {
        return Ok(Some(Keys { now: Arc::new(key::load_given(&given)?), before: None }));
    }
    let (own, next) = (key::load(path)?, key::load(&rotation::next(path))?);
    Ok(match (own, next) {
        (before, Some(next)) => Some(Keys { now: Arc::new(next), before: before.map(Arc::new) }),
        (Some(own), None) => Some(Keys { now: Arc::new(own), before: None }),
        (None, None) => None,
    })
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(|e| e.into_inner())
}

#[cfg(test)]
mod tests;
