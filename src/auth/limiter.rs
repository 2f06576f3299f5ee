//! How often a password or code may be tried: freely at first, then after waits that double. Counts
//! come in and go out; whoever keeps them keeps them across restarts.
//!
//! 1. An attempt MUST be counted before it is judged: parallel ones count each other.
//! 2. Nothing here MUST ever shut the person out for good: each wait has an end, and the longest
//!    wait of what everybody shares is short.

use crate::limits::login;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One address from elsewhere; of IPv6 one network of 64 bits, which is what a client has.
    Address,
    /// One browser that the person has logged in with before.
    Device,
    /// Loopback: everybody behind a tunnel or proxy, and programs on this machine.
    Loopback,
    /// All addresses.
    All,
}

impl Scope {
    fn free(self) -> u32 {
        match self {
            Scope::Address | Scope::Device | Scope::Loopback => login::FREE_TRIES,
            Scope::All => login::FREE_TRIES_ALL,
        }
    }

    fn most(self) -> Duration {
        match self {
            Scope::Address | Scope::Device => login::WAIT_MOST,
            Scope::Loopback | Scope::All => login::WAIT_MOST_ALL,
        }
    }
}

/// The scope of an address and the name that it is counted under.
pub fn scope(address: &str) -> (Scope, String) {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) if ip.is_loopback() => (Scope::Loopback, "loopback".to_string()),
        Ok(IpAddr::V6(ip)) => {
            let network = u128::from(ip) >> 64 << 64;
            (Scope::Address, format!("{}/64", Ipv6Addr::from(network)))
        }
        Ok(ip) => (Scope::Address, ip.to_string()),
        // No address at all; whoever hides it shares the count with others that do.
        Err(_) => (Scope::Address, "unknown".to_string()),
    }
}

/// The attempts in one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// So many that are not forgotten.
    pub tries: u32,
    /// When the last of them was, Unix milliseconds.
    pub last_ms: i64,
}

impl Count {
    /// How long the next attempt has to wait; nothing where it may come now.
    pub fn wait(&mut self, scope: Scope, now_ms: i64) -> Option<Duration> {
        // A clock that was set back must not make a wait longer than it was.
        self.last_ms = self.last_ms.min(now_ms);
        let since = Duration::from_millis((now_ms - self.last_ms) as u64);
        let forgotten = since.as_secs() / login::FORGET.as_secs();
        let tries = self.tries.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX));
        let over = tries.checked_sub(scope.free())?;
        let seconds = 1 << over.min(16);
        let delay = Duration::from_secs(seconds).min(scope.most());
        Some(delay.saturating_sub(since)).filter(|wait| !wait.is_zero())
    }

    /// Counts an attempt.
    pub fn add(&mut self, now_ms: i64) {
        let since = Duration::from_millis((now_ms - self.last_ms).max(0) as u64);
        let forgotten = since.as_secs() / login::FORGET.as_secs();
        self.tries = self.tries.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX));
        self.tries = self.tries.saturating_add(1);
        self.last_ms = now_ms;
    }

    /// Takes an attempt back that was good after all.
    pub fn take_back(&mut self) {
        self.tries = self.tries.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attempts that are let through when somebody tries `each` milliseconds for `ms`.
    fn admitted(scope: Scope, each: i64, ms: i64) -> u32 {
        let mut count = Count::default();
        let mut admitted = 0;
        for now in (0..ms).step_by(each as usize) {
            if count.wait(scope, now).is_none() {
                count.add(now);
                admitted += 1;
            }
        }
        admitted
    }

    #[test]
    fn a_few_are_free_and_then_waits_double_up_to_their_limit() {
        let mut count = Count::default();
        let mut waits = Vec::new();
        for _ in 0..17 {
            let wait = count.wait(Scope::Address, 0).map_or(0, |wait| wait.as_secs());
            waits.push(wait);
            count.add(0);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(count.wait(Scope::All, 0), None, "fewer than all may have");
    }

    #[test]
    fn a_day_of_guessing_gets_nowhere() {
        const DAY: i64 = 24 * 3600 * 1000;
        assert_eq!(admitted(Scope::Address, 1000, 3600 * 1000), 17);
        assert!(admitted(Scope::Address, 5000, DAY) < 120);
        assert!(admitted(Scope::All, 5000, DAY) < 3000);
    }

    #[test]
    fn a_count_recovers_and_a_clock_that_was_set_back_does_no_harm() {
        let forget = login::FORGET.as_millis() as i64;
        let mut count = Count { tries: 8, last_ms: 1000 };
        assert_eq!(count.wait(Scope::Address, 1000), Some(Duration::from_secs(8)));
        assert_eq!(count.wait(Scope::Address, 9000), None);
        let mut later = Count { tries: 8, last_ms: 0 };
        later.add(4 * forget);
        assert_eq!(later.tries, 5);
        count.add(2000);
        let back = count.wait(Scope::Address, -500_000);
        assert_eq!(back, Some(Duration::from_secs(16)));
        assert_eq!(count.wait(Scope::Address, -500_000 + 16_000), None);
        count.take_back();
        assert_eq!(count.tries, 8);
    }

    #[test]
    fn addresses_are_counted_by_who_can_have_them() {
        for (address, scope_, name) in [
            ("127.0.0.1", Scope::Loopback, "loopback"),
            ("127.9.9.9", Scope::Loopback, "loopback"),
            ("::1", Scope::Loopback, "loopback"),
            ("::ffff:127.0.0.1", Scope::Loopback, "loopback"),
            ("192.0.2.7", Scope::Address, "192.0.2.7"),
            ("::ffff:192.0.2.7", Scope::Address, "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", Scope::Address, "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::9", Scope::Address, "2001:db8:1:2::/64"),
            ("nonsense", Scope::Address, "unknown"),
        ] {
            assert_eq!(scope(address), (scope_, name.to_string()), "{address}");
        }
    }
}
