//! The ways in: the first password, and a login.

use crate::auth::password;
use crate::auth::totp::Totp;
use crate::auth::words;
use crate::base::error::{Context, Error, Result};
use crate::base::secret::Secret;
use crate::base::time;
use crate::model::login::Account;
use crate::model::login::Kind;
use crate::model::login::Visitor;
use crate::secrets::Place;
use crate::service::Service;
use crate::service::login::Entered;
use crate::service::login::Factor;
use crate::service::login::Opened;
use crate::service::login::record;
use crate::service::login::refused;
use crate::service::login::sessions::New;
use crate::store::account;
use crate::store::tx::Tx;
use sha2::Digest;
use sha2::Sha256;

/// What a factor comes to before it is used up.
pub(super) enum Checked {
    /// A good code, for this step.
    Step(i64),
    /// A recovery code, as it would be kept.
    Recovery([u8; 32]),
    /// No good.
    Wrong,
}

impl Service {
    /// Sets the first password with the bootstrap password; gives an onboarding.
    pub fn set_up(&self, visitor: &Visitor, bootstrap: &Secret, chosen: &Secret) -> Result<Opened> {
        let hash = password::hash(chosen)?;
        let sha256 = bootstrap_hash(bootstrap.expose());
        let (new, opened) = New::session(&self.logins.keys, Kind::Onboarding, visitor)?;
        let by = visitor.shown();
        let (set, gone) = self.store().write(move |tx| {
            let now = time::unix_ms();
            let fits = sha256.map_or(Ok(false), |sha| account::use_bootstrap(tx, &sha, now))?;
            if !fits || account::get(tx)?.is_some() {
                record::refused(tx, &by, "a wrong or old bootstrap password")?;
                return Ok((false, Vec::new()));
            }
            account::set_password(tx, &hash, now)?;
            record::done(tx, &by, "set the first password")?;
            Ok((true, new.insert(tx)?))
        })?;
        self.logins.watchers.ended(&gone);
        match set {
            true => Ok(opened),
            false => Err(Error::unauthorized(
                "wrong or old bootstrap password; a new one: codepiper auth bootstrap",
            )),
        }
    }

    /// A login with a password and a code, or the way to set up the code.
    pub fn log_in(&self, visitor: &Visitor, typed: &Secret, factor: &Factor) -> Result<Entered> {
        let by = visitor.shown();
        let _hold = self.logins.keys.hold();
        let Some(known) = self.password_fits(typed, &by)? else { return Err(refused()) };
        let kind = if known.totp.is_some() { Kind::Login } else { Kind::Onboarding };
        let checked = self.check(&known, factor)?;
        let better =
            password::is_weak(&known.password).then(|| password::hash(typed)).transpose()?;
        let (new, opened) = New::session(&self.logins.keys, kind, visitor)?;
        let gone = self.store().write(move |tx| {
            if kind == Kind::Login && !checked.spend(tx, &known)? {
                record::refused(tx, &by, "the right password with a wrong code")?;
                return Ok(None);
            }
            if kind == Kind::Onboarding && !account::is_still(tx, &known)? {
                return Ok(None);
            }
            if let Some(better) = better {
                account::set_password(tx, &better, time::unix_ms())?;
            }
            record::done(
                tx,
                &by,
                match (kind, &checked) {
                    (Kind::Onboarding, _) => "began to set up a code with the password",
                    (Kind::Login, Checked::Recovery(_)) => "logged in with a recovery code",
                    (Kind::Login, _) => "logged in",
                },
            )?;
            new.insert(tx).map(Some)
        })?;
        self.logins.watchers.ended(&gone.ok_or_else(refused)?);
        Ok(match kind {
            Kind::Login => Entered::Login(opened),
            Kind::Onboarding => Entered::Onboarding(opened),
        })
    }

    /// The account, if this is its password. Takes as long where there is none.
    pub(super) fn password_fits(&self, typed: &Secret, by: &str) -> Result<Option<Account>> {
        let known = self.store().read(account::get)?;
        let hash = known.as_ref().map(|account| account.password.as_str());
        if password::verify(typed.expose(), hash) {
            return Ok(known);
        }
        let by = by.to_string();
        self.store().write(move |tx| record::refused(tx, &by, "a wrong password"))?;
        Ok(None)
    }

    /// Looks at a factor; it is not used up yet.
    pub(super) fn check(&self, known: &Account, factor: &Factor) -> Result<Checked> {
        let Some(sealed) = &known.totp else { return Ok(Checked::Wrong) };
        match factor {
            Factor::Missing => Ok(Checked::Wrong),
            Factor::Code(code) => {
                let opened = self.logins.keys.open(totp_place(known.version), sealed);
                let totp = Totp::from_bytes(&opened.internal(|| "cannot check a code".into())?)?;
                let step = totp.check(code.expose(), time::unix_ms(), known.last_step);
                Ok(step.map_or(Checked::Wrong, Checked::Step))
            }
            Factor::Recovery(code) => {
                let Some(bytes) = words::parse::<{ words::RECOVERY }>(code.expose()) else {
                    return Ok(Checked::Wrong);
                };
                self.logins
                    .keys
                    .mac(recovery_place(known.version), &bytes[..])
                    .map(Checked::Recovery)
            }
        }
    }
}

impl Checked {
    /// Uses it up; false where it is no good, was used meanwhile, or the account is another now.
    pub(super) fn spend(&self, tx: &Tx<'_>, known: &Account) -> Result<bool> {
        if !account::is_still(tx, known)? {
            return Ok(false);
        }
        match self {
            Checked::Step(step) => account::use_step(tx, *step),
            Checked::Recovery(mac) => account::use_recovery(tx, mac, time::unix_ms()),
            Checked::Wrong => Ok(false),
        }
    }
}

/// What is kept of a bootstrap password; `None` for what is none.
pub(super) fn bootstrap_hash(text: &str) -> Option<[u8; 32]> {
    words::parse::<{ words::PASSWORD }>(text).map(|bytes| Sha256::digest(&bytes[..]).into())
}

/// Where the TOTP secret stands.
pub(super) fn totp_place(version: i64) -> Place<'static> {
    Place { table: "account", row: "1", purpose: "TOTP secret", version }
}

/// What recovery codes are kept for.
pub(super) fn recovery_place(version: i64) -> Place<'static> {
    Place { table: "recovery_codes", row: "1", purpose: "recovery code", version }
}
