//! The daemon's own socket files: taken over only when they are ours and dead, removed only when
//! they are still ours.
//!
//! 1. A file that somebody else made MUST NOT be replaced or removed.
//! 2. A socket that answers MUST NOT be replaced.

use crate::base::error::{Error, Result};
use crate::config::paths::Paths;
use crate::sys::file;
use crate::sys::proc;
use crate::sys::sock;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;

/// A socket file that goes when this is dropped.
pub struct SocketFile {
    path: PathBuf,
    listener: Option<UnixListener>,
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    /// The listener, once.
    pub fn listener(&self) -> Result<UnixListener> {
        let copy = self.listener.as_ref().and_then(|l| l.try_clone().ok());
        copy.ok_or_else(|| Error::internal("no descriptor is left for a listener"))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && file::identity(&self.path) == self.identity {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`. A dead socket of ours there is replaced; the caller holds the lock.
pub fn open(path: &Path) -> Result<SocketFile> {
    if let Ok(meta) = std::fs::symlink_metadata(path) {
        let shown = path.display();
        if meta.uid() != proc::uid() {
            let owner = meta.uid();
            let message = format!("cannot bind {shown}: it belongs to uid {owner}; use --socket");
            return Err(Error::denied(message));
        }
        if !meta.file_type().is_socket() {
            let message = format!("cannot bind {shown}: it is not a socket; move it away");
            return Err(Error::conflict(message));
        }
        if sock::connect(path).is_ok() {
            let message = format!("cannot bind {shown}: a daemon answers there; use --socket");
            return Err(Error::conflict(message));
        }
        let _ = std::fs::remove_file(path);
    }
    let listener = Some(sock::listen(path)?);
    Ok(SocketFile { path: path.to_path_buf(), listener, identity: file::identity(path) })
}

/// The link at the documented address; what is not ours there is left alone, with a warning.
pub fn link(paths: &Paths) -> Option<SocketFile> {
    let link = paths.tmp_link()?;
    let shown = link.display();
    let ours = |meta: &std::fs::Metadata| {
        meta.uid() == proc::uid() && (meta.file_type().is_symlink() || is_dead_socket(meta, link))
    };
    match std::fs::symlink_metadata(link) {
        Ok(meta) if ours(&meta) => {
            let _ = std::fs::remove_file(link);
        }
        Ok(meta) => {
            log::warn!("{shown} belongs to uid {}; clients use --socket or the home", meta.uid());
            return None;
        }
        Err(_) => {}
    }
    if let Err(error) = std::os::unix::fs::symlink(paths.control(), link) {
        log::warn!("cannot link {shown}: {error}");
        return None;
    }
    let identity = file::identity(link);
    Some(SocketFile { path: link.to_path_buf(), listener: None, identity })
}

fn is_dead_socket(meta: &std::fs::Metadata, path: &Path) -> bool {
    meta.file_type().is_socket() && sock::connect(path).is_err()
}
