//! Who comes over the web, before and after it has shown that it is the person.

use crate::auth::token;
use crate::base::secret::Secret;

/// Where a web request came from, as far as that can be known.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The client's address without its port; behind a trusted proxy, the one that the proxy names.
    pub address: String,
    /// What it calls itself (User-Agent), printable and cut.
    pub agent: String,
    /// It came over TLS, to a trusted proxy.
    pub https: bool,
    /// What its page says it got at an earlier login.
    pub device: Option<Secret>,
}

impl Visitor {
    /// For the audit log: `web 192.0.2.7 (Mozilla/5.0 …)`.
    pub fn shown(&self) -> String {
        format!("web {} ({})", self.address, self.agent)
    }
}

/// The person's way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The password's hash.
    pub password: String,
    /// The sealed secret of the authenticator app; without one nobody can log in.
    pub totp: Option<Vec<u8>>,
    /// Which secret it is; the next one has the next number.
    pub version: i64,
    /// The step of the newest code that was used.
    pub last_step: i64,
}

/// What a web session is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Everything.
    Login,
    /// Setting up an authenticator app, and nothing else.
    Onboarding,
}

impl Kind {
    /// The database's word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Login => "login",
            Kind::Onboarding => "onboarding",
        }
    }

    /// The kind behind a word.
    pub fn from_word(word: &str) -> Option<Kind> {
        [Kind::Login, Kind::Onboarding].into_iter().find(|kind| kind.word() == word)
    }
}

/// A browser that is logged in, or on the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSession {
    /// What lists call it; opens nothing.
    pub id: String,
    /// What it is good for.
    pub kind: Kind,
    /// SHA-256 of the cookie's token.
    pub token_sha256: [u8; 32],
    /// SHA-256 of what the page has to show besides: browsers send a cookie to every port of a
    /// host, and a program of an agent may listen on one.
    pub proof_sha256: [u8; 32],
    /// An onboarding that has shown its proof once, and needs it from then on.
    pub proven: bool,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// To the minute.
    pub used_ms: i64,
    /// From then on it is none.
    pub expires_ms: i64,
    /// Where it was begun.
    pub address: String,
    /// By which browser.
    pub agent: String,
}

impl WebSession {
    /// Whether this is the proof that belongs to it.
    pub fn proves(&self, proof: &str) -> bool {
        token::fits(proof, &self.proof_sha256)
    }
}

/// A new secret of an authenticator app that awaits its first code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Sealed for the session that asked for it.
    pub sealed: Vec<u8>,
    /// Which of that session's secrets it is.
    pub version: i64,
    /// From then on it is none.
    pub until_ms: i64,
}
