//! What only the person's own programs may do: a bootstrap password, and resets. After each of them
//! a code is still to be shown, or to be set up, before anything opens.

use crate::auth::password;
use crate::auth::words;
use crate::base::error::{Error, Result};
use crate::base::secret::Secret;
use crate::base::time;
use crate::limits;
use crate::service::Service;
use crate::service::login::Status;
use crate::service::login::enter::bootstrap_hash;
use crate::service::login::record;
use crate::store::account;
use crate::store::attempts;
use crate::store::web_sessions;

impl Service {
    /// How far logging in is set up.
    pub fn login_status(&self) -> Result<Status> {
        self.store().read(|conn| {
            let known = account::get(conn)?;
            Ok(Status {
                password: known.is_some(),
                factor: known.is_some_and(|account| account.totp.is_some()),
                recovery_codes: account::recovery_left(conn)?,
            })
        })
    }

    /// A bootstrap password with the time of its end, where there is no password yet.
    pub fn bootstrap_if_needed(&self) -> Result<Option<(Secret, i64)>> {
        match self.login_status()?.password {
            true => Ok(None),
            false => self.bootstrap("daemon").map(Some),
        }
    }

    /// A new bootstrap password with the time of its end; the one before is none any more.
    /// `Conflict` where there is a password.
    pub fn bootstrap(&self, by: &str) -> Result<(Secret, i64)> {
        let words = words::random::<{ words::PASSWORD }>()?;
        let none = || Error::internal("a bootstrap password cannot be read back");
        let sha256 = bootstrap_hash(words.expose()).ok_or_else(none)?;
        let now = time::unix_ms();
        let expires_ms = now + limits::login::BOOTSTRAP.as_millis() as i64;
        let by = by.to_string();
        self.store().write(move |tx| {
            if account::get(tx)?.is_some() {
                return Err(Error::conflict(
                    "a password is set; for another one: codepiper auth reset-password",
                ));
            }
            attempts::clear(tx)?;
            account::set_bootstrap(tx, &sha256, expires_ms)?;
            record::done(tx, &by, "made a bootstrap password")
        })?;
        Ok((words, expires_ms))
    }

    /// Sets the password, `None` for one that is made up here and given back. All web sessions
    /// end; a code is asked as before.
    pub fn reset_password(&self, chosen: Option<Secret>, by: &str) -> Result<Option<Secret>> {
        let made = match chosen {
            Some(_) => None,
            None => Some(words::random::<{ words::PASSWORD }>()?),
        };
        let new = made.clone().or(chosen).ok_or_else(|| Error::internal("no password"))?;
        let hash = password::hash(&new)?;
        let by = by.to_string();
        let gone = self.store().write(move |tx| {
            attempts::clear(tx)?;
            account::set_password(tx, &hash, time::unix_ms())?;
            account::drop_bootstrap(tx)?;
            record::done(tx, &by, "reset the password; all web sessions end")?;
            web_sessions::remove_all(tx, None)
        })?;
        self.logins.watchers.ended(&gone);
        Ok(made)
    }

    /// Takes the TOTP secret and the recovery codes away. All web sessions end, and the next login
    /// can set up a new secret and nothing else. `Conflict` where there is no password yet.
    pub fn reset_mfa(&self, by: &str) -> Result<()> {
        let by = by.to_string();
        let gone = self.store().write(move |tx| {
            let Some(known) = account::get(tx)? else {
                return Err(Error::conflict("no password is set yet; see: codepiper auth status"));
            };
            attempts::clear(tx)?;
            account::set_totp(tx, None, known.version, known.last_step, time::unix_ms())?;
            record::done(tx, &by, "reset the authenticator app; all web sessions end")?;
            web_sessions::remove_all(tx, None)
        })?;
        self.logins.watchers.ended(&gone);
        Ok(())
    }
}
