//! The thread of notices: what still holds when it is due becomes one, and each goes to the
//! channels that want it, is tried again where that failed, and has its receipt.
//!
//! 1. Nothing MUST go out without its row, and no row MUST be let go before what became of it is
//!    stored.
//! 2. It MUST sleep while nothing is due.
//! 3. A row that cannot be handled MUST NOT hold up another.

use crate::base::error::{Code, Error, Result};
use crate::base::thread;
use crate::base::time;
use crate::limits::notices as limits;
use crate::model::notice::Delivery;
use crate::model::notice::DeliveryState;
use crate::model::notice::quiet_for;
use crate::service::Service;
use crate::service::notices::NoticeView;
use crate::service::notices::ON_SCREEN;
use crate::service::notices::raise;
use crate::service::notices::receipt;
use crate::service::notices::send::Sent;
use crate::store::channels;
use crate::store::deliveries;
use crate::store::notices;
use crate::store::notices::Dwell;
use crate::sys::clock;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// Which row something waits in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// A session, and the word of a kind.
    Dwell(String, &'static str),
    /// A notice and a channel.
    Delivery(i64, String),
}

/// A delivery, and what became of the newest try.
type End = (Delivery, Sent);

/// See the file's head.
struct Post {
    service: Arc<Service>,
    /// When each is due by the clock that nobody can set, for the time that its row says.
    due: HashMap<Key, (i64, Instant)>,
    /// Rows that could not be handled, and why.
    troubled: HashMap<Key, String>,
    /// On their way, or done and not noted yet.
    under_way: Vec<Key>,
    /// What became of deliveries and could not be stored.
    owed: Vec<End>,
    ends: (Sender<End>, Receiver<End>),
}

/// Reports the end of a delivery, also where its thread has panicked.
struct Report {
    ends: Sender<End>,
    delivery: Delivery,
    sent: Sent,
}

impl Report {
    fn says(&mut self, sent: Sent) {
        self.sent = sent;
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // There is room for all that can be under way.
        let _ = self.ends.try_send((self.delivery.clone(), self.sent.clone()));
    }
}

impl Service {
    /// Starts the thread; what an earlier daemon has left waiting goes on from there.
    pub fn watch_notices(self: &Arc<Service>) -> Result<()> {
        let service = self.clone();
        thread::spawn("notices", move || Post::new(service).run()).map(drop)
    }
}

fn sooner(known: Option<Instant>, at: Instant) -> Option<Instant> {
    Some(known.map_or(at, |known| known.min(at)))
}

impl Post {
    fn new(service: Arc<Service>) -> Post {
        let (due, troubled, under_way, owed) = Default::default();
        Post { service, due, troubled, under_way, owed, ends: bounded(limits::ENDS) }
    }

    fn run(mut self) {
        let rung = self.service.records.notices.rung.clone();
        let mut told = None;
        loop {
            while let Ok((delivery, sent)) = self.ends.1.try_recv() {
                self.owed.push((delivery, sent));
            }
            let next = match self.settle_owed().and_then(|()| self.look()) {
                Ok(next) => {
                    told = None;
                    next
                }
                Err(error) => {
                    // A database that is damaged stays so: said once.
                    let words = Some(error.chain());
                    if words != told {
                        log::error!("notices wait: {}", error.chain());
                        told = words;
                    }
                    Some(time::now() + limits::STORE_RETRY)
                }
            };
            let ends = self.ends.1.clone();
            let wait = next.map_or(Duration::MAX, time::until);
            crossbeam_channel::select! {
                recv(rung) -> _ => {}
                recv(ends) -> end => self.owed.extend(end),
                default(wait) => {}
            }
        }
    }

    /// Stores what became of deliveries.
    fn settle_owed(&mut self) -> Result<()> {
        while let Some((delivery, sent)) = self.owed.first() {
            let mut done = delivery.clone();
            receipt::settle(&mut done, sent, time::unix_ms());
            let key = Key::Delivery(done.notice, done.channel.clone());
            self.service.store().write(move |tx| {
                deliveries::note(tx, &done)?;
                receipt::note_channel(tx, &done)
            })?;
            self.owed.remove(0);
            self.under_way.retain(|known| *known != key);
            self.service.records.waits.notify(super::ANY);
        }
        Ok(())
    }

    /// Does what is due; when the next is.
    fn look(&mut self) -> Result<Option<Instant>> {
        let mut next = None::<Instant>;
        let mut seen = Vec::new();
        for dwell in self.service.store().read(notices::dwells)? {
            let key = Key::Dwell(dwell.session.clone(), dwell.kind.word());
            match self.at(&key, dwell.due_ms) {
                at if at <= time::now() => {
                    if let Err(error) = self.become_notice(&dwell) {
                        next = sooner(next, self.put_off(&key, dwell.due_ms, &error));
                    }
                }
                at => next = sooner(next, at),
            }
            seen.push(key);
        }
        for delivery in self.service.store().read(deliveries::waiting)? {
            let key = Key::Delivery(delivery.notice, delivery.channel.clone());
            seen.push(key.clone());
            if self.under_way.contains(&key) {
                continue;
            }
            let mut at = self.at(&key, delivery.due_ms);
            // Full: the end of one of them makes it look again.
            if at <= time::now() && self.under_way.len() < limits::SENDERS {
                let due_ms = delivery.due_ms;
                match self.dispatch(&key, delivery) {
                    Ok(Some(later)) => at = later,
                    Ok(None) => continue,
                    Err(error) => at = self.put_off(&key, due_ms, &error),
                }
            }
            if at > time::now() {
                next = sooner(next, at);
            }
        }
        self.due.retain(|key, _| seen.contains(key));
        self.troubled.retain(|key, _| seen.contains(key));
        Ok(next)
    }

    /// When a row is due. A wall clock that is set meanwhile makes no difference, and one that was
    /// set before no more than the longest wait that there is.
    fn at(&mut self, key: &Key, due_ms: i64) -> Instant {
        if let Some((known, at)) = self.due.get(key)
            && *known == due_ms
        {
            return *at;
        }
        let left = due_ms.saturating_sub(time::unix_ms()).max(0).unsigned_abs();
        let at = time::now() + Duration::from_millis(left).min(limits::AFTER);
        self.due.insert(key.clone(), (due_ms, at));
        at
    }

    /// A row that cannot be handled holds up no other: it has its turn again, and is said once.
    fn put_off(&mut self, key: &Key, due_ms: i64, error: &Error) -> Instant {
        let words = error.chain();
        if self.troubled.insert(key.clone(), words.clone()).as_ref() != Some(&words) {
            log::error!("{key:?} waits: {words}");
        }
        let at = time::now() + limits::STORE_RETRY;
        self.due.insert(key.clone(), (due_ms, at));
        at
    }

    /// What was about to become a notice does, where it is wanted and nobody has answered.
    fn become_notice(&self, dwell: &Dwell) -> Result<()> {
        let service = &self.service;
        let (session, kind) = (dwell.session.clone(), dwell.kind);
        let row = match service.find(&session) {
            Ok(row) => row,
            // It has gone, and this with it.
            Err(error) if error.code == Code::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let wanted = service.is_wanted(&session, kind)? && !service.is_proof(&row.id, &row.cwd);
        let watched = service.records.notices.is_watched(&session);
        let now = time::unix_ms();
        service.store().write(move |tx| {
            let Some(dwell) = notices::take(tx, &session, kind)?.filter(|_| wanted) else {
                return Ok(());
            };
            let read = watched.then_some(ON_SCREEN);
            let (id, is_new) = notices::insert(tx, &dwell, now, read)?;
            if !is_new || watched {
                return Ok(());
            }
            let all = channels::list(tx)?;
            let takers = all.iter().filter(|channel| channel.takes(kind));
            takers.into_iter().try_for_each(|channel| {
                deliveries::insert(tx, &receipt::waiting(id, channel, now + channel.after_ms))
            })
        })?;
        service.records.waits.notify(super::ANY);
        Ok(())
    }

    /// Puts a delivery on its way; or says when to look at it again, in quiet hours.
    fn dispatch(&mut self, key: &Key, delivery: Delivery) -> Result<Option<Instant>> {
        let service = &self.service;
        let (notice, id) = (delivery.notice, delivery.channel.clone());
        let found = service.store().read(|conn| notices::get(conn, notice))?;
        let channel = service.store().read(|conn| channels::get(conn, &id))?;
        let Some(view) = service.shown(found.into_iter().collect())?.pop() else { return Ok(None) };
        // Answered since it was read: it is no longer on its way.
        let waits = |one: &Delivery| one.channel == id && one.state == DeliveryState::Waiting;
        if !view.deliveries.iter().any(waits) {
            return Ok(None);
        }
        let Some(channel) = channel.filter(|channel| channel.enabled) else {
            self.skip(delivery, "the channel is off or gone")?;
            return Ok(None);
        };
        // Not kept in mind: the setting may change, and then it looks at once.
        if let Some(later) = self.quiet_until(&view)? {
            return Ok(Some(later));
        }
        self.under_way.push(key.clone());
        let lost = Sent::Retry("its thread has ended by itself; see daemon.log".to_string());
        let mut report = Report { ends: self.ends.0.clone(), delivery, sent: lost };
        let service = self.service.clone();
        thread::spawn("notice-send", move || {
            let message = service.message(&view, &channel);
            report.says(service.send_by(&channel, &message));
        })
        .map(|_| None)
    }

    fn skip(&self, delivery: Delivery, why: &str) -> Result<()> {
        let (state, at_ms) = (DeliveryState::Skipped, Some(time::unix_ms()));
        let done = Delivery { state, at_ms, detail: Some(why.to_string()), ..delivery };
        self.service.store().write(move |tx| deliveries::note(tx, &done))?;
        self.service.records.waits.notify(super::ANY);
        Ok(())
    }

    /// When to look again at what has to wait for the end of quiet hours. Not all at once: the wall
    /// clock may be set, and the setting changed.
    fn quiet_until(&self, view: &NoticeView) -> Result<Option<Instant>> {
        if view.notice.kind.breaks_quiet() {
            return Ok(None);
        }
        let hours = raise::quiet_hours(&self.service.setting(raise::QUIET)?);
        let minutes = hours.and_then(|(from, to)| quiet_for(clock::minute_of_day(), from, to));
        Ok(minutes.map(|minutes| {
            let left = Duration::from_secs(u64::from(minutes) * 60);
            time::now() + left.min(limits::QUIET_LOOK)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel;
    use crate::model::notice::Kind;
    use crate::service::login::stand::Stand;
    use crate::service::notices::channels::Wish;
    use crate::store::sessions;

    #[test]
    fn a_delivery_that_cannot_be_handled_holds_up_no_other() {
        let stand = Stand::new("post-alone");
        let service = stand.service.clone();
        let (name, program) = (Some("desk".to_string()), Some("/bin/true".to_string()));
        let wish = Wish { name, program, ..Wish::default() };
        let channel = service.create_channel(channel::Kind::Command, wish, "test").unwrap();
        let rows = ["a", "b"].map(|id| service.blank(id));
        let id = channel.id.clone();
        let made = service.store().write(move |tx| {
            let mut made = Vec::new();
            for row in &rows {
                sessions::insert(tx, row)?;
                let (id, _) =
                    notices::insert(tx, &raise::dwell(tx, row, Kind::Crashed, None)?, 5, None)?;
                deliveries::insert(tx, &receipt::waiting(id, &channel, 0))?;
                made.push(id);
            }
            notices::spoil(tx, "a").map(|()| made)
        });
        let (key, mut post) = (Key::Delivery(made.unwrap()[1], id), Post::new(service));
        let next = post.look().unwrap().expect("the other has its turn again");
        assert!(next > time::now());
        assert_eq!((post.under_way.as_slice(), post.troubled.len()), (&[key][..], 1));
        let (_, sent) = post.ends.1.recv().unwrap();
        assert_eq!(sent, Sent::Done(String::new()));
    }
}
