//! Who has to know at once when a login ends: its open WebSockets.

use crate::base::time;
use crate::sys::poll::Waker;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

/// All who watch; as many as there are WebSockets.
#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<Vec<Arc<Watched>>>>);

struct Watched {
    id: String,
    waker: Arc<Waker>,
    ended: AtomicBool,
    expires_ms: AtomicI64,
}

/// A look-out for the end of one login; it ends when this is dropped.
pub struct Watch {
    watched: Arc<Watched>,
    all: Watchers,
}

impl Watch {
    /// Whether the login has ended, by somebody's will or by time. The waker rings for the first
    /// alone: look at least every few seconds.
    pub fn is_over(&self) -> bool {
        self.watched.ended.load(Ordering::Acquire)
            || time::unix_ms() >= self.watched.expires_ms.load(Ordering::Relaxed)
    }

    pub(super) fn until(&self, expires_ms: i64) {
        self.watched.expires_ms.store(expires_ms, Ordering::Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.all.lock().retain(|other| !Arc::ptr_eq(other, &self.watched));
    }
}

impl Watchers {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Watched>>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn add(&self, id: &str, waker: Arc<Waker>) -> Watch {
        let (ended, expires_ms) = (AtomicBool::new(false), AtomicI64::new(i64::MAX));
        let watched = Arc::new(Watched { id: id.to_string(), waker, ended, expires_ms });
        self.lock().push(watched.clone());
        Watch { watched, all: self.clone() }
    }

    /// These logins are over.
    pub(super) fn ended(&self, ids: &[String]) {
        for watched in self.lock().iter().filter(|watched| ids.contains(&watched.id)) {
            watched.ended.store(true, Ordering::Release);
            watched.waker.wake();
        }
    }
}
