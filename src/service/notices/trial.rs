//! Tests of channels: one try of each, in a thread of its own. No notice is made.

use crate::base::error::{Error, Result};
use crate::base::thread;
use crate::base::time;
use crate::limits::notices as limits;
use crate::model::channel::Channel;
use crate::model::notice::Delivery;
use crate::service::Service;
use crate::service::notices::message::Message;
use crate::service::notices::receipt;
use crate::service::notices::send::Sent;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// A place among the tests that are under way, given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(tests: &Arc<AtomicUsize>) -> Option<Place> {
        let place = Place(tests.clone());
        (tests.fetch_add(1, Ordering::SeqCst) < limits::TESTS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service {
    /// Sends a test by a channel now, in a thread of its own; `done` gets the receipt. Others under
    /// way: `Busy`.
    pub fn test_channel(
        self: &Arc<Service>,
        words: &str,
        done: impl FnOnce(Result<Delivery>) + Send + 'static,
    ) {
        match self.find_channel(words) {
            Ok(channel) => self.test_each(vec![channel], |all| {
                let lost = || Error::internal("a test without its receipt");
                done(all.and_then(|mut all| all.pop().ok_or_else(lost)));
            }),
            Err(error) => done(Err(error)),
        }
    }

    /// The same by all channels that are on, one after the other.
    pub fn test_channels(
        self: &Arc<Service>,
        done: impl FnOnce(Result<Vec<Delivery>>) + Send + 'static,
    ) {
        match self.channels() {
            Ok(all) => self.test_each(all.into_iter().filter(|one| one.enabled).collect(), done),
            Err(error) => done(Err(error)),
        }
    }

    fn test_each(
        self: &Arc<Service>,
        channels: Vec<Channel>,
        done: impl FnOnce(Result<Vec<Delivery>>) + Send + 'static,
    ) {
        let Some(place) = Place::take(&self.records.notices.tests) else {
            return done(Err(Error::busy("other tests are under way; try again")));
        };
        let service = self.clone();
        let spawned = thread::spawn("notice-test", move || {
            let receipts = channels.iter().map(|channel| service.test(channel)).collect();
            drop(place);
            done(Ok(receipts));
        });
        if let Err(error) = spawned {
            log::error!("{}", error.chain());
        }
    }

    fn test(&self, channel: &Channel) -> Delivery {
        let mut done = receipt::waiting(0, channel, time::unix_ms());
        let sent = match self.send_by(channel, &Message::test(channel)) {
            Sent::Retry(words) => Sent::Failed(words),
            sent => sent,
        };
        receipt::settle(&mut done, &sent, time::unix_ms());
        let last = done.clone();
        if let Err(error) = self.store().write(move |tx| receipt::note_channel(tx, &last)) {
            log::warn!("{}", error.chain());
        }
        done
    }
}
