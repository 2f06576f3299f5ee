//! The pinned copies of this program: a session's hooks run the build that the session was started
//! with, whatever is installed later.

use crate::base::error::{Context, Error, Result};
use crate::service::Service;
use crate::store::sessions;
use crate::sys::file;
use std::path::Path;

/// Makes sure that the copy of this very executable stands at `path`, mode 0500. A copy that is
/// there has this build's name and was written as a whole.
pub fn pin(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let program =
        std::fs::read("/proc/self/exe").internal(|| "cannot read my own program".into())?;
    file::replace(path, &program, 0o500, true)
}

impl Service {
    /// Removes copies that no session names any more; the running build's stays.
    pub fn prune_pinned(&self) -> Result<()> {
        let rows = self.store().read(sessions::list)?;
        let dir = self.paths.hook_dir();
        let cannot =
            |e| Error { source: Some(Box::new(e)), ..Error::internal("cannot list hooks") };
        for entry in std::fs::read_dir(&dir).map_err(cannot)? {
            let name = entry.map_err(cannot)?.file_name();
            let Some(build) = name.to_str().and_then(|n| n.strip_prefix("codepiper-")) else {
                continue;
            };
            let named = rows.iter().any(|row| row.hook_build.as_deref() == Some(build));
            if !named && build != crate::BUILD {
                let _ = std::fs::remove_file(dir.join(&name));
            }
        }
        Ok(())
    }
}
