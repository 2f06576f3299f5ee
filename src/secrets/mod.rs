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
//! 1. What is sealed for one table, row, purpose and version MUST NOT open in another's place, nor
//!    after a change of any bit.
//! 2. A key MUST NOT be made where one is missed: what it sealed would be lost without a word.
//! 3. Keys and what is opened MUST be overwritten when they are let go.

mod key;
mod seal;

use crate::base::error::{Error, Result};
use crate::secrets::key::Key;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use zeroize::Zeroizing;

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

/// The master key behind its file, read when it is first needed.
pub struct Keyring {
    path: PathBuf,
    key: Mutex<Option<Arc<Key>>>,
}

impl Keyring {
    /// The key in this file, or, of a service that is given one, in
    /// `$CREDENTIALS_DIRECTORY/codepiper-master-key`.
    pub fn new(path: PathBuf) -> Keyring {
        Keyring { path, key: Mutex::default() }
    }

    /// Seals a value for its place; the first use makes the key.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>> {
        seal::seal(&*self.key(true)?, place, plain)
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: Place<'_>, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        seal::open(&*self.key(false)?, place, blob)
    }

    /// A keyed digest of a message in its place: of no use to whoever has the database alone. It
    /// makes no key: where one is missed, what it is compared with is lost too.
    pub fn mac(&self, place: Place<'_>, message: &[u8]) -> Result<[u8; 32]> {
        seal::mac(&*self.key(false)?, place, message)
    }

    fn key(&self, make: bool) -> Result<Arc<Key>> {
        // Held over the read of one small file, so that two first uses do not make two keys.
        let mut known = self.key.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(key) = &*known {
            return Ok(key.clone());
        }
        let found = match key::load(&self.path)? {
            Some(key) => key,
            None if make => key::make(&self.path)?,
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

#[cfg(test)]
mod tests;
