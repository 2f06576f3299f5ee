//! How many WebSockets there may be: in all, over the web, and of one login.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::limits::socket;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// Open sockets by their logins; those of the control door have none.
static OPEN: Places = Places(Mutex::new(BTreeMap::new()));

struct Places(Mutex<BTreeMap<Option<String>, usize>>);

/// One place, given back when dropped.
pub struct Place(Option<String>);

impl Place {
    /// Takes one, or says which limit is reached.
    pub fn take(login: Option<&str>) -> Result<Place> {
        OPEN.take(login)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.give_back(&self.0);
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Option<String>, usize>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn take(&self, login: Option<&str>) -> Result<Place> {
        let mut open = self.lock();
        let key = login.map(str::to_string);
        let all: usize = open.values().sum();
        let web: usize = open.iter().filter(|(login, _)| login.is_some()).map(|(_, n)| n).sum();
        let ours = open.get(&key).copied().unwrap_or_default();
        let (most, of) = match login {
            Some(_) if ours >= socket::LOGIN_OPEN => (socket::LOGIN_OPEN, " of this login"),
            Some(_) if web >= socket::WEB_OPEN => (socket::WEB_OPEN, " over the web"),
            _ if all >= limits::WS_OPEN => (limits::WS_OPEN, ""),
            _ => {
                *open.entry(key.clone()).or_default() += 1;
                return Ok(Place(key));
            }
        };
        Err(Error::busy(format!("{most} viewers{of} are attached already; close one")))
    }

    fn give_back(&self, key: &Option<String>) {
        let mut open = self.lock();
        if let Some(count) = open.get_mut(key) {
            *count -= 1;
        }
        open.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As [`Place::take`], on places of the test's own.
    fn take(places: &Places, login: Option<&str>) -> Option<Option<String>> {
        let place = std::mem::ManuallyDrop::new(places.take(login).ok()?);
        Some(place.0.clone())
    }

    #[test]
    fn no_login_takes_the_places_of_others_and_the_web_none_of_the_command_line() {
        let places = Places(Mutex::default());
        let all = |login: Option<&str>| (0..100).filter(|_| take(&places, login).is_some()).count();
        assert_eq!(all(Some("a")), socket::LOGIN_OPEN);
        assert_eq!(all(Some("b")), socket::LOGIN_OPEN);
        assert_eq!(all(Some("c")), socket::WEB_OPEN - 2 * socket::LOGIN_OPEN);
        assert_eq!(all(None), limits::WS_OPEN - socket::WEB_OPEN);
        places.give_back(&Some("a".into()));
        assert_eq!(all(None), 1);
        places.give_back(&None);
        assert_eq!(all(Some("c")), 1, "the web's share has one free");
    }
}
