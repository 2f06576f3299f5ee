//! The kernel's clock that nobody can set back, and the time of day where this machine stands.

use nix::time::ClockId;

/// Milliseconds since the machine's boot, sleep included: the same to every process until the next
/// boot.
pub fn boot_ms() -> i64 {
    let now = nix::time::clock_gettime(ClockId::CLOCK_BOOTTIME);
    // Every kernel that we run on has it; without it all deadlines have passed.
    now.map_or(i64::MAX, |at| at.tv_sec() * 1000 + at.tv_nsec() / 1_000_000)
}

/// Minutes since midnight by the wall clock in the machine's own zone (`TZ`, else /etc/localtime).
pub fn minute_of_day() -> u32 {
    // SAFETY: time(2) with a null pointer only returns the time.
    let now = unsafe { nix::libc::time(std::ptr::null_mut()) };
    // SAFETY: a tm of zeros is a valid one, and is only written to.
    let mut parts: nix::libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both point to values of ours that outlive the call.
    let filled = unsafe { !nix::libc::localtime_r(&now, &mut parts).is_null() };
    let (hour, minute) = if filled { (parts.tm_hour, parts.tm_min) } else { (0, 0) };
    (hour * 60 + minute).clamp(0, 24 * 60 - 1) as u32
}
