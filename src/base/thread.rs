//! Threads with names, whose panics are caught at the root and told to the log.

use crate::base::error::{Context, Result};
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::thread::JoinHandle;

/// Stack of a thread. Nothing here recurses deeply, and an untouched page costs nothing.
const STACK: usize = 512 * 1024;

/// Starts a thread called `name` (at most 15 bytes are shown by the kernel). A panic ends this one
/// thread and is logged; the handle then yields `None`.
pub fn spawn<T: Send + 'static>(
    name: impl Into<String>,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<Option<T>>> {
    let name = name.into();
    let builder = std::thread::Builder::new().name(name.clone()).stack_size(STACK);
    builder
        .spawn(move || match catch_unwind(AssertUnwindSafe(run)) {
            Ok(value) => Some(value),
            Err(panic) => {
                log::error!("thread ended by a panic: {}", panic_text(&*panic));
                None
            }
        })
        .internal(|| format!("cannot start the thread {name}"))
}

/// The words of a panic, where it has any.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "?".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_only_its_thread() {
        let handle = spawn("t-panic", || panic!("{}", "on purpose")).unwrap();
        assert_eq!(handle.join().unwrap(), None::<()>);
        assert_eq!(spawn("t-fine", || 7).unwrap().join().unwrap(), Some(7));
    }
}
