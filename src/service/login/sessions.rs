//! Web sessions: opened, found by their tokens, listed, ended.

use crate::auth::token;
use crate::base::error::{Error, Result};
use crate::base::id;
use crate::base::time;
use crate::limits;
use crate::model::login::Kind;
use crate::model::login::Visitor;
use crate::model::login::WebSession;
use crate::secrets::Keyring;
use crate::service::Service;
use crate::service::login::Opened;
use crate::service::login::device;
use crate::service::login::record;
use crate::service::login::watch::Watch;
use crate::store::tx::Tx;
use crate::store::web_sessions;
use crate::sys::poll::Waker;
use std::sync::Arc;

/// A web session that is yet to be stored.
pub(super) struct New(WebSession);

impl New {
    pub(super) fn session(keys: &Keyring, kind: Kind, visitor: &Visitor) -> Result<(New, Opened)> {
        let device = (kind == Kind::Login).then(|| device::make(keys)).transpose()?;
        let opened = Opened { token: token::random()?, proof: token::random()?, device };
        let hashed = |text| token::hash(text).ok_or_else(|| Error::internal("a token is none"));
        let life = match kind {
            Kind::Login => limits::login::SESSION,
            Kind::Onboarding => limits::login::ONBOARDING,
        };
        let now = time::unix_ms();
        let session = WebSession {
            id: id::hex(&id::random::<8>()?),
            kind,
            token_sha256: hashed(opened.token.expose())?,
            proof_sha256: hashed(opened.proof.expose())?,
            proven: false,
            created_ms: now,
            used_ms: now,
            expires_ms: now + life.as_millis() as i64,
            address: visitor.address.clone(),
            agent: visitor.agent.chars().take(limits::login::AGENT_CHARS).collect(),
        };
        Ok((New(session), opened))
    }

    /// Stores it; gives the ids of those that had to go.
    pub(super) fn insert(&self, tx: &Tx<'_>) -> Result<Vec<String>> {
        web_sessions::insert(tx, &self.0, limits::login::WEB_SESSIONS)
    }
}

impl Service {
    /// The login behind a cookie's token, while it lasts. Its proof is still to be looked at.
    pub fn web_session(&self, token: &str) -> Result<Option<WebSession>> {
        self.by_token(token, Kind::Login)
    }

    /// Its proof was shown: it is in use.
    pub fn web_session_used(&self, session: &WebSession) {
        let now = time::unix_ms();
        if now - session.used_ms < limits::login::USED_AGAIN.as_millis() as i64 {
            return;
        }
        let id = session.id.clone();
        if let Err(error) = self.store().write(move |tx| web_sessions::touch(tx, &id, now)) {
            log::warn!("{}", error.chain());
        }
    }

    /// The onboarding behind a cookie's token, while it lasts. It needs no proof until it has once
    /// come with one, as our page's does at once: from then on whoever else was sent the cookie
    /// cannot take part.
    pub fn onboarding(&self, token: &str, proof: Option<&str>) -> Result<Option<WebSession>> {
        let found = self.by_token(token, Kind::Onboarding)?;
        let fits = |session: &WebSession| match proof {
            None => !session.proven,
            Some(proof) => session.proves(proof),
        };
        let Some(session) = found.filter(fits) else { return Ok(None) };
        if proof.is_some() && !session.proven {
            let id = session.id.clone();
            self.store().write(move |tx| web_sessions::prove(tx, &id))?;
        }
        Ok(Some(session))
    }

    fn by_token(&self, token: &str, kind: Kind) -> Result<Option<WebSession>> {
        let Some(sha256) = token::hash(token) else { return Ok(None) };
        self.store().read(|conn| web_sessions::by_token(conn, &sha256, kind, time::unix_ms()))
    }

    /// The web session with this id, while it lasts.
    pub fn web_session_by_id(&self, id: &str) -> Result<Option<WebSession>> {
        self.store().read(|conn| web_sessions::get(conn, id, time::unix_ms()))
    }

    /// All web sessions, the newest first.
    pub fn web_sessions(&self) -> Result<Vec<WebSession>> {
        self.store().read(|conn| web_sessions::list(conn, time::unix_ms()))
    }

    /// Rings `waker` when this login ends, also when it has ended already.
    pub fn watch_login(&self, id: &str, waker: Arc<Waker>) -> Result<Watch> {
        let watch = self.logins.watchers.add(id, waker);
        match self.web_session_by_id(id)? {
            Some(session) => watch.until(session.expires_ms),
            None => self.logins.watchers.ended(&[id.to_string()]),
        }
        Ok(watch)
    }

    /// Ends one web session. `NotFound` where there is none.
    pub fn end_web_session(&self, id: &str, by: &str, what: &str) -> Result<()> {
        let (which, by, what) = (id.to_string(), by.to_string(), what.to_string());
        self.store().write(move |tx| match web_sessions::remove(tx, &which)? {
            true => record::done(tx, &by, &what),
            false => Err(Error::not_found("no such web session; see: codepiper auth sessions")),
        })?;
        self.logins.watchers.ended(&[id.to_string()]);
        Ok(())
    }

    /// Ends all web sessions but one; gives how many those were.
    pub fn end_web_sessions(&self, but: Option<&str>, by: &str) -> Result<usize> {
        let (but, by) = (but.map(str::to_string), by.to_string());
        let gone = self.store().write(move |tx| {
            let gone = web_sessions::remove_all(tx, but.as_deref())?;
            record::done(tx, &by, &format!("ended {} web sessions", gone.len()))?;
            Ok(gone)
        })?;
        self.logins.watchers.ended(&gone);
        Ok(gone.len())
    }
}
