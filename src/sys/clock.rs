//! The kernel's clock that nobody can set back. Knows nothing of dates.

use nix::time::ClockId;

/// Milliseconds since the machine's boot, sleep included: the same to every process until the next
/// boot.
pub fn boot_ms() -> i64 {
    let now = nix::time::clock_gettime(ClockId::CLOCK_BOOTTIME);
    // Every kernel that we run on has it; without it all deadlines have passed.
    now.map_or(i64::MAX, |at| at.tv_sec() * 1000 + at.tv_nsec() / 1_000_000)
}
