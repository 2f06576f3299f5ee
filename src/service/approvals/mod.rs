//! Approvals: which questions are open, who waits for their answers, and when they end by
//! themselves. Knows neither hooks nor HTTP.
//!
//! 1. An approval MUST take one answer, the first; the store's one writer decides which that is.
//! 2. An answer MUST be stored and in the audit log before anybody hears of it.
//! 3. An approval that nobody carries back any more MUST come to an end: nothing runs by a late
//!    yes.
//!
//! | what ends it | status | decider |
//! |---|---|---|
//! | a person, by the API | approved, denied | person |
//! | a person, in the agent's dialog | approved, denied | terminal |
//! | the time is over | expired | expiry |
//! | the hook that held it is gone, where no dialog stood | withdrawn | withdrawn |
//! | the conversation was cleared, or the session has ended | withdrawn | withdrawn |

pub mod ask;
pub mod grants;
pub mod settle;
pub mod view;

use crate::base::error::Result;
use crate::base::thread;
use crate::base::time;
use crate::limits;
use crate::model::approval::Approval;
use crate::model::call::ToolCall;
use crate::service::Service;
use crate::service::notices::raise;
use crate::store::approvals;
use crossbeam_channel::Receiver;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// What `GET /approvals?wait=` waits under: any session's approvals.
pub const ANY: &str = "approvals";

/// The open approvals, and the way to the thread that ends them.
pub struct Approvals {
    book: Mutex<Book>,
    rings: Sender<Ring>,
    heard: Receiver<Ring>,
    /// The daemon stops: hooks that hang up now will come back to the next one.
    stopping: AtomicBool,
}

#[derive(Default)]
struct Book {
    open: HashMap<i64, Open>,
    /// How often anything has changed.
    changes: u64,
}

/// An approval that has no answer yet.
struct Open {
    session: String,
    /// The whole call, but for known secrets; gone with a restart of the daemon, until its hook
    /// asks again. For people: what it is bound to is a digest.
    call: Option<Arc<ToolCall>>,
    /// Its end.
    deadline: Instant,
    /// When its hook was last seen, while it does not wait here.
    away: Option<Instant>,
    /// The agent's own dialog stands meanwhile.
    dialog: bool,
}

enum Ring {
    /// The hook of this approval has hung up.
    Gone(i64),
    /// A deadline is new.
    Look,
}

impl Default for Approvals {
    fn default() -> Approvals {
        let (rings, heard) = bounded(limits::gate::RINGS);
        Approvals { book: Mutex::default(), rings, heard, stopping: AtomicBool::new(false) }
    }
}

impl Approvals {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// An approval that is new, or known again after a restart. One that is open already keeps
    /// what it has and gets the call.
    /// True where that is news.
    fn open(&self, approval: &Approval, call: Option<&ToolCall>, dialog: bool) -> bool {
        let left = approval.expires_ms.saturating_sub(time::unix_ms()).max(0);
        let call = call.map(|call| Arc::new(call.clone()));
        let mut book = self.book();
        book.changes += 1;
        let fresh = || Open {
            session: approval.session.clone(),
            call: None,
            deadline: time::now() + Duration::from_millis(left.unsigned_abs()),
            away: Some(time::now()),
            dialog,
        };
        let known = book.open.len();
        let open = book.open.entry(approval.id).or_insert_with(fresh);
        let news = open.call.is_none() && call.is_some();
        // What is known from the database alone says less than the hook did.
        if call.is_some() {
            (open.dialog, open.call) = (dialog, call);
        }
        let news = news || book.open.len() > known;
        drop(book);
        // Full: it looks anyway.
        let _ = self.rings.try_send(Ring::Look);
        news
    }

    /// From now on nothing ends by itself: the daemon stops, and hooks come back to the next one.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Its hook waits here now.
    pub fn waits(&self, id: i64) {
        if let Some(open) = self.book().open.get_mut(&id) {
            open.away = None;
        }
    }

    /// Its hook has hung up. Does not wait; where the queue is full the hook counts as away, and
    /// that is found in time.
    pub fn gone(&self, id: i64) {
        if let Some(open) = self.book().open.get_mut(&id) {
            open.away = Some(time::now());
        }
        let _ = self.rings.try_send(Ring::Gone(id));
    }

    /// Whether it has no answer yet.
    pub fn is_open(&self, id: i64) -> bool {
        self.book().open.contains_key(&id)
    }

    /// The whole call of an open one, where its hook has told it.
    pub fn call(&self, id: i64) -> Option<Arc<ToolCall>> {
        self.book().open.get(&id).and_then(|open| open.call.clone())
    }

    /// The oldest one that holds up a session's call without any dialog in which that shows, with
    /// its call, and how many more there are.
    pub fn held(&self, session: &str) -> Option<(i64, Arc<ToolCall>, usize)> {
        let book = self.book();
        let of_session = |open: &&Open| open.session == session && !open.dialog;
        let all = book.open.iter().filter(|(_, open)| of_session(open));
        let mut held: Vec<_> =
            all.filter_map(|(id, open)| Some((*id, open.call.clone()?))).collect();
        held.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        held.pop().map(|(id, call)| (id, call, held.len()))
    }

    /// How many are open in a session.
    pub fn count(&self, session: &str) -> usize {
        self.book().open.values().filter(|open| open.session == session).count()
    }

    /// How often anything has changed.
    pub fn changes(&self) -> u64 {
        self.book().changes
    }

    fn close(&self, id: i64) {
        let mut book = self.book();
        book.changes += 1;
        book.open.remove(&id);
    }

    fn in_session(&self, session: &str) -> Vec<i64> {
        let book = self.book();
        let mut ids: Vec<i64> = book
            .open
            .iter()
            .filter(|(_, open)| open.session == session)
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Those whose end has come, and when the next one's does.
    fn due(&self, now: Instant) -> (Vec<Due>, Option<Instant>) {
        if self.stopping.load(Ordering::SeqCst) {
            return (Vec::new(), None);
        }
        let lost = |open: &Open| open.away.map(|since| since + limits::gate::HOLD_LOST);
        let (mut due, mut next) = (Vec::new(), None::<Instant>);
        for (id, open) in &self.book().open {
            match lost(open) {
                _ if open.deadline <= now => due.push(Due::Over(*id)),
                Some(end) if end <= now => due.push(Due::Lost(*id)),
                end => {
                    let first = end.map_or(open.deadline, |end| end.min(open.deadline));
                    next = Some(next.map_or(first, |known| known.min(first)));
                }
            }
        }
        (due, next)
    }

    /// Looks at it again only after a while.
    fn put_off(&self, id: i64, by: Duration) {
        if let Some(open) = self.book().open.get_mut(&id) {
            let next = time::now() + by;
            open.deadline = open.deadline.max(next);
            open.away = open.away.map(|_| next);
        }
    }

    /// The session of one whose hook does not wait here, and whether a dialog stands.
    fn is_away(&self, id: i64) -> Option<(String, bool)> {
        let book = self.book();
        let stays = self.stopping.load(Ordering::SeqCst);
        let open = book.open.get(&id).filter(|open| open.away.is_some() && !stays)?;
        Some((open.session.clone(), open.dialog))
    }

    fn is_dialog(&self, id: i64) -> bool {
        self.book().open.get(&id).is_some_and(|open| open.dialog)
    }
}

enum Due {
    Over(i64),
    Lost(i64),
}

impl Service {
    /// Tells those who look at a session, and who wait, that its open approvals are others now.
    fn approvals_changed(&self, session: &str) {
        if let Some(live) = self.records.live(session) {
            live.tail.bump();
        }
        self.records.waits.notify(session);
        self.records.waits.notify(ANY);
    }

    /// Takes up the approvals that were open when the last daemon ended, and starts the thread
    /// that ends those whose end has come.
    pub fn watch_approvals(self: &Arc<Service>) -> Result<()> {
        match self.store().read(|conn| approvals::list(conn, None, true, limits::gate::APPROVALS)) {
            Ok(known) => {
                known.iter().for_each(|approval| {
                    self.approvals.open(approval, None, false);
                });
                // The last daemon may have ended between a question and what tells of it.
                let raised = self.store().write(move |tx| {
                    known.iter().try_for_each(|approval| raise::asked_before(tx, approval))
                });
                if let Err(error) = raised {
                    log::error!("nobody is told of open approvals: {}", error.chain());
                }
            }
            Err(error) => log::error!("open approvals are not known: {}", error.chain()),
        }
        let service = self.clone();
        thread::spawn("approvals", move || service.end_approvals()).map(drop)
    }

    fn end_approvals(&self) {
        loop {
            let (due, next) = self.approvals.due(time::now());
            for one in due {
                match one {
                    Due::Over(id) => self.expire(id),
                    Due::Lost(id) => self.lose(id),
                }
            }
            let ring = match next {
                Some(at) => self.approvals.heard.recv_timeout(time::until(at)),
                None => self.approvals.heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match ring {
                Ok(Ring::Gone(id)) => self.lose(id),
                Ok(Ring::Look) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
