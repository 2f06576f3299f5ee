//! Logging in over the web: one person, a password and a code.
//!
//! | account | the next step | what it gives |
//! |---|---|---|
//! | none | `setup`: bootstrap password, own password | an onboarding |
//! | a password | `login`: password | an onboarding |
//! | a password | in an onboarding: new TOTP secret, its first code | recovery codes, a login |
//! | a password, a TOTP secret | `login`: password, code | a login |
//!
//! 1. No state MUST exist in which a password alone opens a login, also after any reset.
//! 2. Each attempt MUST be counted, durably, before its password is hashed ([`attempt`]), on every
//!    way on which a password or a code is looked at.
//! 3. A wrong password, a wrong code and a missing account MUST look the same, in words and time.
//! 4. A code MUST be used up in the transaction that opens what it opens.
//! 5. Tokens, proofs, passwords and codes MUST NOT be stored or logged as they are.
//! 6. When a login ends, whoever watches it ([`watch`]) MUST be woken.

pub mod attempt;
mod device;
mod enroll;
mod enter;
mod record;
mod reset;
mod sessions;
#[cfg(test)]
pub mod stand;
pub mod watch;

use crate::base::error::{Error, Result};
use crate::base::secret::Secret;
use crate::model::login::Account;
use crate::secrets::Keyring;
use crate::secrets::Place;
use crate::service::login::attempt::Line;
use crate::service::login::watch::Watchers;
use std::path::PathBuf;

/// What logging in needs besides the database.
pub struct Logins {
    /// What secrets in the database are sealed with.
    pub keys: Keyring,
    line: Line,
    watchers: Watchers,
}

impl Logins {
    /// Starts the thread that hashes.
    pub fn start(key: PathBuf) -> Result<Logins> {
        let watchers = Watchers::default();
        Ok(Logins { keys: Keyring::new(key), line: Line::start()?, watchers })
    }
}

/// The second half of a login.
pub enum Factor {
    /// A code of the authenticator app.
    Code(Secret),
    /// A recovery code.
    Recovery(Secret),
    /// None was given; enough only where there is none yet.
    Missing,
}

/// A web session that was just opened. The only place where its secrets are ever seen.
pub struct Opened {
    /// Goes into the cookie.
    pub token: Secret,
    /// Goes to the page.
    pub proof: Secret,
    /// Goes to the page, of a login; see [`device`].
    pub device: Option<Secret>,
}

/// What a login gave.
pub enum Entered {
    /// Everything is open.
    Login(Opened),
    /// A TOTP secret is to be set up first.
    Onboarding(Opened),
}

/// A TOTP secret before its first code.
pub struct Offer {
    /// To be typed into an app.
    pub secret: Secret,
    /// To be opened by an app.
    pub uri: Secret,
    /// The same as a picture.
    pub qr_svg: Secret,
}

/// What came of the first code.
pub struct Enrolled {
    /// To be kept on paper.
    pub recovery_codes: Vec<Secret>,
    /// The login.
    pub opened: Opened,
}

/// How far logging in is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// There is a password.
    pub password: bool,
    /// There is a TOTP secret: a login is possible.
    pub factor: bool,
    /// Recovery codes that are left.
    pub recovery_codes: i64,
}

/// What keyed digests are kept of at the moment: the recovery codes of this account, and browsers.
pub fn digest_places(account: Option<&Account>) -> Vec<Place<'static>> {
    let recovery = account.filter(|account| account.totp.is_some());
    let recovery = recovery.map(|account| enter::recovery_place(account.version));
    recovery.into_iter().chain([device::PLACE]).collect()
}

/// The one answer to everything that does not fit.
fn refused() -> Error {
    Error::unauthorized("wrong password or code")
}

#[cfg(test)]
mod tests;
