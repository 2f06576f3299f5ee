//! Private files and directories: owned by us, closed to others, never reached through a link.
//!
//! 1. A directory or file of ours that is looser than asked, owned by somebody else or a link MUST
//!    be refused, with the way out in the message.
//! 2. A file MUST be replaced as a whole or not at all (write, fsync, rename).

use crate::base::error::{Code, Context, Error, Result};
use crate::base::time;
use crate::limits;
use nix::fcntl::Flock;
use nix::fcntl::FlockArg;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::sys::stat::SFlag;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Makes `path` a directory that only we can enter, or checks that it is one already. Its parent
/// must exist.
pub fn private_dir(path: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => check_private(path, true),
        Err(e) => Err(e).code(Code::Invalid, || format!("cannot create {}", path.display())),
    }
}

/// Refuses `path` unless it is ours, closed to group and others, and no link.
pub fn check_private(path: &Path, directory: bool) -> Result<()> {
    let shown = path.display();
    let meta =
        fs::symlink_metadata(path).code(Code::NotFound, || format!("cannot look at {shown}"))?;
    let refuse = |what: String| Err(Error::new(Code::Denied, what));
    if meta.file_type().is_symlink() {
        return refuse(format!("{shown} is a link; replace it by what it points to"));
    }
    if directory != meta.is_dir() {
        let kind = if directory { "a directory" } else { "a file" };
        return refuse(format!("{shown} is not {kind}; move it away"));
    }
    let me = nix::unistd::geteuid().as_raw();
    if meta.uid() != me {
        let owner = meta.uid();
        return refuse(format!("{shown} belongs to uid {owner}, not to you (uid {me})"));
    }
    if meta.mode() & 0o077 != 0 {
        let (mode, want) = (meta.mode() & 0o7777, if directory { 700 } else { 600 });
        return refuse(format!(
            "{shown} has mode {mode:04o}, others could reach it; run: chmod {want} {shown}"
        ));
    }
    Ok(())
}

/// Whether we may make, move and remove entries of a directory.
pub fn is_writable(dir: &Path) -> bool {
    nix::unistd::access(dir, nix::unistd::AccessFlags::W_OK).is_ok()
}

/// Whether a path lies where nobody can write, whatever its mode.
pub fn is_read_only(path: &Path) -> bool {
    let flags = nix::sys::statvfs::statvfs(path).map(|found| found.flags());
    flags.is_ok_and(|flags| flags.contains(nix::sys::statvfs::FsFlags::ST_RDONLY))
}

/// What tells one state of a file from every later one: a write, a replacement and a change of
/// rights each alter it. A forger who may set the clock can undo that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified_ns: i128,
    changed_ns: i128,
}

/// The stamp of what `path` leads to.
pub fn stamp(path: &Path) -> Result<Stamp> {
    let meta =
        fs::metadata(path).code(Code::NotFound, || format!("cannot look at {}", path.display()))?;
    Ok(Stamp::of(&meta))
}

impl Stamp {
    fn of(meta: &fs::Metadata) -> Stamp {
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified_ns: ns(meta.mtime(), meta.mtime_nsec()),
            changed_ns: ns(meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Opens the regular file that `names` lead to below the directory `dir`, following no link on the
/// way; `None` where there is none. The error names the file.
pub fn open_beneath(dir: &Path, names: &[&str]) -> Result<Option<(File, Stamp)>> {
    let shown = || names.join("/");
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let Ok(mut at) = File::open(dir) else { return Ok(None) };
    for (i, name) in names.iter().enumerate() {
        let kind = if i + 1 < names.len() { OFlag::O_DIRECTORY } else { OFlag::empty() };
        match nix::fcntl::openat(&at, *name, flags | kind, Mode::empty()) {
            Ok(fd) => at = File::from(fd),
            Err(nix::Error::ENOENT) => return Ok(None),
            Err(e) => {
                let what = match e {
                    nix::Error::ELOOP | nix::Error::ENOTDIR => "a link or no directory".to_string(),
                    e => e.desc().to_string(),
                };
                return Err(Error::invalid(format!("cannot read {}: {what}", shown())));
            }
        }
    }
    let meta = at.metadata().code(Code::Invalid, || format!("cannot look at {}", shown()))?;
    if !meta.is_file() {
        return Err(Error::invalid(format!("{} is not a file", shown())));
    }
    Ok(Some((at, Stamp::of(&meta))))
}

/// Whether what is written to `fd` goes nowhere. The runtime puts the null device in the place of a
/// standard stream that was closed before the program started.
pub fn is_null_device(fd: &impl AsFd) -> bool {
    const NULL: u64 = nix::sys::stat::makedev(1, 3);
    nix::sys::stat::fstat(fd).is_ok_and(|stat| {
        SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR
            && stat.st_rdev == NULL
    })
}

/// Opens a private file for appending, creating it with mode 0600.
pub fn open_append(path: &Path) -> Result<File> {
    let open = || {
        let mut options = File::options();
        options.append(true).create(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
        options.open(path)
    };
    let file = open().internal(|| format!("cannot open {}", path.display()))?;
    check_private(path, false)?;
    Ok(file)
}

/// Writes `bytes` to `path` as a whole: a reader sees the old file or the new one. With `sync` it
/// also survives a power cut.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, sync: bool) -> Result<()> {
    let shown = path.display().to_string();
    let mut temporary = path.as_os_str().to_os_string();
    temporary.push(format!(".{}.new", std::process::id()));
    let write = || {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(mode);
        let mut file = options.custom_flags(nix::libc::O_NOFOLLOW).open(&temporary)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)?;
        match path.parent().filter(|_| sync) {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    };
    let result = write();
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result.internal(|| format!("cannot write {shown}"))
}

/// Writes a new private file; `Conflict` where there is one already. It is there whole or not at
/// all, also after a power cut.
pub fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    let shown = path.display();
    let mut temporary = path.as_os_str().to_os_string();
    temporary.push(format!(".{}.new", std::process::id()));
    let _ = fs::remove_file(&temporary);
    let write = || {
        let mut options = File::options();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // A second name for it, unlike a rename, does not take the place of what is there.
        fs::hard_link(&temporary, path)?;
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    let result = write();
    let _ = fs::remove_file(&temporary);
    match result {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::conflict(format!("{shown} is there already")))
        }
        done => done.internal(|| format!("cannot write {shown}")),
    }
}

/// Gives a file another name in its directory, also after a power cut; what had it before goes.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let shown = from.display();
    let moved = fs::rename(from, to).and_then(|()| sync_parent(to));
    moved.internal(|| format!("cannot rename {shown}"))
}

/// Overwrites a file where it stands, and removes it. What a copying file system or a disk's own
/// wear levelling has put elsewhere is out of reach.
pub fn destroy(path: &Path) -> Result<()> {
    let overwrite = || {
        let mut options = File::options();
        let mut file = options.write(true).custom_flags(nix::libc::O_NOFOLLOW).open(path)?;
        let length = file.metadata()?.len();
        std::io::copy(&mut std::io::repeat(0).take(length), &mut file)?;
        file.sync_all()?;
        fs::remove_file(path)?;
        sync_parent(path)
    };
    overwrite().internal(|| format!("cannot overwrite {}", path.display()))
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// A lock that the kernel lets go of when the process ends, however it ends.
pub struct Lock {
    _held: Flock<File>,
}

/// Takes the exclusive lock on `path`, or `Conflict` when another process keeps it for longer than
/// [`limits::gate::LOCK_WAIT`].
pub fn lock(path: &Path) -> Result<Lock> {
    let deadline = time::now() + limits::gate::LOCK_WAIT;
    let mut file = open_append(path)?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => return Ok(Lock { _held: held }),
            Err((back, nix::errno::Errno::EWOULDBLOCK)) if time::now() < deadline => {
                file = back;
                std::thread::sleep(limits::gate::LOCK_RETRY);
            }
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                let shown = path.display();
                return Err(Error::conflict(format!("{shown} is locked by another process")));
            }
            Err((_, e)) => return Err(e).internal(|| format!("cannot lock {}", path.display())),
        }
    }
}

/// Takes a lock on what is open that others may have too, until it is closed. Whether it could.
pub fn share(file: &File) -> bool {
    flock(file, nix::libc::LOCK_SH)
}

/// Whether nobody else has such a lock.
pub fn is_shared_with_nobody(file: &File) -> bool {
    flock(file, nix::libc::LOCK_EX | nix::libc::LOCK_NB)
}

fn flock(file: &File, how: i32) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: flock takes plain numbers; the descriptor outlives the call.
    unsafe { nix::libc::flock(file.as_raw_fd(), how) == 0 }
}

/// Points the three standard streams at /dev/null: nothing of the caller's is held open.
pub fn null_stdio() -> Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.internal(|| "cannot open /dev/null".into())?;
    let stdio = nix::unistd::dup2_stdin(&null)
        .and_then(|()| nix::unistd::dup2_stdout(&null))
        .and_then(|()| nix::unistd::dup2_stderr(&null));
    stdio.internal(|| "cannot close standard streams".into())
}

/// Device and inode, the identity of a file behind its names.
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_device_is_told_from_what_keeps_or_carries_bytes() {
        let open = |path: &str| File::options().write(true).open(path).unwrap();
        assert!(is_null_device(&open("/dev/null")));
        assert!(!is_null_device(&open("/dev/full")));
        let (_reader, writer) = std::io::pipe().unwrap();
        assert!(!is_null_device(&writer));
    }
    use std::os::unix::fs::PermissionsExt;

    fn space(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("cp-file-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn looser_modes_links_and_files_in_place_of_a_directory_are_refused() {
        let root = space("private");
        private_dir(&root.join("fine")).unwrap();
        private_dir(&root.join("fine")).unwrap();
        fs::set_permissions(root.join("fine"), fs::Permissions::from_mode(0o750)).unwrap();
        let error = private_dir(&root.join("fine")).unwrap_err();
        assert!(error.message.contains("chmod 700"), "{error}");
        std::os::unix::fs::symlink("/tmp", root.join("link")).unwrap();
        assert!(private_dir(&root.join("link")).unwrap_err().message.contains("is a link"));
        fs::write(root.join("plain"), "").unwrap();
        assert!(private_dir(&root.join("plain")).unwrap_err().message.contains("not a directory"));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_lock_has_one_holder() {
        let root = space("lock");
        let held = lock(&root.join("lock")).unwrap();
        assert_eq!(lock(&root.join("lock")).err().unwrap().code, Code::Conflict);
        drop(held);
        lock(&root.join("lock")).unwrap();
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_is_destroyed_is_zeros_wherever_else_it_has_a_name() {
        let root = space("destroy");
        fs::write(root.join("a"), "secret").unwrap();
        fs::hard_link(root.join("a"), root.join("witness")).unwrap();
        rename(&root.join("a"), &root.join("b")).unwrap();
        destroy(&root.join("b")).unwrap();
        assert!(!root.join("a").exists() && !root.join("b").exists());
        assert_eq!(fs::read(root.join("witness")).unwrap(), [0; 6]);
        assert!(destroy(&root.join("b")).is_err());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn replace_leaves_no_traces_when_it_fails() {
        let root = space("replace");
        replace(&root.join("a"), b"one", 0o600, true).unwrap();
        fs::create_dir(root.join("b")).unwrap();
        assert!(replace(&root.join("b"), b"two", 0o600, false).is_err());
        assert_eq!(fs::read_dir(&root).unwrap().count(), 2);
        fs::remove_dir_all(root).unwrap();
    }
}
