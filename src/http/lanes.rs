//! The queue between the front and the workers. A peer's only request goes before further ones of
//! peers that have some under way already, so that one that asks a lot waits for itself.

use crate::http::answer::Job;
use crate::limits;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::TrySendError;
use crossbeam_channel::bounded;

/// Where requests go in.
pub struct Lanes {
    only: Sender<Job>,
    further: Sender<Job>,
}

/// Where workers take them out.
#[derive(Clone)]
pub struct Work {
    only: Receiver<Job>,
    further: Receiver<Job>,
}

/// An empty queue. Every open connection has room in the first lane, so a peer's only request is
/// never turned away.
pub fn lanes() -> (Lanes, Work) {
    lanes_of(limits::CONNECTIONS, limits::JOBS)
}

/// [`lanes`] with other numbers, for tests.
pub fn lanes_of(only: usize, further: usize) -> (Lanes, Work) {
    let ((only, only_out), (further, further_out)) = (bounded(only), bounded(further));
    (Lanes { only, further }, Work { only: only_out, further: further_out })
}

impl Lanes {
    /// Queues a request; `is_only` when its peer has no other under way. Where there is no
    /// room, it comes back.
    pub fn put(&self, job: Job, is_only: bool) -> Option<Job> {
        let lane = if is_only { &self.only } else { &self.further };
        lane.try_send(job).err().map(TrySendError::into_inner)
    }
}

impl Work {
    /// The next request; waits for one. `None` once the front has gone and all are taken.
    pub fn next(&self) -> Option<Job> {
        let job = crossbeam_channel::select_biased! {
            recv(self.only) -> job => job.ok(),
            recv(self.further) -> job => job.ok(),
        };
        // Both ends go together; what the other lane still has is served.
        job.or_else(|| self.only.recv().ok()).or_else(|| self.further.recv().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time;
    use crate::http::answer::Answer;
    use crate::http::answer::Outbox;
    use crate::http::conn::Conn;
    use crate::http::message::Door;
    use crate::http::message::Peer;
    use crate::http::message::Request;
    use crate::sys::poll::Waker;
    use std::sync::Arc;

    fn job(path: &str) -> Job {
        let now = time::now();
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let whole = Conn::new(Door::Control, now).feed(head.as_bytes(), now).unwrap();
        let peer = Arc::new(Peer { pid: 1, ..Peer::default() });
        let (outbox, _) = Outbox::new(Arc::new(Waker::new().unwrap()));
        let answer = Answer::new(outbox, 1, true, false);
        Job { request: Request::new(Door::Control, peer, whole), answer }
    }

    fn put(lanes: &Lanes, path: &str, is_only: bool) -> bool {
        lanes.put(job(path), is_only).map(|job| job.answer.defuse()).is_none()
    }

    #[test]
    fn a_peers_only_request_overtakes_further_ones_of_others_and_all_are_served() {
        let (lanes, work) = lanes_of(2, 2);
        assert!(put(&lanes, "/further", false) && put(&lanes, "/last", false));
        assert!(!put(&lanes, "/too-many", false));
        assert!(put(&lanes, "/only", true));
        let next = || {
            work.next().map(|job| {
                job.answer.defuse();
                job.request.path
            })
        };
        assert_eq!(next().unwrap(), "/only");
        assert_eq!(next().unwrap(), "/further");
        drop(lanes);
        assert_eq!(next().unwrap(), "/last");
        assert_eq!(next(), None);
    }
}
