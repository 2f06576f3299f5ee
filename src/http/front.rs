//! The thread `front`: owns every listener and every connection of every door until a whole
//! request is in and until the whole reply is out. It never waits for a peer or for a worker.
//!
//! 1. No peer, however many connections it opens and whatever it sends or leaves unread, MUST
//!    keep another's request from being answered.
//! 2. Memory MUST stay within the limits, whatever peers send and leave unread.

use crate::base::error::{Error, Result};
use crate::base::thread;
use crate::base::time;
use crate::http::answer::Answer;
use crate::http::answer::Job;
use crate::http::answer::Outbox;
use crate::http::answer::Outcome;
use crate::http::conn::Conn;
use crate::http::conn::Next;
use crate::http::conn::Whole;
use crate::http::connections::CAPS;
use crate::http::connections::Caps;
use crate::http::connections::Connections;
use crate::http::connections::Place;
use crate::http::doors;
use crate::http::doors::Came;
use crate::http::doors::Doors;
use crate::http::doors::Listen;
use crate::http::lanes::Lanes;
use crate::http::message::Door;
use crate::http::message::Peer;
use crate::http::message::Refusal;
use crate::http::message::Request;
use crate::http::stream::Stream;
use crate::http::stream::Who;
use crate::limits;
use crate::sys::epoll::Poller;
use crate::sys::epoll::Ready;
use crate::sys::poll::Waker;
use crossbeam_channel::Receiver;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;
use tiny_http::Method;

/// Numbers in the poller: the waker, then the doors, and the connections from here.
const WAKER: u64 = 0;
const FIRST: u64 = 1 << 16;
/// Bytes of one read.
const SCRATCH: usize = 64 * 1024;

/// Starts the front. Whole requests go into `jobs`; when that is full the client gets 503.
pub fn start(listens: Vec<Listen>, jobs: Lanes) -> Result<FrontHandle> {
    start_with(listens, jobs, CAPS)
}

/// [`start`] with other numbers, for tests.
pub fn start_with(listens: Vec<Listen>, jobs: Lanes, caps: Caps) -> Result<FrontHandle> {
    let waker = Arc::new(Waker::new()?);
    let (outbox, outcomes) = Outbox::new(waker.clone());
    let orders = Arc::new(Mutex::new(Orders::default()));
    let open = Arc::new(AtomicUsize::new(0));
    let front = Front {
        poller: Poller::new()?,
        waker: waker.clone(),
        orders: orders.clone(),
        doors: Doors::new(listens)?,
        connections: Connections::new(caps, FIRST, open.clone()),
        jobs,
        outbox,
        outcomes,
        scratch: vec![0; SCRATCH],
    };
    front.poller.add(&waker, WAKER, true, false)?;
    front.doors.open(&front.poller)?;
    let thread = thread::spawn("front", move || front.run())?;
    Ok(FrontHandle { waker, orders, open, thread })
}

/// Counts, and stops, a running front.
pub struct FrontHandle {
    waker: Arc<Waker>,
    orders: Arc<Mutex<Orders>>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<Option<()>>,
}

#[derive(Clone, Copy, Default)]
struct Orders {
    stop_accepting: bool,
    end: Option<Instant>,
}

impl FrontHandle {
    /// Open connections, without those that were upgraded.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Closes the listeners; open connections go on. The socket files stay where they are.
    pub fn stop_accepting(&self) {
        self.orders.lock().unwrap_or_else(|e| e.into_inner()).stop_accepting = true;
        self.waker.wake();
    }

    /// Closes the listeners and all idle connections, gives the others up to `grace` to get their
    /// replies, closes them too and ends the thread. Parked requests learn that they are gone.
    pub fn shutdown(self, grace: Duration) {
        let end = Some(time::now() + grace);
        let orders = Orders { stop_accepting: true, end };
        *self.orders.lock().unwrap_or_else(|e| e.into_inner()) = orders;
        self.waker.wake();
        // A front that panicked has said so in the log.
        let _ = self.thread.join();
    }
}

struct Front {
    poller: Poller,
    waker: Arc<Waker>,
    orders: Arc<Mutex<Orders>>,
    doors: Doors,
    connections: Connections,
    jobs: Lanes,
    outbox: Outbox,
    outcomes: Receiver<(u64, Outcome)>,
    scratch: Vec<u8>,
}

impl Front {
    fn run(mut self) {
        loop {
            let orders = *self.orders.lock().unwrap_or_else(|e| e.into_inner());
            if orders.stop_accepting {
                self.doors.close(&self.poller);
            }
            if let Some(end) = orders.end
                && self.is_drained(end)
            {
                break;
            }
            let due = [self.connections.due(), self.doors.paused(), orders.end];
            let timeout = due.into_iter().flatten().min().map(time::until);
            match self.poller.wait(timeout) {
                Ok(ready) => self.turn(&ready),
                Err(error) => {
                    log::error!("the front ends: {}", error.chain());
                    break;
                }
            }
        }
        self.connections.select(|_| true).into_iter().for_each(|id| self.close(id));
    }

    /// Closes whoever is owed no reply; true when nobody is left or the time is over.
    fn is_drained(&mut self, end: Instant) -> bool {
        let owed = |conn: &Conn| conn.is_waiting() || !conn.pending().is_empty();
        self.connections.select(|conn| !owed(conn)).into_iter().for_each(|id| self.close(id));
        time::now() >= end || self.connections.select(|_| true).is_empty()
    }

    fn turn(&mut self, ready: &[Ready]) {
        let now = time::now();
        let (new, known) = ready.iter().partition::<Vec<&Ready>, _>(|r| r.token < FIRST);
        // Before new ones are let in: a request that is there saves its connection from eviction.
        known.into_iter().for_each(|ready| self.serve(*ready, now));
        for ready in new {
            match ready.token {
                WAKER => self.waker.clear(),
                token => self.accept((token - doors::FIRST) as usize, now),
            }
        }
        while let Ok((id, outcome)) = self.outcomes.try_recv() {
            self.finish(id, outcome, now);
        }
        for id in self.connections.take_due(now) {
            if let Some(slot) = self.connections.get(id) {
                slot.conn.timed_out(now);
            }
            self.settle(id, now);
        }
        self.doors.resume(now, &self.poller);
    }

    fn accept(&mut self, index: usize, now: Instant) {
        for turn in 0..limits::ACCEPT_TURN {
            match self.doors.accept(index, now, &self.poller) {
                Came::Somebody(stream, door, who) => self.admit(stream, door, who, now),
                // The kernel says so before it looks whether anybody waits, and only at first is it
                // known that somebody does.
                Came::NoDescriptors if turn > 0 => return,
                Came::NoDescriptors => match self.connections.victim() {
                    Some(victim) => self.close(victim),
                    None => self.doors.shed(index, now, &self.poller),
                },
                Came::Stranger => {}
                Came::Nobody => return,
            }
        }
    }

    fn admit(&mut self, stream: Stream, door: Door, who: Who, now: Instant) {
        match self.connections.place_for(who.key()) {
            Place::Free => {}
            Place::Of(victim) => self.close(victim),
            Place::Nowhere => return self.turn_away(&stream),
        }
        let id = self.connections.insert(stream, Conn::new(door, now), who, now);
        let Some(slot) = self.connections.get(id) else { return };
        if let Err(error) = self.poller.add(&slot.stream, id, true, false) {
            self.unwatchable(id, &error);
        }
    }

    fn unwatchable(&mut self, id: u64, error: &Error) {
        log::error!("a connection is dropped: {}", error.chain());
        self.close(id);
    }

    /// A few words for one who does not get in, as far as they can be said without waiting. What
    /// it sent is read first: a socket closed over unread bytes looks like a crash.
    fn turn_away(&mut self, mut stream: &Stream) {
        let _ = stream.read(&mut self.scratch);
        let _ = stream.write(
            &Refusal::new(503, "too many connections; try again later")
                .reply()
                .render(false, false),
        );
        stream.end_output();
    }

    fn serve(&mut self, ready: Ready, now: Instant) {
        let id = ready.token;
        let Some(slot) = self.connections.get(id) else { return };
        if ready.readable && slot.conn.is_waiting() && slot.stream.is_finished() {
            return self.close(id);
        }
        if ready.readable && slot.conn.room() == 0 {
            // It is only unwatched when it really sends ahead, which most clients never do.
            slot.armed.0 = false;
            if let Err(error) = self.poller.change(&slot.stream, id, false, slot.armed.1) {
                return self.unwatchable(id, &error);
            }
        }
        if ready.readable || ready.hung_up {
            self.read(id, now);
        }
        match self.connections.get(id) {
            Some(slot) if ready.hung_up && slot.conn.room() == 0 => self.close(id),
            _ => self.settle(id, now),
        }
    }

    fn read(&mut self, id: u64, now: Instant) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut left = limits::TURN_BYTES;
        while let Some(slot) = self.connections.get(id) {
            let room = slot.conn.room().min(scratch.len()).min(left);
            if room == 0 {
                break;
            }
            let count = match (&slot.stream).read(&mut scratch[..room]) {
                Ok(count) if count > 0 => count,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {
                    slot.conn.end_of_input();
                    break;
                }
            };
            left -= count;
            let whole = slot.conn.feed(&scratch[..count], now);
            let own = if slot.conn.in_body() { slot.conn.held() } else { 0 };
            self.connections.note(id);
            match whole {
                Some(whole) => self.dispatch(id, whole, now),
                None if self.connections.is_over_budget(own, 0) => self.overloaded(id, now),
                // A short read has emptied the socket; what comes later is told.
                None if count < room => break,
                None => {}
            }
        }
        self.scratch = scratch;
    }

    fn overloaded(&mut self, id: u64, now: Instant) {
        if let Some(slot) = self.connections.get(id) {
            slot.conn.refuse(&Refusal::new(503, "too much is on its way; try again later"), now);
        }
    }

    fn dispatch(&mut self, id: u64, whole: Whole, now: Instant) {
        let is_only = !self.connections.peer_waits(id);
        let Some(slot) = self.connections.get(id) else { return };
        let (stream, who) = (&slot.stream, slot.who);
        let peer =
            slot.peer.get_or_insert_with(|| Arc::new(Peer::new(who, stream.pidfd()))).clone();
        let head_only = whole.head.method == Method::Head;
        let answer = Answer::new(self.outbox.clone(), id, whole.head.keep, head_only);
        let link = answer.link();
        let request = Request::new(slot.conn.door(), peer, whole);
        match self.jobs.put(Job { request, answer }, is_only) {
            None => slot.link = Some(link),
            Some(refused) => {
                // Through the queue it would come back to this thread.
                refused.answer.defuse();
                slot.conn.refuse(&Refusal::new(503, "too busy; try again later"), now);
            }
        }
    }

    fn finish(&mut self, id: u64, outcome: Outcome, now: Instant) {
        let over = match &outcome {
            Outcome::Reply { bytes, .. } => self.connections.is_over_budget(0, bytes.len()),
            Outcome::Upgrade { .. } => false,
        };
        let Some(slot) = self.connections.get(id) else { return };
        slot.link = None;
        match outcome {
            Outcome::Reply { .. } if over => self.overloaded(id, now),
            Outcome::Reply { bytes, keep } => {
                let next = if keep { Next::Keep } else { Next::Close };
                slot.conn.reply(bytes, next, now);
            }
            Outcome::Upgrade { head, take } => {
                slot.take = Some(take);
                slot.conn.reply(head, Next::HandOver, now);
            }
        }
        self.settle(id, now);
    }

    /// Writes what can be written, then closes the connection or watches it for what it wants.
    fn settle(&mut self, id: u64, now: Instant) {
        let mut left = limits::TURN_BYTES;
        while let Some(slot) = self.connections.get(id) {
            let pending = slot.conn.pending();
            let count = pending.len().min(left);
            if count == 0 {
                break;
            }
            match (&slot.stream).write(&pending[..count]) {
                Ok(count) if count > 0 => {
                    left -= count;
                    if let Some(whole) = slot.conn.written(count, now) {
                        self.dispatch(id, whole, now);
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => return self.close(id),
            }
        }
        let Some(slot) = self.connections.get(id) else { return };
        if slot.conn.is_done() {
            return self.close(id);
        }
        if slot.conn.lingers() && !slot.ended {
            slot.ended = true;
            slot.stream.end_output();
        }
        // Reading stays armed while a request is being answered, see serve().
        let read = slot.armed.0 || slot.conn.room() > 0;
        let want = (read, !slot.conn.pending().is_empty());
        if want != slot.armed {
            slot.armed = want;
            if let Err(error) = self.poller.change(&slot.stream, id, want.0, want.1) {
                return self.unwatchable(id, &error);
            }
        }
        self.connections.note(id);
    }

    /// Forgets a connection: closes it, or hands it over if that is what its last reply said.
    fn close(&mut self, id: u64) {
        let Some(slot) = self.connections.remove(id) else { return };
        self.poller.remove(&slot.stream);
        let result = catch_unwind(AssertUnwindSafe(|| {
            if let Some(link) = slot.link {
                link.mark_gone();
            }
            if let Some(take) = slot.take
                && slot.conn.is_done()
                && slot.conn.pending().is_empty()
            {
                take(slot.stream, slot.conn.into_leftover());
            }
        }));
        if let Err(panic) = result {
            log::error!("the end of a connection panicked: {}", thread::panic_text(&*panic));
        }
    }
}
