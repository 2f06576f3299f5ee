//! Counts what a peer says, by kind, in windows of time. Pure: it is told what time it is.

use crate::limits::socket::CONTROLS;
use crate::limits::socket::INPUTS;
use crate::limits::socket::KEYS;
use crate::limits::socket::PASTES;
use crate::limits::socket::PINGS;
use crate::limits::socket::WINDOW;
use std::time::Instant;

/// Kinds of messages; each has its own count, so that typing is never held against subscribing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Subscriptions, and whatever is not understood.
    Control,
    /// Typed text.
    Input,
    /// Keys by name, and sizes.
    Key,
    /// Pieces of pastes.
    Paste,
    /// Pings and pongs.
    Ping,
}

/// How many of each may come in one window, in the order of [`Class`].
const MOST: [u32; 5] = [CONTROLS, INPUTS, KEYS, PASTES, PINGS];

/// The counts of the current window.
pub struct Rates {
    since: Instant,
    counts: [u32; MOST.len()],
}

impl Rates {
    /// Nothing has been said yet.
    pub fn new(now: Instant) -> Rates {
        Rates { since: now, counts: Default::default() }
    }

    /// Counts one message; false where it is one too many.
    pub fn count(&mut self, class: Class, now: Instant) -> bool {
        if now.duration_since(self.since) >= WINDOW {
            *self = Rates::new(now);
        }
        let count = &mut self.counts[class as usize];
        *count = count.saturating_add(1);
        *count <= MOST[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_kind_has_its_own_limit_and_a_new_window_begins_at_nothing() {
        let now = Instant::now();
        let mut rates = Rates::new(now);
        let classes = [Class::Control, Class::Input, Class::Key, Class::Paste, Class::Ping];
        for (class, most) in classes.into_iter().zip(MOST) {
            assert!((0..most).all(|_| rates.count(class, now)), "{class:?}");
            assert!(!rates.count(class, now), "{class:?}");
        }
        let almost = now + WINDOW - Duration::from_millis(1);
        assert!(!rates.count(Class::Control, almost));
        assert!(rates.count(Class::Control, now + WINDOW));
    }
}
