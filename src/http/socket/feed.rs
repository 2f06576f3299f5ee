//! The subscriptions of one socket, each with its number, served in turn.

use crate::base::error::{Error, Result};
use crate::http::handlers::Api;
use crate::http::socket::message::Start;
use crate::http::socket::news::ApprovalList;
use crate::http::socket::news::EventList;
use crate::http::socket::news::SessionList;
use crate::http::socket::notices::NoticeList;
use crate::http::socket::pty::Terminal;
use crate::http::socket::topic::Topic;
use crate::http::wire;
use crate::http::wire::Wire;
use crate::limits;
use crate::service::news::Changed;
use crate::sys::poll::Waker;
use serde_json::Value;
use std::sync::Arc;

/// What one subscription gives.
pub enum Feed {
    /// Sessions that change.
    Sessions(SessionList),
    /// Events of a session.
    Events(EventList),
    /// Approvals that come and go.
    Approvals(ApprovalList),
    /// What a person should hear of.
    Notices(NoticeList),
    /// A terminal.
    Terminal(Box<Terminal>),
}

impl Feed {
    /// Begins one; `waker` rings when it has something to give.
    pub fn open(api: &Api, topic: &Topic, start: &Start, waker: &Arc<Waker>) -> Result<Feed> {
        Ok(match topic {
            Topic::Sessions => Feed::Sessions(SessionList::new(api)?),
            Topic::Approvals => Feed::Approvals(ApprovalList::new(api)?),
            Topic::Notifications => Feed::Notices(NoticeList::new(api)?),
            Topic::Events(session) => {
                let since = if let Start::Event(seq) = start { Some(*seq) } else { None };
                Feed::Events(EventList::new(api, session, topic.name(), since)?)
            }
            Topic::Terminal(session) => {
                Feed::Terminal(Box::new(Terminal::new(api, session, *start, waker)?))
            }
        })
    }

    fn changed(&mut self, changed: &Changed) {
        match self {
            Feed::Sessions(list) => list.changed(changed),
            Feed::Events(list) => list.changed(changed),
            Feed::Approvals(list) => list.changed(changed),
            Feed::Notices(list) => list.changed(changed),
            Feed::Terminal(terminal) => terminal.changed(changed),
        }
    }
}

/// What a peer is told of a subscription that does not work.
pub fn error(error: &Error, topic: &str) -> Value {
    let mut body = wire::error(error);
    body["topic"] = topic.into();
    body
}

/// See the file's head.
pub struct Feeds {
    list: Vec<Entry>,
    /// The number given last.
    number: u16,
    /// What has changed up to here is noted.
    seen: u64,
    /// Room for reading output.
    room: Vec<u8>,
}

struct Entry {
    name: String,
    id: u16,
    feed: Feed,
}

impl Feeds {
    /// None yet.
    pub fn new(api: &Api, waker: &Arc<Waker>) -> Feeds {
        let seen = api.records.waits.news.watch(waker);
        Feeds { list: Vec::new(), number: 0, seen, room: vec![0; limits::WS_CHUNK] }
    }

    /// Adds one and gives it a number that no other has.
    pub fn add(&mut self, name: String, feed: Feed) -> Result<u16> {
        if self.list.len() >= limits::socket::TOPICS {
            let most = limits::socket::TOPICS;
            return Err(Error::busy(format!("{most} subscriptions are open; end one")));
        }
        loop {
            self.number = self.number.wrapping_add(1);
            if self.list.iter().all(|entry| entry.id != self.number) {
                break;
            }
        }
        self.list.push(Entry { name, id: self.number, feed });
        Ok(self.number)
    }

    /// Ends one; false where there is none of this name.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.list.len();
        self.list.retain(|entry| entry.name != name);
        self.list.len() < before
    }

    /// Gives each its turn, as long as the peer reads; true when there may be more at once. One
    /// that cannot go on is ended with the reason.
    pub fn pump(&mut self, api: &Api, wire: &mut Wire) -> bool {
        if let Some(changed) = api.records.waits.news.since(&mut self.seen) {
            self.list.iter_mut().for_each(|entry| entry.feed.changed(&changed));
        }
        let (mut more, room) = (false, &mut self.room);
        self.list.retain_mut(|entry| {
            if wire.is_full() {
                return true;
            }
            let pumped = match &mut entry.feed {
                Feed::Sessions(list) => list.pump(api, wire),
                Feed::Events(list) => list.pump(api, wire),
                Feed::Approvals(list) => list.pump(api, wire),
                Feed::Notices(list) => list.pump(api, wire),
                Feed::Terminal(terminal) => terminal.pump(api, wire, entry.id, room),
            };
            match pumped {
                Ok(again) => more |= again,
                Err(error) => {
                    wire.say(&self::error(&error, &entry.name));
                    return false;
                }
            }
            true
        });
        more && !wire.is_full()
    }
}
