//! Who looks at which session now: pages that say so and attached terminals. Knows nothing of
//! notices.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// How many look at each session.
#[derive(Default)]
pub struct Looking(Mutex<HashMap<String, usize>>);

/// Somebody who looks, until this is dropped.
pub struct Looks {
    all: Arc<Looking>,
    session: String,
}

impl Looking {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// One more looks.
    pub fn add(self: &Arc<Looking>, session: &str) -> Looks {
        *self.lock().entry(session.to_string()).or_default() += 1;
        Looks { all: self.clone(), session: session.to_string() }
    }

    /// Whether somebody does.
    pub fn has(&self, session: &str) -> bool {
        self.lock().contains_key(session)
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(count) = all.get_mut(&self.session) {
            *count -= 1;
        }
        all.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_looked_at_until_the_last_has_gone() {
        let all = Arc::<Looking>::default();
        let (one, two) = (all.add("a"), all.add("a"));
        assert!(all.has("a") && !all.has("b"));
        drop(one);
        assert!(all.has("a"));
        drop(two);
        assert!(!all.has("a") && all.lock().is_empty());
    }
}
