//! Input on its way to a session's terminal: in order, bounded, and honest about what arrived.

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::keeper::proto::Frame;
use crate::limits;
use std::collections::VecDeque;
use std::time::Instant;

/// Called once when the input was taken by the terminal, or was not.
pub type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// Bytes for the terminal.
pub struct Input {
    /// The bytes, passed on unchanged.
    pub bytes: Vec<u8>,
    /// Not sent before this: an agent would take it for a part of what came before.
    pub not_before: Option<Instant>,
    /// Who wants to know.
    pub done: Option<Done>,
}

impl Input {
    /// Input that nobody waits for: keystrokes, answers to terminal queries.
    pub fn quiet(bytes: Vec<u8>) -> Input {
        Input { bytes, not_before: None, done: None }
    }
}

struct Entry {
    input: Input,
    sent: usize,
    /// Position behind its last byte, counted as the keeper counts, once all is sent.
    ends_at: Option<u64>,
    progress: Instant,
}

/// The queue of one session. The keeper never holds more than [`limits::INPUT_QUEUE`] of it.
#[derive(Default)]
pub struct Queue {
    entries: VecDeque<Entry>,
    sent: u64,
    taken: u64,
}

impl Queue {
    /// Adds input behind what waits. Full: the input's owner is told so.
    pub fn push(&mut self, input: Input) {
        let waiting: usize = self.entries.iter().map(|e| e.input.bytes.len() - e.sent).sum();
        if waiting + input.bytes.len() > limits::INPUT_WAITING {
            if let Some(done) = input.done {
                done(Err(Error::busy("the program does not read its terminal; try again later")));
            }
            return;
        }
        self.entries.push_back(Entry { input, sent: 0, ends_at: None, progress: time::now() });
    }

    /// The next piece for the keeper, as long as it has room.
    pub fn frame(&mut self) -> Option<Frame> {
        let room = limits::INPUT_QUEUE - (self.sent - self.taken) as usize;
        let entry = self.entries.iter_mut().find(|e| e.ends_at.is_none())?;
        if entry.input.not_before.is_some_and(|at| time::now() < at) || room == 0 {
            return None;
        }
        let rest = &entry.input.bytes[entry.sent..];
        let piece = rest[..rest.len().min(room)].to_vec();
        entry.sent += piece.len();
        self.sent += piece.len() as u64;
        if entry.sent == entry.input.bytes.len() {
            entry.ends_at = Some(self.sent);
        }
        Some(Frame::Input(piece))
    }

    /// The keeper says that `total` bytes were taken since the connection was made.
    pub fn taken(&mut self, total: u64) {
        self.taken = total.min(self.sent);
        let now = time::now();
        if let Some(first) = self.entries.front_mut() {
            first.progress = now;
        }
        while let Some(first) = self.entries.front()
            && first.ends_at.is_some_and(|end| end <= self.taken)
        {
            self.finish_first(Ok(()));
            if let Some(next) = self.entries.front_mut() {
                next.progress = now;
            }
        }
    }

    /// Gives up on input that made no progress for [`limits::INPUT_WAIT`].
    pub fn expire(&mut self) {
        while let Some(first) = self.entries.front()
            && first.input.done.is_some()
            && time::now() >= first.progress + limits::INPUT_WAIT
        {
            let (sent, all) = (first.sent, first.input.bytes.len());
            let left = (self.sent - self.taken) as usize;
            let message = format!(
                "the program does not read its terminal: {} of {all} bytes were taken",
                sent.saturating_sub(left)
            );
            self.finish_first(Err(Error::new(Code::Timeout, message)));
        }
    }

    /// When [`Queue::frame`] or [`Queue::expire`] will have something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let first = self.entries.front()?;
        let expiry = first.input.done.as_ref().map(|_| first.progress + limits::INPUT_WAIT);
        let unsent = self.entries.iter().find(|e| e.ends_at.is_none());
        let pause = unsent.and_then(|e| e.input.not_before).filter(|at| *at > time::now());
        [expiry, pause].into_iter().flatten().min()
    }

    /// The connection to the keeper is new: what the old one did not confirm is not known to have
    /// arrived, and typing it twice would be worse than losing it.
    pub fn reconnected(&mut self) {
        self.sent = 0;
        self.taken = 0;
        while self.entries.front().is_some_and(|e| e.sent > 0) {
            self.finish_first(Err(Error::internal("the connection to the session was lost")));
        }
    }

    /// The session has ended: nothing arrives any more.
    pub fn close(&mut self) {
        while !self.entries.is_empty() {
            self.finish_first(Err(Error::conflict("the session has ended")));
        }
    }

    fn finish_first(&mut self, result: Result<()>) {
        let Some(entry) = self.entries.pop_front() else { return };
        if let Some(done) = entry.input.done {
            done(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn told(queue: &mut Queue, size: usize) -> mpsc::Receiver<Result<()>> {
        let (tell, told) = mpsc::channel();
        let done: Done = Box::new(move |result| tell.send(result).unwrap());
        queue.push(Input { bytes: vec![b'x'; size], not_before: None, done: Some(done) });
        told
    }

    #[test]
    fn the_keeper_never_holds_more_than_agreed_and_done_means_taken() {
        let mut queue = Queue::default();
        let first = told(&mut queue, limits::INPUT_QUEUE + 10);
        let Some(Frame::Input(piece)) = queue.frame() else { panic!("no frame") };
        assert_eq!(piece.len(), limits::INPUT_QUEUE);
        assert!(queue.frame().is_none());
        queue.taken(4);
        let Some(Frame::Input(piece)) = queue.frame() else { panic!("no frame") };
        assert_eq!(piece.len(), 4);
        assert!(first.try_recv().is_err());
        queue.taken(limits::INPUT_QUEUE as u64 + 4);
        while queue.frame().is_some() {}
        queue.taken(limits::INPUT_QUEUE as u64 + 10);
        assert!(first.try_recv().unwrap().is_ok());
    }

    #[test]
    fn a_lost_connection_fails_what_was_under_way_and_keeps_the_rest() {
        let mut queue = Queue::default();
        let (first, second) = (told(&mut queue, 5), told(&mut queue, 6));
        queue.frame().unwrap();
        queue.reconnected();
        assert!(first.try_recv().unwrap().is_err());
        assert!(matches!(queue.frame(), Some(Frame::Input(piece)) if piece.len() == 6));
        queue.taken(6);
        assert!(second.try_recv().unwrap().is_ok());
    }

    #[test]
    fn too_much_is_refused_at_once() {
        let mut queue = Queue::default();
        let told = told(&mut queue, limits::INPUT_WAITING + 1);
        assert_eq!(told.try_recv().unwrap().unwrap_err().code, Code::Busy);
    }
}
