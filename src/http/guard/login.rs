//! The login behind a WebSocket over the web, as the socket looks at it while it is open.

use crate::http::handlers::Api;
use crate::http::socket::login::Login;
use crate::model::login::WebSession;
use crate::service::login::watch::Watch;
use crate::sys::poll::Waker;
use std::sync::Arc;
use std::sync::OnceLock;

/// A web session that a socket was opened with.
pub struct SocketLogin {
    api: Api,
    session: WebSession,
    watch: OnceLock<Watch>,
}

impl SocketLogin {
    /// One that is good now.
    pub fn new(api: &Api, session: WebSession) -> SocketLogin {
        SocketLogin { api: api.clone(), session, watch: OnceLock::new() }
    }
}

impl Login for SocketLogin {
    fn id(&self) -> &str {
        &self.session.id
    }

    fn proves(&self, proof: &str) -> bool {
        self.session.proves(proof)
    }

    fn watch(&self, waker: &Arc<Waker>) {
        match self.api.watch_login(&self.session.id, waker.clone()) {
            Ok(watch) => drop(self.watch.set(watch)),
            // It counts as taken back: nobody could say when it is.
            Err(error) => log::warn!("a WebSocket ends: {}", error.chain()),
        }
    }

    fn is_revoked(&self) -> bool {
        self.watch.get().is_none_or(Watch::is_over)
    }

    fn is_valid(&self) -> bool {
        self.api.web_session_by_id(&self.session.id).is_ok_and(|found| found.is_some())
    }
}
