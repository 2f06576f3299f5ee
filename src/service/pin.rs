//! The pinned copies of this program: a session's hooks run the build that the session was started
//! with, whatever is installed later.
//!
//! 1. A copy MUST be this very program byte for byte when a session starts to use it.

use crate::base::error::{Context, Error, Result};
use crate::service::Service;
use crate::store::sessions;
use crate::sys::file;
use std::path::Path;

/// This program, also after its file was replaced.
const OWN: &str = "/proc/self/exe";

impl Service {
    /// Makes sure that the copy of this very program stands in its place, mode 0500; returns its
    /// SHA-256. What stands there and is not it is replaced.
    pub fn pin(&self) -> Result<[u8; 32]> {
        let path = self.paths.hook_program(crate::BUILD);
        let own = self.digests.of(Path::new(OWN))?;
        if path.exists() && self.digests.of(&path)? == own {
            return Ok(own);
        }
        let program = std::fs::read(OWN).internal(|| "cannot read my own program".into())?;
        file::replace(&path, &program, 0o500, true)?;
        Ok(own)
    }

    /// Removes copies that no session names any more; the running build's stays.
    pub fn prune_pinned(&self) -> Result<()> {
        let rows = self.store().read(sessions::list)?;
        let dir = self.paths.hook_dir();
        // A session that is just being started may be writing it.
        let coming = format!("{}.{}.new", crate::BUILD, std::process::id());
        let cannot =
            |e| Error { source: Some(Box::new(e)), ..Error::internal("cannot list hooks") };
        for entry in std::fs::read_dir(&dir).map_err(cannot)? {
            let name = entry.map_err(cannot)?.file_name();
            let Some(build) = name.to_str().and_then(|n| n.strip_prefix("codepiper-")) else {
                continue;
            };
            let named = rows.iter().any(|row| row.hook_build.as_deref() == Some(build));
            if !named && build != crate::BUILD && build != coming {
                let _ = std::fs::remove_file(dir.join(&name));
            }
        }
        Ok(())
    }
}
