//! The right to answer one request, held by a handler for microseconds or hours, and the way its
//! answer takes back to the front.

use crate::base::error::Error;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::stream::Stream;
use crate::limits;
use crate::sys::poll::Waker;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// RFC 6797, for a year. Other names below this host are other people's.
const HSTS: &str = "max-age=31536000";

/// A whole request on its way to a worker.
pub struct Job {
    /// What is asked.
    pub request: Request,
    /// Where the reply goes.
    pub answer: Answer,
}

/// Takes over a connection after its 101: the stream, non-blocking, and the bytes that the client
/// sent behind its request. Runs on the front thread, so it only hands them to a thread of its own.
pub type Take = Box<dyn FnOnce(Stream, Vec<u8>) + Send>;

/// What a handler made of a request.
pub enum Outcome {
    /// Bytes to send; the connection is kept for the next request or ends.
    Reply {
        /// Head and body.
        bytes: Vec<u8>,
        /// As the head says.
        keep: bool,
    },
    /// Bytes to send, then the connection leaves the front.
    Upgrade {
        /// The 101 reply.
        head: Vec<u8>,
        /// Gets the connection.
        take: Take,
    },
}

/// What front and answer both know of a waiting request.
#[derive(Default)]
pub struct Link {
    gone: AtomicBool,
    hook: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Link {
    /// Called once by the front, when the client has hung up.
    pub fn mark_gone(&self) {
        let hook = {
            let mut hook = self.hook.lock().unwrap_or_else(|e| e.into_inner());
            self.gone.store(true, Ordering::Release);
            hook.take()
        };
        if let Some(hook) = hook {
            hook();
        }
    }
}

/// The way back to the front. It holds one outcome per connection at most, because a connection
/// has one request at a time and answers to dead connections are dropped before; twice that covers
/// those that die in between. Were it full, senders would wait for the front.
#[derive(Clone)]
pub struct Outbox {
    sender: Sender<(u64, Outcome)>,
    waker: Arc<Waker>,
}

impl Outbox {
    /// Outcomes come out of the receiver with their connection's number; `waker` rings for each.
    pub fn new(waker: Arc<Waker>) -> (Outbox, Receiver<(u64, Outcome)>) {
        let (sender, receiver) = crossbeam_channel::bounded(2 * limits::CONNECTIONS);
        (Outbox { sender, waker }, receiver)
    }
}

/// The right and the duty to answer one request. Dropped without a reply it answers 500.
pub struct Answer {
    link: Arc<Link>,
    outbox: Outbox,
    connection: u64,
    keep: bool,
    head_only: bool,
    tls: bool,
    settled: bool,
}

impl Answer {
    /// For the request that `connection` just sent.
    pub fn new(outbox: Outbox, connection: u64, keep: bool, head_only: bool) -> Answer {
        let link = Arc::new(Link::default());
        Answer { link, outbox, connection, keep, head_only, tls: false, settled: false }
    }

    /// What the front keeps of it.
    pub fn link(&self) -> Arc<Link> {
        self.link.clone()
    }

    /// The request came over TLS: its reply says that nothing else should be tried from now on.
    pub fn came_over_tls(&mut self) {
        self.tls = true;
    }

    /// Sends the reply. Does not wait for the client.
    pub fn send(mut self, reply: Reply) {
        let reply = match self.tls {
            true => reply.header("Strict-Transport-Security", HSTS),
            false => reply,
        };
        self.settle(&reply);
    }

    /// Sends `head` (a whole 101 reply) and hands the connection over, see [`Take`]. The callback
    /// does not run when the client goes away before it has taken the head.
    pub fn upgrade(mut self, head: Vec<u8>, take: Take) {
        self.settled = true;
        self.deliver(Outcome::Upgrade { head, take });
    }

    /// Sends the head of a reply whose body `take` makes while it is sent, and hands the connection
    /// over, like [`Answer::upgrade`]. To HEAD there is no body.
    pub fn stream(mut self, reply: Reply, take: Take) {
        let reply = match self.tls {
            true => reply.header("Strict-Transport-Security", HSTS),
            false => reply,
        };
        match reply.streamed() {
            Ok(head) if !self.head_only => {
                self.settled = true;
                self.deliver(Outcome::Upgrade { head, take });
            }
            Ok(_) => self.settle(&reply),
            Err(error) => self.settle(&Reply::error(&error)),
        }
    }

    /// The client has hung up; nobody will read a reply.
    pub fn is_gone(&self) -> bool {
        self.link.gone.load(Ordering::Acquire)
    }

    /// Runs `hook` when the client hangs up before the reply, at once if it has already. It runs on
    /// the front thread and must not wait: wake somebody else. A later hook replaces an earlier.
    pub fn on_gone(&self, hook: impl FnOnce() + Send + 'static) {
        let mut place = self.link.hook.lock().unwrap_or_else(|e| e.into_inner());
        if self.is_gone() {
            drop(place);
            return hook();
        }
        *place = Some(Box::new(hook));
    }

    /// Gives the right up: the front answers this one itself.
    pub fn defuse(mut self) {
        self.settled = true;
    }

    fn settle(&mut self, reply: &Reply) {
        self.settled = true;
        if !self.is_gone() {
            let bytes = reply.render(self.keep, self.head_only);
            self.deliver(Outcome::Reply { bytes, keep: self.keep });
        }
    }

    fn deliver(&self, outcome: Outcome) {
        // Fails only after the front has ended, and the connection with it.
        if !self.is_gone() && self.outbox.sender.send((self.connection, outcome)).is_ok() {
            self.outbox.waker.wake();
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // A gone client is the usual reason to drop a parked request, and no error.
        if !self.settled && !self.is_gone() {
            self.settle(&Reply::error(&Error::internal("a request was dropped without a reply")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn pair() -> (Answer, Receiver<(u64, Outcome)>) {
        let (outbox, receiver) = Outbox::new(Arc::new(Waker::new().unwrap()));
        (Answer::new(outbox, 9, true, false), receiver)
    }

    #[test]
    fn a_dropped_answer_is_a_500() {
        let (answer, outcomes) = pair();
        drop(answer);
        let Ok((9, Outcome::Reply { bytes, keep: true })) = outcomes.try_recv() else {
            panic!("no reply");
        };
        assert!(bytes.starts_with(b"HTTP/1.1 500 "));
    }

    #[test]
    fn a_parked_request_learns_once_that_its_client_is_gone() {
        let (answer, outcomes) = pair();
        let rung = Arc::new(AtomicUsize::new(0));
        let count = |rung: &Arc<AtomicUsize>| {
            let rung = rung.clone();
            move || {
                rung.fetch_add(1, Ordering::SeqCst);
            }
        };
        answer.on_gone(count(&rung));
        assert!(!answer.is_gone());
        answer.link().mark_gone();
        assert!(answer.is_gone());
        assert_eq!(rung.load(Ordering::SeqCst), 1);
        answer.on_gone(count(&rung));
        assert_eq!(rung.load(Ordering::SeqCst), 2, "a late hook runs at once");
        drop(answer);
        assert!(outcomes.try_recv().is_err(), "nobody is there to be told");
    }
}
