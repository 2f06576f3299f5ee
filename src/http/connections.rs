//! The table of open connections: who holds how many, what they hold, who is due and who goes
//! first when there are too many.

use crate::http::answer::Link;
use crate::http::answer::Take;
use crate::http::conn::Conn;
use crate::http::message::Peer;
use crate::http::stream::Key;
use crate::http::stream::Stream;
use crate::http::stream::Who;
use crate::limits;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// How many connections there may be.
#[derive(Clone, Copy)]
pub struct Caps {
    /// Over all peers.
    pub all: usize,
    /// Of them, over TCP.
    pub web: usize,
    /// From one peer.
    pub per_peer: usize,
}

/// What the product runs with; tests make theirs smaller.
pub const CAPS: Caps = Caps {
    all: limits::CONNECTIONS,
    web: limits::CONNECTIONS_WEB,
    per_peer: limits::CONNECTIONS_PER_PEER,
};

/// Where a newcomer gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// There is room.
    Free,
    /// In the place of this one, which has to be closed first.
    Of(u64),
    /// All are at work.
    Nowhere,
}

impl Place {
    fn of(victim: Option<u64>) -> Place {
        victim.map_or(Place::Nowhere, Place::Of)
    }
}

/// One open connection.
pub struct Slot {
    /// Its socket.
    pub stream: Stream,
    /// Its state.
    pub conn: Conn,
    /// Who connected.
    pub who: Who,
    /// The same with a lasting handle, from the first whole request on: a handle costs a
    /// descriptor, and a silent flood gets none.
    pub peer: Option<Arc<Peer>>,
    /// What it is watched for: reading, writing.
    pub armed: (bool, bool),
    /// The request that is being answered.
    pub link: Option<Arc<Link>>,
    /// Who gets it when its last reply is out.
    pub take: Option<Take>,
    /// Our side is closed.
    pub ended: bool,
    accepted: Instant,
    held: usize,
}

/// All of them.
pub struct Connections {
    slots: HashMap<u64, Slot>,
    per_peer: HashMap<Key, usize>,
    web: usize,
    caps: Caps,
    next: u64,
    held: usize,
    due: Option<Instant>,
    open: Arc<AtomicUsize>,
}

impl Connections {
    /// None yet. Their numbers start at `first`; `open` is kept at their count.
    pub fn new(caps: Caps, first: u64, open: Arc<AtomicUsize>) -> Connections {
        let (slots, per_peer) = (HashMap::new(), HashMap::new());
        Connections { slots, per_peer, web: 0, caps, next: first, held: 0, due: None, open }
    }

    /// Adds one and gives it a number that is never used again.
    pub fn insert(&mut self, stream: Stream, conn: Conn, who: Who, accepted: Instant) -> u64 {
        let id = self.next;
        self.next += 1;
        *self.per_peer.entry(who.key()).or_default() += 1;
        self.web += usize::from(who.key().is_web());
        let slot = Slot {
            stream,
            conn,
            who,
            peer: None,
            armed: (true, false),
            link: None,
            take: None,
            ended: false,
            accepted,
            held: 0,
        };
        self.slots.insert(id, slot);
        self.open.store(self.slots.len(), Ordering::Relaxed);
        self.note(id);
        id
    }

    /// The connection with this number, while it is open.
    pub fn get(&mut self, id: u64) -> Option<&mut Slot> {
        self.slots.get_mut(&id)
    }

    /// Takes one out of the table.
    pub fn remove(&mut self, id: u64) -> Option<Slot> {
        let slot = self.slots.remove(&id)?;
        self.held -= slot.held;
        let key = slot.who.key();
        self.web -= usize::from(key.is_web());
        if let Some(count) = self.per_peer.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.per_peer.remove(&key);
            }
        }
        self.open.store(self.slots.len(), Ordering::Relaxed);
        Some(slot)
    }

    /// Counts anew what one holds and when it is due; to be called after every change.
    pub fn note(&mut self, id: u64) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let held = slot.conn.held();
        self.held = self.held - slot.held + held;
        slot.held = held;
        if let Some(deadline) = slot.conn.deadline() {
            self.due = Some(self.due.map_or(deadline, |due| due.min(deadline)));
        }
    }

    /// Whether a connection that holds `own` bytes must not get `more`, because all together hold
    /// too much and it has the share that everybody gets.
    pub fn is_over_budget(&self, own: usize, more: usize) -> bool {
        own + more > limits::FRONT_SMALL && self.held + more > limits::FRONT_BYTES
    }

    /// The peer behind this connection waits for a reply, here or on another connection.
    pub fn peer_waits(&self, id: u64) -> bool {
        let Some(own) = self.slots.get(&id) else { return false };
        self.slots.values().any(|slot| slot.link.is_some() && slot.who.key() == own.who.key())
    }

    /// Where a newcomer gets in. One whose peer has all it may have takes the place of another of
    /// that peer's; over TCP nobody's but another's who came so.
    pub fn place_for(&self, newcomer: Key) -> Place {
        let own = self.per_peer.get(&newcomer).copied().unwrap_or_default();
        let web = newcomer.is_web();
        if newcomer.is_one_peer() && own >= self.caps.per_peer {
            return Place::of(self.pick(own, |slot| slot.who.key() == newcomer));
        }
        if self.slots.len() < self.caps.all && !(web && self.web >= self.caps.web) {
            return Place::Free;
        }
        Place::of(self.pick(own, |slot| !web || slot.who.key().is_web()))
    }

    /// The one to close when descriptors run out.
    pub fn victim(&self) -> Option<u64> {
        self.pick(0, |_| true)
    }

    /// Of these the one that has waited longest without ever sending a whole request, or else one
    /// that nobody will miss, or else one whose next request is not whole, or else one that leaves
    /// its reply unread, of the peer that has the most and more than `own`. `None` when all are at
    /// work.
    fn pick(&self, own: usize, among: impl Fn(&Slot) -> bool) -> Option<u64> {
        let count = |key| self.per_peer.get(&key).copied().unwrap_or_default();
        let rank = |slot: &Slot| match &slot.conn {
            conn if conn.lingers() => Some((0, Reverse(0))),
            conn if conn.is_fresh() => Some((1, Reverse(0))),
            conn if conn.is_idle() => Some((2, Reverse(0))),
            conn if conn.is_waiting() => None,
            conn if conn.pending().is_empty() => Some((3, Reverse(0))),
            _ => {
                // Behind a loopback address are many, so that its own count says nothing.
                let key = slot.who.key();
                (count(key) > own || !key.is_one_peer()).then(|| (4, Reverse(count(key))))
            }
        };
        let ranked = self.slots.iter().filter(|(_, slot)| among(slot)).filter_map(|(id, slot)| {
            let rank = rank(slot)?;
            Some((rank, slot.accepted, *id))
        });
        ranked.min().map(|(_, _, id)| id)
    }

    /// No deadline is earlier. It may be one that was met in the meantime: looking once too often
    /// is cheaper than searching after every request.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Those whose deadline has passed.
    pub fn take_due(&mut self, now: Instant) -> Vec<u64> {
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        let deadlines = || self.slots.iter().filter_map(|(id, s)| Some((s.conn.deadline()?, *id)));
        let late = deadlines().filter(|(deadline, _)| *deadline <= now).map(|(_, id)| id).collect();
        self.due = deadlines().map(|(deadline, _)| deadline).filter(|d| *d > now).min();
        late
    }

    /// The numbers of those that `which` picks.
    pub fn select(&self, which: impl Fn(&Conn) -> bool) -> Vec<u64> {
        self.slots.iter().filter(|(_, slot)| which(&slot.conn)).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time;
    use crate::http::conn::Next;
    use crate::http::message::Door;
    use crate::sys::sock::Peer;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    fn add(table: &mut Connections, pid: i32, accepted: Instant) -> u64 {
        let (stream, _) = UnixStream::pair().unwrap();
        let (stream, who) = (Stream::Unix(stream), Who::Process(Peer { pid, uid: 0 }));
        table.insert(stream, Conn::new(Door::Control, accepted), who, accepted)
    }

    fn get_whole(table: &mut Connections, id: u64, now: Instant) {
        let slot = table.get(id).unwrap();
        assert!(slot.conn.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", now).is_some());
    }

    #[test]
    fn the_silent_go_first_and_those_at_work_never() {
        let (start, open) = (time::now(), Arc::new(AtomicUsize::new(0)));
        let mut table = Connections::new(Caps { all: 3, web: 2, per_peer: 2 }, 10, open.clone());
        let at = |s| start + Duration::from_secs(s);
        let (busy, silent, newer) =
            (add(&mut table, 1, at(0)), add(&mut table, 1, at(1)), add(&mut table, 2, at(2)));
        get_whole(&mut table, busy, at(3));
        let place = |table: &Connections, pid| table.place_for(Key::Process(pid));
        assert_eq!(place(&table, 9), Place::Of(silent));
        assert_eq!(place(&table, 1), Place::Of(silent), "its own share is full too");
        table.remove(silent);
        assert_eq!((place(&table, 9), place(&table, 1)), (Place::Free, Place::Free));
        let third = add(&mut table, 1, at(4));
        get_whole(&mut table, third, at(4));
        assert_eq!(place(&table, 9), Place::Of(newer));
        assert_eq!(place(&table, 1), Place::Nowhere, "at work, and not in another's place");
        table.remove(third);
        table.remove(newer);
        assert_eq!(open.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn half_a_request_holds_no_place_also_after_a_whole_one() {
        let (start, open) = (time::now(), Arc::new(AtomicUsize::new(0)));
        let mut table = Connections::new(Caps { all: 2, web: 2, per_peer: 2 }, 10, open);
        let halves = ["GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"];
        for half in halves {
            let id = add(&mut table, 1, start);
            get_whole(&mut table, id, start);
            let conn = &mut table.get(id).unwrap().conn;
            conn.reply(b"r".to_vec(), Next::Keep, start);
            assert!(conn.written(1, start).is_none());
            assert!(conn.feed(half.as_bytes(), start).is_none());
        }
        let Place::Of(first) = table.place_for(Key::Process(9)) else { panic!("no place") };
        table.remove(first);
        add(&mut table, 2, start);
        assert!(matches!(table.place_for(Key::Process(9)), Place::Of(_)));
    }

    #[test]
    fn an_unread_reply_goes_for_a_process_that_has_less() {
        let (start, open) = (time::now(), Arc::new(AtomicUsize::new(0)));
        let mut table = Connections::new(CAPS, 10, open);
        let at = |s| start + Duration::from_secs(s);
        let (small, first, second) =
            (add(&mut table, 1, at(0)), add(&mut table, 2, at(1)), add(&mut table, 2, at(2)));
        for id in [small, first, second] {
            get_whole(&mut table, id, at(3));
            let slot = table.get(id).unwrap();
            slot.conn.reply(b"unread".to_vec(), Next::Keep, at(3));
        }
        let most = |own| table.pick(own, |_| true);
        assert_eq!(most(0), Some(first), "the oldest of the process that has the most");
        assert_eq!(most(1), Some(first));
        assert_eq!(most(2), None, "not for one that has the most itself");
    }

    #[test]
    fn a_flood_over_tcp_takes_no_place_of_the_persons_own_programs() {
        let (start, open) = (time::now(), Arc::new(AtomicUsize::new(0)));
        let mut table = Connections::new(Caps { all: 4, web: 2, per_peer: 2 }, 10, open);
        add(&mut table, 1, start);
        let web = |table: &mut Connections, ip: &str| {
            let (stream, _) = UnixStream::pair().unwrap();
            let who = Who::Address(format!("{ip}:1").parse().unwrap());
            let conn = Conn::new(Door::Web, start);
            (table.insert(Stream::Unix(stream), conn, who, start), who.key())
        };
        let (first, key) = web(&mut table, "127.0.0.1");
        assert_eq!(table.place_for(key), Place::Free);
        web(&mut table, "127.0.0.1");
        assert_eq!(table.place_for(key), Place::Of(first), "not that of the Unix socket's");
        assert_eq!(table.place_for(Key::Process(9)), Place::Free);
    }

    #[test]
    fn deadlines_come_up_once_and_an_empty_table_has_none() {
        let (start, open) = (time::now(), Arc::new(AtomicUsize::new(0)));
        let mut table = Connections::new(CAPS, 10, open);
        let first = add(&mut table, 1, start);
        add(&mut table, 1, start + Duration::from_secs(1));
        let first_due = start + limits::HEAD_WAIT;
        assert_eq!(table.due(), Some(first_due));
        assert!(table.take_due(start).is_empty());
        assert_eq!(table.take_due(first_due), [first]);
        assert_eq!(table.due(), Some(first_due + Duration::from_secs(1)));
        assert_eq!(table.take_due(first_due + Duration::from_secs(2)).len(), 2);
        assert_eq!(table.due(), None);
    }
}
