//! Memory for secrets: pages that are never swapped out, stand in no dump and in no child.
//!
//! 1. What is let go MUST have been overwritten, and `Debug` MUST NOT show it.
//! 2. A limit that is used up MUST NOT stop anything: the pages are as good as others then, and
//!    [`locked`] says so.

use crate::base::error::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use std::fmt;
use std::ops::Deref;
use std::ops::DerefMut;
use std::ptr::NonNull;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use zeroize::Zeroize;
use zeroize::Zeroizing;

/// Bytes that are locked at the moment.
static LOCKED: AtomicUsize = AtomicUsize::new(0);
/// Some could not be.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Bytes on pages of their own.
pub struct Locked {
    at: NonNull<u8>,
    length: usize,
    /// Bytes of the pages that are locked; 0 where the kernel refuses.
    held: usize,
}

// SAFETY: the pages belong to this value alone, as a box's memory does.
unsafe impl Send for Locked {}
// SAFETY: shared, they are only read.
unsafe impl Sync for Locked {}

impl Locked {
    /// So many zeros. Fails only where there is no memory.
    pub fn new(length: usize) -> Result<Locked> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let room = length.max(1);
        // SAFETY: new pages wherever the kernel likes; nothing that exists is touched.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), room, protection, flags, -1, 0) };
        let failed = at == libc::MAP_FAILED;
        let at = NonNull::new(at.cast::<u8>()).filter(|_| !failed).ok_or_else(Errno::last);
        let at = at.internal(|| format!("no memory for a secret of {length} bytes"))?;
        for advice in [libc::MADV_DONTDUMP, libc::MADV_DONTFORK] {
            // SAFETY: the pages are those just made. Kernels without it leave them as they are.
            unsafe { libc::madvise(at.as_ptr().cast(), room, advice) };
        }
        // SAFETY: as above.
        let is_locked = unsafe { libc::mlock(at.as_ptr().cast(), room) } == 0;
        let held = if is_locked { room.next_multiple_of(page()) } else { 0 };
        LOCKED.fetch_add(held, Ordering::Relaxed);
        if !is_locked && !REFUSED.swap(true, Ordering::Relaxed) {
            let why = Errno::last().desc();
            log::warn!("secrets may be swapped out: {why}; raise the limit of locked memory");
        }
        Ok(Locked { at, length, held })
    }

    /// A copy of these.
    pub fn of(bytes: &[u8]) -> Result<Locked> {
        let mut locked = Locked::new(bytes.len())?;
        locked.copy_from_slice(bytes);
        Ok(locked)
    }
}

/// Moves bytes to locked memory; without any memory to move them to, leaves them where they are.
pub fn keep(bytes: Zeroizing<Vec<u8>>) -> Box<dyn AsRef<[u8]> + Send + Sync> {
    match Locked::of(&bytes) {
        Ok(locked) => Box::new(locked),
        Err(_) => Box::new(bytes),
    }
}

impl Deref for Locked {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: that many bytes were mapped and zeroed, and stay until this is dropped.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.length) }
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.length) }
    }
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl AsRef<[u8]> for Locked {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.zeroize();
        LOCKED.fetch_sub(self.held, Ordering::Relaxed);
        // SAFETY: mapped with this length, and nothing refers to it any more.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.length.max(1)) };
    }
}

/// How many bytes are locked at the moment, and whether some could not be.
pub fn locked() -> (usize, bool) {
    (LOCKED.load(Ordering::Relaxed), REFUSED.load(Ordering::Relaxed))
}

fn page() -> usize {
    // SAFETY: takes a plain number.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flags of the mapping that holds this address.
    fn flags(at: usize) -> String {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let begins = |line: &str| {
            let (from, to) = line.split(' ').next()?.split_once('-')?;
            let number = |text| usize::from_str_radix(text, 16).ok();
            Some(number(from)? <= at && at < number(to)?)
        };
        let mut lines = smaps.lines().skip_while(|line| begins(line) != Some(true));
        lines.find(|line| line.starts_with("VmFlags:")).unwrap().to_string() + " "
    }

    #[test]
    fn secrets_are_locked_in_no_dump_and_in_no_child() {
        for length in [0, 1, 32, 4096, 10_000] {
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let locked = Locked::of(&bytes).unwrap();
            assert_eq!(locked[..], bytes[..]);
            let flags = flags(locked.as_ptr() as usize);
            assert!(flags.contains(" dd ") && flags.contains(" dc "), "{flags}");
            assert!(flags.contains(" lo ") || super::locked().1, "{flags}");
        }
    }
}
