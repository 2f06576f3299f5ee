//! SHA-256 of program files, each read once: an agent's program has some 380 MB.

use crate::base::error::{Code, Context, Result};
use crate::limits;
use crate::sys::file;
use crate::sys::file::Stamp;
use sha2::Digest;
use sha2::Sha256;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;

/// Digests by the state of the file that they are of.
#[derive(Default)]
pub struct Digests {
    known: Mutex<HashMap<Stamp, [u8; 32]>>,
}

impl Digests {
    /// The digest of the file that `path` leads to, as it is now.
    pub fn of(&self, path: &Path) -> Result<[u8; 32]> {
        let stamp = file::stamp(path)?;
        let known = |digests: &Digests| {
            let known = digests.known.lock().unwrap_or_else(|e| e.into_inner());
            known.get(&stamp).copied()
        };
        if let Some(digest) = known(self) {
            return Ok(digest);
        }
        let digest = read(path)?;
        // One that is written meanwhile has another stamp next time.
        if file::stamp(path)? == stamp {
            let mut known = self.known.lock().unwrap_or_else(|e| e.into_inner());
            if known.len() >= limits::gate::DIGESTS {
                known.clear();
            }
            known.insert(stamp, digest);
        }
        Ok(digest)
    }
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<[u8; 32]> {
    let cannot = || format!("cannot read {}", path.display());
    let mut file = File::open(path).code(Code::Failed, cannot)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; limits::HASH_PIECE]);
    loop {
        match file.read(&mut buffer).code(Code::Failed, cannot)? {
            0 => return Ok(hasher.finalize().into()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id;

    #[test]
    fn a_digest_is_of_the_file_as_it_is_now() {
        let path = std::env::temp_dir().join(format!("cp-digest-{}", std::process::id()));
        let digests = Digests::default();
        std::fs::write(&path, "abc").unwrap();
        let first = digests.of(&path).unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(&id::hex(&first)[..16], "ba7816bf8f01cfea");
        assert_eq!(digests.of(&path).unwrap(), first);
        std::fs::write(&path, "abd").unwrap();
        assert_ne!(digests.of(&path).unwrap(), first);
        std::fs::remove_file(&path).unwrap();
        assert!(digests.of(&path).is_err());
    }
}
