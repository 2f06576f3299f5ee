//! Changing what a login takes: a TOTP secret, the first one or another, and another password.
//!
//! 1. A secret MUST be bound to the web session that asked for it: another cannot confirm it.
//! 2. In a login, each change MUST take the password and a code.
//! 3. A change MUST end all web sessions; whoever made it gets a new one.

use crate::auth::password;
use crate::auth::qr;
use crate::auth::totp::Totp;
use crate::auth::words;
use crate::base::error::{Context, Error, Result};
use crate::base::secret::Secret;
use crate::base::time;
use crate::limits;
use crate::model::login::Kind;
use crate::model::login::Pending;
use crate::model::login::Visitor;
use crate::model::login::WebSession;
use crate::secrets::Place;
use crate::service::Service;
use crate::service::login::Enrolled;
use crate::service::login::Factor;
use crate::service::login::Offer;
use crate::service::login::Opened;
use crate::service::login::enter::recovery_place;
use crate::service::login::enter::totp_place;
use crate::service::login::record;
use crate::service::login::refused;
use crate::service::login::sessions::New;
use crate::store::account;
use crate::store::web_sessions;

impl Service {
    /// Offers a new TOTP secret to an onboarding.
    pub fn offer(&self, session: &WebSession) -> Result<Offer> {
        let _hold = self.logins.keys.hold();
        let known = self.store().read(account::get)?;
        match known.is_some_and(|account| account.totp.is_none()) {
            true if session.kind == Kind::Onboarding => self.make_offer(session),
            _ => Err(Error::conflict("a code is set up already; log in with it")),
        }
    }

    /// Offers another TOTP secret to a login, for its password and a code.
    pub fn offer_another(
        &self,
        visitor: &Visitor,
        session: &WebSession,
        typed: &Secret,
        factor: &Factor,
    ) -> Result<Offer> {
        let by = visitor.shown();
        let _hold = self.logins.keys.hold();
        let Some(known) = self.password_fits(typed, &by)? else { return Err(refused()) };
        let checked = self.check(&known, factor)?;
        let spent = self.store().write(move |tx| {
            let spent = checked.spend(tx, &known)?;
            if !spent {
                record::refused(tx, &by, "another TOTP secret with a wrong code")?;
            }
            Ok(spent)
        })?;
        if !spent {
            return Err(refused());
        }
        self.make_offer(session)
    }

    fn make_offer(&self, session: &WebSession) -> Result<Offer> {
        let totp = Totp::random()?;
        let id = session.id.clone();
        let before = self.store().read(|conn| web_sessions::pending(conn, &id))?;
        let version = before.map_or(0, |pending| pending.version) + 1;
        let until_ms = time::unix_ms() + limits::login::PENDING.as_millis() as i64;
        let sealed = self.logins.keys.seal(pending_place(&id, version), totp.bytes())?;
        let pending = Pending { sealed, version, until_ms };
        self.store().write(move |tx| web_sessions::set_pending(tx, &id, &pending))?;
        let uri = totp.uri();
        let qr_svg = Secret::new(qr::svg(uri.expose())?);
        Ok(Offer { secret: totp.text(), uri, qr_svg })
    }

    /// Takes the first code of an offered secret: from now on it is the one.
    pub fn enroll(
        &self,
        visitor: &Visitor,
        session: &WebSession,
        code: &Secret,
    ) -> Result<Enrolled> {
        let by = visitor.shown();
        let _hold = self.logins.keys.hold();
        let id = session.id.clone();
        let pending = self.store().read(|conn| web_sessions::pending(conn, &id))?;
        let now = time::unix_ms();
        let none = || Error::conflict("no secret awaits its code, or its time is over; ask anew");
        let pending = pending.filter(|pending| pending.until_ms > now).ok_or_else(none)?;
        let opened = self.logins.keys.open(pending_place(&id, pending.version), &pending.sealed);
        let totp = Totp::from_bytes(&opened.internal(|| "cannot check a code".into())?)?;
        let Some(step) = totp.check(code.expose(), now, 0) else {
            self.store().write(move |tx| record::refused(tx, &by, "a wrong first code"))?;
            return Err(Error::unauthorized("wrong code; is the telephone's clock right?"));
        };
        let known = self.store().read(account::get)?.ok_or_else(none)?;
        let version = known.version + 1;
        let sealed = self.logins.keys.seal(totp_place(version), totp.bytes())?;
        let codes =
            (0..limits::login::RECOVERY_CODES).map(|_| words::random::<{ words::RECOVERY }>());
        let recovery_codes = codes.collect::<Result<Vec<Secret>>>()?;
        let macs = recovery_codes.iter().map(|code| self.recovery_mac(code, version));
        let macs = macs.collect::<Result<Vec<[u8; 32]>>>()?;
        let (new, opened) = New::session(&self.logins.keys, Kind::Login, visitor)?;
        let kind = session.kind;
        let gone = self.store().write(move |tx| {
            let is_first = known.totp.is_none() == (kind == Kind::Onboarding);
            let awaited = web_sessions::pending(tx, &id)?.as_ref() == Some(&pending);
            if !is_first || !awaited || !account::is_still(tx, &known)? {
                return Err(none());
            }
            account::set_totp(tx, Some(&sealed), version, step, now)?;
            macs.iter().try_for_each(|mac| account::add_recovery(tx, mac))?;
            let gone = web_sessions::remove_all(tx, None)?;
            record::done(tx, &by, "set up an authenticator app; all web sessions end")?;
            new.insert(tx)?;
            Ok(gone)
        })?;
        self.logins.watchers.ended(&gone);
        Ok(Enrolled { recovery_codes, opened })
    }

    fn recovery_mac(&self, code: &Secret, version: i64) -> Result<[u8; 32]> {
        let bytes = words::parse::<{ words::RECOVERY }>(code.expose());
        let bytes = bytes.ok_or_else(|| Error::internal("a recovery code cannot be read back"))?;
        self.logins.keys.mac(recovery_place(version), &bytes[..])
    }

    /// Another password, for the one before and a code.
    pub fn change_password(
        &self,
        visitor: &Visitor,
        typed: &Secret,
        factor: &Factor,
        chosen: &Secret,
    ) -> Result<Opened> {
        let by = visitor.shown();
        let _hold = self.logins.keys.hold();
        let Some(known) = self.password_fits(typed, &by)? else { return Err(refused()) };
        let checked = self.check(&known, factor)?;
        let hash = password::hash(chosen)?;
        let (new, opened) = New::session(&self.logins.keys, Kind::Login, visitor)?;
        let gone = self.store().write(move |tx| {
            if !checked.spend(tx, &known)? {
                record::refused(tx, &by, "another password with a wrong code")?;
                return Ok(None);
            }
            account::set_password(tx, &hash, time::unix_ms())?;
            let gone = web_sessions::remove_all(tx, None)?;
            record::done(tx, &by, "changed the password; all web sessions end")?;
            new.insert(tx)?;
            Ok(Some(gone))
        })?;
        self.logins.watchers.ended(&gone.ok_or_else(refused)?);
        Ok(opened)
    }
}

/// Where a secret stands that awaits its first code.
fn pending_place(session: &str, version: i64) -> Place<'_> {
    Place { table: "web_sessions", row: session, purpose: "new TOTP secret", version }
}
