//! Notices: what a person should hear of while nobody looks, from the change of a session that
//! raises one to the channel that carries it away.
//!
//! ```text
//! change of a session ──one transaction──> may become one ──still so when due──> notice
//!                                                                                  │
//!      read, answered: nothing goes any further          page <── WebSocket ───────┤
//!                                                        channels <── deliveries ──┘
//! ```
//!
//! Everything that waits is a row, so that a daemon that is killed loses none of it; a delivery
//! that it was about to note is made once more, never left out.
//!
//! 1. What a notice says MUST be free of the call's text, unless its channel was given that.
//! 2. A notice of a session that somebody looks at, and one that was answered, MUST go to no
//!    channel.
//! 3. A channel's URL, token, program and arguments MUST stay in this room, and come out of it only
//!    on the standard input of what is started for them.

pub mod address;
pub mod channels;
pub mod child;
mod doctor;
pub mod looking;
pub mod message;
pub mod post;
pub mod raise;
pub mod receipt;
pub mod sealed;
pub mod send;
pub mod system;
mod trial;
pub mod url;
pub mod webhook;

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::model::notice::Delivery;
use crate::model::notice::Kind;
use crate::model::notice::Notice;
use crate::model::notice::Page;
use crate::service::Service;
use crate::service::notices::looking::Looking;
use crate::service::notices::looking::Looks;
use crate::store::deliveries;
use crate::store::notices;
use crate::store::notices::Which;
use crate::store::sessions;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// What those who follow the notices are told under; see [`crate::service::news`].
pub const ANY: &str = "notices";
/// Where a notice was read that somebody saw come up.
pub const ON_SCREEN: &str = "on screen";
/// Where one was read that its question was answered of.
pub const ANSWERED: &str = "answered";

/// The way to the thread that looks after notices, and who looks at which session.
pub struct Notices {
    rings: Sender<()>,
    rung: Receiver<()>,
    looking: Arc<Looking>,
    tests: Arc<AtomicUsize>,
}

impl Default for Notices {
    fn default() -> Notices {
        // One ring says all: whoever hears it reads what there is.
        let (rings, rung) = bounded(1);
        Notices { rings, rung, looking: Arc::default(), tests: Arc::default() }
    }
}

impl Notices {
    /// Something may have come up, or is over.
    pub fn ring(&self) {
        // Full: it will look anyway.
        let _ = self.rings.try_send(());
    }

    /// Whether somebody looks at a session now.
    pub fn is_watched(&self, session: &str) -> bool {
        self.looking.has(session)
    }
}

/// A notice with all that is shown of it.
pub struct NoticeView {
    /// The notice.
    pub notice: Notice,
    /// The session's name, where it has one.
    pub session_name: Option<String>,
    /// The session's agent.
    pub provider: String,
    /// Where it goes and went.
    pub deliveries: Vec<Delivery>,
}

/// How many notices are not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// In all.
    pub total: usize,
    /// By session, none that has none.
    pub by_session: BTreeMap<String, usize>,
}

/// What a person said about one session's notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pref {
    /// The session.
    pub session: String,
    /// On or off, where that was said.
    pub enabled: Option<bool>,
    /// When it was said.
    pub updated_ms: Option<i64>,
}

impl Service {
    /// Notices, the newest first.
    pub fn notices(&self, page: &Page) -> Result<Vec<NoticeView>> {
        self.shown(self.store().read(|conn| notices::list(conn, page))?)
    }

    /// Those that have changed since a place in the order of changes, in order.
    pub fn changed_notices(&self, since: i64, limit: usize) -> Result<Vec<NoticeView>> {
        self.shown(self.store().read(|conn| notices::changed(conn, since, limit))?)
    }

    /// The newest place in the order of changes, and the newest number.
    pub fn newest_notice(&self) -> Result<(i64, i64)> {
        self.store().read(notices::newest)
    }

    /// Number and session of each notice that is not read.
    pub fn unread_notices(&self) -> Result<Vec<(i64, String)>> {
        self.store().read(notices::unread)
    }

    fn shown(&self, found: Vec<Notice>) -> Result<Vec<NoticeView>> {
        self.store().read(|conn| {
            let one = |notice: Notice| {
                let row = sessions::get(conn, &notice.session)?;
                let deliveries = deliveries::of(conn, notice.id)?;
                let (session_name, provider) =
                    row.map(|row| (row.name, row.provider)).unwrap_or_default();
                Ok(NoticeView { notice, session_name, provider, deliveries })
            };
            found.into_iter().map(one).collect()
        })
    }

    /// How many are not read.
    pub fn notice_counts(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        for (_, session) in self.unread_notices()? {
            counts.total += 1;
            *counts.by_session.entry(session).or_default() += 1;
        }
        Ok(counts)
    }

    /// Marks one as read; false where it was. `NotFound` where there is none.
    pub fn read_notice(&self, id: i64, source: &str) -> Result<bool> {
        let (now, source) = (time::unix_ms(), source.to_string());
        let marked = self.store().write(move |tx| {
            let missing = || Error::not_found(format!("Notification not found: {id}"));
            notices::get(tx, id)?.ok_or_else(missing)?;
            notices::read(tx, Which::One(id), now, &source)
        })?;
        self.notices_changed();
        Ok(marked > 0)
    }

    /// Marks those of a session, or all, as read; says how many were not.
    pub fn read_notices(&self, session: Option<&str>, source: &str) -> Result<usize> {
        let (now, source) = (time::unix_ms(), source.to_string());
        let session = session.map(str::to_string);
        let marked = self
            .store()
            .write(move |tx| notices::read(tx, Which::All(session.as_deref()), now, &source))?;
        if marked > 0 {
            self.notices_changed();
        }
        Ok(marked)
    }

    /// What was said about a session.
    pub fn notice_pref(&self, session: &str) -> Result<Pref> {
        let said = self.store().read(|conn| notices::pref(conn, session))?;
        let (enabled, updated_ms) = said.unzip();
        Ok(Pref { session: session.to_string(), enabled, updated_ms })
    }

    /// Switches a session's notices off, or on again; `None` leaves it to the settings.
    pub fn set_notice_pref(&self, session: &str, enabled: Option<bool>) -> Result<Pref> {
        let (id, now) = (session.to_string(), time::unix_ms());
        self.store().write(move |tx| notices::put_pref(tx, &id, enabled, now))?;
        self.notice_pref(session)
    }

    /// Somebody looks at a session from now on, until what this gives is dropped: its notices are
    /// read, and so are those that come up meanwhile.
    pub fn look_at(&self, session: &str) -> Looks {
        let looks = self.records.notices.looking.add(session);
        if let Err(error) = self.read_notices(Some(session), ON_SCREEN) {
            log::warn!("notices of session {session} are not marked: {}", error.chain());
        }
        looks
    }

    /// Those who follow the notices are told, and the thread looks again.
    pub(super) fn notices_changed(&self) {
        self.records.waits.notify(ANY);
        self.records.notices.ring();
    }

    /// Whether notices of this kind are wanted of a session.
    fn is_wanted(&self, session: &str, kind: Kind) -> Result<bool> {
        let pref = self.notice_pref(session)?;
        let of_kind = &self.setting(raise::EVENTS)?[kind.word()];
        Ok(self.flag(raise::ENABLED) && pref.enabled != Some(false) && of_kind != false)
    }
}
