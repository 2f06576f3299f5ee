//! Mounts, as a cage needs them. Knows nothing of what is hidden or shown, or why.
//!
//! 1. Nothing here MUST follow a symbolic link in the last part of a path: it could lead a mask
//!    away from what it is to cover.

use crate::base::error::{Context, Error, Result};
use nix::errno::Errno;
use nix::libc;
use std::ffi::CStr;
use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::invalid(format!("{} holds a NUL", path.display())))
}

/// Opens a path to be mounted elsewhere; also a socket, which cannot be opened otherwise.
pub fn open(path: &Path) -> Result<OwnedFd> {
    let shown = path.display();
    let name = c_path(path)?;
    let flags = libc::O_PATH | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    // SAFETY: the string outlives the call.
    let fd = Errno::result(unsafe { libc::open(name.as_ptr(), flags) });
    let fd = fd.internal(|| format!("cannot open {shown}"))?;
    // SAFETY: just made by the kernel, and nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    match kind(&fd)? {
        libc::S_IFLNK => Err(Error::invalid(format!("{shown} is a link"))),
        _ => Ok(fd),
    }
}

/// Whether what is open is a directory.
pub fn is_dir(fd: &impl AsFd) -> Result<bool> {
    Ok(kind(fd)? == libc::S_IFDIR)
}

fn kind(fd: &impl AsFd) -> Result<libc::mode_t> {
    let stat = nix::sys::stat::fstat(fd).internal(|| "cannot look at an open file".into())?;
    Ok(stat.st_mode & libc::S_IFMT)
}

fn mount(from: &CStr, on: &Path, kind: &CStr, flags: libc::c_ulong, data: &CStr) -> Result<()> {
    let target = c_path(on)?;
    // SAFETY: all strings outlive the call.
    let result = unsafe {
        let data = data.as_ptr().cast();
        libc::mount(from.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data)
    };
    let shown = on.display();
    Errno::result(result).map(drop).internal(|| match kind.to_str() {
        Ok("") | Err(_) => format!("cannot mount on {shown}"),
        Ok(kind) => format!("cannot mount {kind} on {shown}"),
    })
}

/// Nothing that is mounted from here on shows outside, nor the other way.
pub fn make_private() -> Result<()> {
    mount(c"", Path::new("/"), c"", libc::MS_REC | libc::MS_PRIVATE, c"")
}

/// A new, empty directory over this one.
pub fn tmpfs(on: &Path, mode: u32) -> Result<()> {
    let data = CString::new(format!("mode={mode:o},size=50%")).unwrap_or_default();
    mount(c"tmpfs", on, c"tmpfs", libc::MS_NOSUID | libc::MS_NODEV, &data)
}

/// The processes of this PID namespace.
pub fn proc(on: &Path) -> Result<()> {
    mount(c"proc", on, c"proc", libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC, c"")
}

/// Terminals of this mount namespace's own.
pub fn devpts(on: &Path) -> Result<()> {
    let data = c"newinstance,ptmxmode=0666,mode=0600";
    mount(c"devpts", on, c"devpts", libc::MS_NOSUID | libc::MS_NOEXEC, data)
}

/// Shows what is open at `on`, with everything that is mounted below it.
pub fn bind(from: &impl AsFd, on: &Path) -> Result<()> {
    attach(
        &clone(from, true).internal(|| format!("cannot copy the mount for {}", on.display()))?,
        on,
    )
}

/// A copy of the mount that is open here, without those below it, mounted nowhere.
pub fn copy(from: &impl AsFd) -> Result<OwnedFd> {
    clone(from, false)
}

fn clone(from: &impl AsFd, deep: bool) -> Result<OwnedFd> {
    const FROM_EMPTY: libc::c_uint = libc::AT_EMPTY_PATH as libc::c_uint;
    let deep = if deep { libc::AT_RECURSIVE as libc::c_uint } else { 0 };
    let flags = FROM_EMPTY | libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | deep;
    let fd = from.as_fd().as_raw_fd();
    // SAFETY: an empty path with AT_EMPTY_PATH means the descriptor, which outlives the call.
    let tree = unsafe { libc::syscall(libc::SYS_open_tree, fd, c"".as_ptr(), flags) };
    let tree = Errno::result(tree).internal(|| "cannot copy a mount".into())?;
    // SAFETY: just made by the kernel, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(tree as i32) })
}

/// Mounts a copy.
pub fn attach(tree: &OwnedFd, on: &Path) -> Result<()> {
    move_to(tree, libc::AT_FDCWD, on)
}

/// Mounts a copy at a path below another one that is mounted.
pub fn attach_below(tree: &OwnedFd, top: &OwnedFd, path: &Path) -> Result<()> {
    move_to(tree, top.as_raw_fd(), path)
}

fn move_to(tree: &OwnedFd, below: i32, on: &Path) -> Result<()> {
    let target = c_path(on)?;
    // SAFETY: the strings and the descriptors outlive the call.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            below,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(moved).map(drop).internal(|| format!("cannot mount on {}", on.display()))
}

/// Makes what is mounted over the root directory the root directory, and lets the old one go.
pub fn change_root(tree: &OwnedFd) -> Result<()> {
    let cannot = || "cannot change the root directory".to_string();
    nix::unistd::fchdir(tree).internal(cannot)?;
    nix::unistd::pivot_root(".", ".").internal(cannot)?;
    nix::mount::umount2(".", nix::mount::MntFlags::MNT_DETACH).internal(cannot)?;
    nix::unistd::chdir("/").internal(cannot)
}

/// The number of the mount that is open here, as lists of mounts have it.
pub fn number(fd: &impl AsFd) -> Option<u64> {
    let path = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let info = std::fs::read_to_string(path).ok()?;
    info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

/// `struct mount_attr` of Linux 5.12.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Makes the mount at a path read-only or not, with those below it where `deep`.
pub fn set_read_only(path: &Path, on: bool, deep: bool) -> Result<()> {
    let bit = libc::MOUNT_ATTR_RDONLY;
    let (set, clear, word) = if on { (bit, 0, "read-only") } else { (0, bit, "writable") };
    set_attributes(path, &Attributes { set, clear, ..Attributes::default() }, deep)
        .internal(|| format!("cannot make {} {word}", path.display()))
}

/// Shows the files of a copy with the owners that `users`, a user namespace, has for theirs, and
/// without devices. Whether its file system and its place here allow that.
pub fn shift_owners(tree: &OwnedFd, users: &impl AsFd) -> Result<bool> {
    let attributes = Attributes {
        set: libc::MOUNT_ATTR_IDMAP | libc::MOUNT_ATTR_NODEV,
        userns: users.as_fd().as_raw_fd() as u64,
        ..Attributes::default()
    };
    match change(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH, &attributes) {
        Ok(()) => Ok(true),
        Err(Errno::EINVAL | Errno::EPERM) => Ok(false),
        Err(errno) => Err(errno).internal(|| "cannot shift the owners of files".into()),
    }
}

fn set_attributes(path: &Path, attributes: &Attributes, deep: bool) -> Result<()> {
    let flags = if deep { libc::AT_RECURSIVE } else { 0 } | libc::AT_SYMLINK_NOFOLLOW;
    change(libc::AT_FDCWD, &c_path(path)?, flags, attributes)
        .internal(|| "the mount does not change".into())
}

fn change(dir: i32, path: &CStr, flags: i32, attributes: &Attributes) -> nix::Result<()> {
    // SAFETY: the string and the structure outlive the call; its size is told.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir,
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            std::mem::size_of::<Attributes>(),
        )
    };
    Errno::result(result).map(drop)
}

/// The device that a path is on: another mount of a new file system has another one.
pub fn device(path: &Path) -> Result<u64> {
    let stat = nix::sys::stat::stat(path);
    Ok(stat.internal(|| format!("cannot look at {}", path.display()))?.st_dev)
}
