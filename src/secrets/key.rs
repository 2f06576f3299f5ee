//! The master key: 32 bytes in a file that is ours alone.
//!
//! 1. A key file that others can read, that is a link or not ours, or that has another length MUST
//!    be refused.
//! 2. A key file that is there MUST NOT be replaced.
//! 3. A key MUST be in locked memory only, from the file on.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::id;
use crate::sys::file;
use crate::sys::memory::Locked;
use sha2::Digest;
use sha2::Sha256;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

/// Bytes of the key.
const BYTES: usize = 32;
/// Its name among the credentials that systemd gives a service.
const CREDENTIAL: &str = "codepiper-master-key";

/// A master key.
pub struct Key(Locked);

impl Key {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What tells it from other keys, and nothing more.
    pub fn id(&self) -> [u8; 8] {
        let digest = Sha256::new().chain_update(b"codepiper key id").chain_update(&self.0[..]);
        let digest: [u8; 32] = digest.finalize().into();
        std::array::from_fn(|at| digest[at])
    }

    /// A key of these bytes.
    #[cfg(test)]
    pub fn of(bytes: [u8; BYTES]) -> Key {
        Key(Locked::of(&bytes).unwrap())
    }
}

/// The key that systemd gives the service, where it does.
pub fn given() -> Option<PathBuf> {
    let dir = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    dir.map(|dir| dir.join(CREDENTIAL)).filter(|path| path.exists())
}

/// The key that systemd gives. Owner and mode of a credential are systemd's; the directory is for
/// this service alone.
pub fn load_given(path: &Path) -> Result<Key> {
    read(path)
}

/// The key in a file of ours, where there is one.
pub fn load(path: &Path) -> Result<Option<Key>> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(None);
    }
    file::check_private(path, false)?;
    read(path).map(Some)
}

fn read(path: &Path) -> Result<Key> {
    let cannot = || format!("cannot read the key {}", path.display());
    let mut key = Locked::new(BYTES + 1)?;
    let mut file = File::open(path).code(Code::Denied, cannot)?;
    let mut length = 0;
    while length <= BYTES {
        match file.read(&mut key[length..]).code(Code::Denied, cannot)? {
            0 => break,
            count => length += count,
        }
    }
    if length != BYTES {
        let shown = path.display();
        return Err(Error::denied(format!(
            "{shown} is no key of {BYTES} bytes; bring it back from a backup"
        )));
    }
    Ok(Key(Locked::of(&key[..BYTES])?))
}

/// Makes the key and its file.
pub fn make(path: &Path) -> Result<Key> {
    let mut bytes = Locked::new(BYTES)?;
    id::fill(&mut bytes)?;
    let key = Key(bytes);
    file::create(path, key.bytes())?;
    log::info!("made the key {}; without it no secret in the database opens", path.display());
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn path(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("cp-key-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        dir.join("master.key")
    }

    #[test]
    fn a_key_is_made_once_private_and_whole() {
        let path = path("made");
        assert!(load(&path).unwrap().is_none());
        let made = make(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = load(&path).unwrap().unwrap();
        assert_eq!((again.bytes(), again.id()), (made.bytes(), made.id()));
        assert_eq!(make(&path).err().unwrap().code, Code::Conflict);
        assert_eq!(load(&path).unwrap().unwrap().bytes(), made.bytes(), "it is the same still");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() {
        let path = path("refused");
        let check = |part: &str| {
            let error = load(&path).err().unwrap();
            assert_eq!(error.code, Code::Denied, "{error}");
            assert!(error.message.contains(part), "{error}");
        };
        for length in [0, 31, 33, 4096] {
            std::fs::write(&path, vec![7; length]).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            check("no key of 32 bytes");
        }
        std::fs::write(&path, [7; 32]).unwrap();
        for mode in [0o640, 0o604, 0o644, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            check("chmod 600");
        }
        let other = path.with_file_name("other");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&path, &other).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        check("is a link");
    }
}
