//! Browsers that the person has logged in with before. Each has attempts of its own, so that
//! whoever guesses from elsewhere cannot hold its next login up (OWASP: device cookies; ours is
//! kept by the page, since cookies go to every port of a host).
//!
//! 1. A device MUST NOT stand in for a password or code: it says only where attempts are counted.
//! 2. Only a login MUST make one, so that nobody gets more attempts by making up devices.

use crate::auth::token;
use crate::base::error::Result;
use crate::base::id;
use crate::base::secret::Secret;
use crate::secrets::Keyring;
use crate::secrets::Place;
use subtle::ConstantTimeEq;

/// What the marks of all browsers are made for.
pub(super) const PLACE: Place<'static> =
    Place { table: "login_attempts", row: "device", purpose: "device", version: 1 };

/// A new one: a number and, keyed, that it is ours. Without a master key there is none.
pub fn make(keys: &Keyring) -> Result<Secret> {
    let number = id::hex(&id::random::<16>()?);
    let mark = mark(keys, &number)?;
    Ok(Secret::new(number + &mark))
}

/// The name that the attempts of this device are counted under; `None` where it is none of ours.
pub fn name(keys: &Keyring, text: &str) -> Option<String> {
    token::hash(text)?;
    let (number, shown) = text.split_at(token::DIGITS / 2);
    let mark = mark(keys, number).ok()?;
    let fits: bool = mark.as_bytes().ct_eq(shown.as_bytes()).into();
    fits.then(|| format!("device {number}"))
}

fn mark(keys: &Keyring, number: &str) -> Result<String> {
    let mac = keys.mac(PLACE, number.as_bytes())?;
    Ok(id::hex(&mac[..token::DIGITS / 4]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::limiter::Count;
    use crate::base::error::Code;
    use crate::base::time;
    use crate::model::login::Visitor;
    use crate::service::Service;
    use crate::service::login::refused;
    use crate::service::login::stand::Stand;
    use crate::service::login::stand::visitor;
    use crate::store::attempts;
    use crate::store::tx::Tx;

    #[test]
    fn a_device_is_known_again_and_cannot_be_made_up() {
        let (stand, _, _) = Stand::ready("device");
        let keys = &stand.service.logins.keys;
        let (one, two) = (make(keys).unwrap(), make(keys).unwrap());
        let known = name(keys, one.expose()).unwrap();
        assert_eq!(name(keys, one.expose()).as_ref(), Some(&known));
        assert_ne!(name(keys, two.expose()), Some(known));
        let mixed = format!("{}{}", &one.expose()[..32], &two.expose()[32..]);
        for other in ["", "x", &"0".repeat(64), &one.expose().to_uppercase(), &mixed] {
            assert_eq!(name(keys, other), None, "{other}");
        }
        let (other, _, _) = Stand::ready("device-other");
        assert_eq!(name(&other.service.logins.keys, one.expose()), None, "another key's");
    }

    #[test]
    fn whoever_guesses_does_not_hold_up_a_browser_that_is_known() {
        let (stand, _, enrolled) = Stand::ready("device-lane");
        let many = Count { tries: 1000, last_ms: time::unix_ms() };
        let crowd = move |tx: &Tx<'_>| {
            ["loopback", "all"].iter().try_for_each(|name| attempts::put(tx, name, many, 9))
        };
        stand.service.store().write(crowd).unwrap();
        let attempt = |device: Option<&Secret>, good: bool| {
            let (tell, told) = std::sync::mpsc::channel();
            let visitor = Visitor { device: device.cloned(), ..visitor() };
            let judge = move |_: &Service, _: &Visitor| if good { Ok(()) } else { Err(refused()) };
            stand.service.attempt(visitor, judge, move |done| tell.send(done).unwrap());
            told.recv().unwrap()
        };
        let is_wait = |done: Result<()>| matches!(done.unwrap_err().code, Code::Wait(_));
        assert!(is_wait(attempt(None, true)));
        assert!(is_wait(attempt(Some(&Secret::new("0".repeat(64))), true)), "made up");
        let device = enrolled.opened.device.as_ref();
        assert!(attempt(device, true).is_ok());
        let judged = (0..20).take_while(|_| !is_wait(attempt(device, false))).count();
        assert!((5..=8).contains(&judged), "it has its own limit: {judged}");
        let all = stand.service.store().read(|c| attempts::get(c, "all")).unwrap();
        assert_eq!(all.tries, 1000, "and uses up nobody's");
    }
}
