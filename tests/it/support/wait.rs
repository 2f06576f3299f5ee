//! Waiting for something to happen, with a name for it when it does not.

use std::time::Duration;
use std::time::Instant;

/// Between two looks. Short against everything a test waits for, long enough not to load the
/// machine that the waited-for thing runs on.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until there is a value, and fails with `what` when there is none in time.
#[track_caller]
pub fn wait_for<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(Instant::now() < end, "waited {deadline:?} in vain for: {what}");
        std::thread::sleep(LOOK);
    }
}

/// [`wait_for`] without a value.
#[track_caller]
pub fn wait_until(what: &str, deadline: Duration, mut look: impl FnMut() -> bool) {
    wait_for(what, deadline, || look().then_some(()));
}

/// Generous for a loaded machine: an event that takes longer is a failure.
pub const SOON: Duration = Duration::from_secs(20);

/// The last picture a test has looked at; printed when the test fails over it.
#[derive(Default)]
pub struct Shown(pub String);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the last screen\n{}", self.0);
        }
    }
}
