//! The login behind a socket over the web, looked at for as long as the socket is open. Knows not
//! where logins are kept.

use crate::limits::socket::LOGIN_CHECK;
use crate::sys::poll::Waker;
use std::sync::Arc;
use std::time::Instant;

/// What a socket asks of its login.
pub trait Login: Send {
    /// Its name among logins; no secret.
    fn id(&self) -> &str;
    /// Whether this is the proof that was given out with it, in constant time.
    fn proves(&self, proof: &str) -> bool;
    /// Rings `waker` when it is taken back, from now on.
    fn watch(&self, waker: &Arc<Waker>);
    /// It has been taken back. From memory: this is asked at each turn.
    fn is_revoked(&self) -> bool;
    /// It is still good, by all that is stored.
    fn is_valid(&self) -> bool;
}

/// A login and when to look at it again.
pub struct Held {
    /// The login.
    pub login: Box<dyn Login>,
    check_at: Instant,
}

impl Held {
    /// One that is good now; `waker` rings when it is taken back.
    pub fn new(login: Box<dyn Login>, waker: &Arc<Waker>, now: Instant) -> Held {
        login.watch(waker);
        Held { login, check_at: now + LOGIN_CHECK }
    }

    /// When to ask [`Held::has_ended`] though nothing rang.
    pub fn check_at(&self) -> Instant {
        self.check_at
    }

    /// Whether it is good no more.
    pub fn has_ended(&mut self, now: Instant) -> bool {
        let due = now >= self.check_at;
        if due {
            self.check_at = now + LOGIN_CHECK;
        }
        self.login.is_revoked() || (due && !self.login.is_valid())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;

    /// A login whose proof is `right`.
    #[derive(Default)]
    pub struct Known {
        revoked: Arc<AtomicBool>,
        expired: Arc<AtomicBool>,
    }

    impl Login for Known {
        fn id(&self) -> &str {
            "known"
        }
        fn proves(&self, proof: &str) -> bool {
            proof == "right"
        }
        fn watch(&self, waker: &Arc<Waker>) {
            waker.wake();
        }
        fn is_revoked(&self) -> bool {
            self.revoked.load(Ordering::SeqCst)
        }
        fn is_valid(&self) -> bool {
            !self.expired.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn a_login_taken_back_is_seen_at_once_and_one_that_is_over_at_the_next_check() {
        let (known, now) = (Known::default(), Instant::now());
        let (revoked, expired) = (known.revoked.clone(), known.expired.clone());
        let waker = Arc::new(Waker::new().unwrap());
        let mut held = Held::new(Box::new(known), &waker, now);
        assert!(!held.has_ended(now) && !held.has_ended(now + LOGIN_CHECK));
        expired.store(true, Ordering::SeqCst);
        assert!(!held.has_ended(now + LOGIN_CHECK), "nothing is read at each turn");
        assert!(held.has_ended(held.check_at()));
        let later = held.check_at();
        assert!(!held.has_ended(later - LOGIN_CHECK / 2));
        revoked.store(true, Ordering::SeqCst);
        assert!(held.has_ended(now));
    }
}
