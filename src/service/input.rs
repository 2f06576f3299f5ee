//! Input on its way to a session's terminal: in order, bounded, and honest about what arrived.

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::keeper::proto::Frame;
use crate::limits;
use crate::term::paste;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// Called once when the input was taken by the terminal, or was not.
pub type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// Bytes for the terminal.
pub struct Input {
    /// The bytes, passed on unchanged.
    pub bytes: Vec<u8>,
    /// An Enter behind them, so long after they were taken: an agent would take it for a part of
    /// what came before.
    pub enter: Option<Duration>,
    /// Who wants to know.
    pub done: Option<Done>,
    /// A program typed it: nothing of it goes while the agent waits for an answer.
    pub guarded: bool,
}

impl Input {
    /// Input that nobody waits for: keystrokes, answers to terminal queries.
    pub fn quiet(bytes: Vec<u8>) -> Input {
        Input { bytes, enter: None, done: None, guarded: false }
    }
}

struct Entry {
    input: Input,
    pushed: Instant,
    /// Bytes sent, without the Enter.
    sent: usize,
    /// Positions, counted as the keeper counts, of its first byte once that is sent, and behind its
    /// last one once all is.
    begins_at: Option<u64>,
    ends_at: Option<u64>,
    /// The Enter may go from then on.
    enter_at: Option<Instant>,
}

/// The queue of one session. The keeper never holds more than [`limits::INPUT_QUEUE`] of it.
#[derive(Default)]
pub struct Queue {
    entries: VecDeque<Entry>,
    sent: u64,
    taken: u64,
    progress: Option<Instant>,
}

impl Queue {
    /// Adds input behind what waits. Full: the input's owner is told so.
    pub fn push(&mut self, mut input: Input) {
        let waiting: usize = self.entries.iter().map(|e| e.input.bytes.len() - e.sent).sum();
        let nothing = input.bytes.is_empty() && input.enter.is_none();
        if nothing || waiting + input.bytes.len() > limits::INPUT_WAITING {
            let full = "the program does not read its terminal; try again later";
            if let Some(done) = input.done.take() {
                done(if nothing { Ok(()) } else { Err(Error::busy(full)) });
            }
            return;
        }
        let (pushed, enter_at) = (time::now(), None);
        let (begins_at, ends_at) = (None, None);
        self.entries.push_back(Entry { input, pushed, sent: 0, begins_at, ends_at, enter_at });
        self.allow_enter();
    }

    /// The next piece for the keeper, as long as it has room. Without `guarded` a program's input
    /// stays where it is, and what is behind it too.
    pub fn frame(&mut self, guarded: bool) -> Option<Frame> {
        let room = limits::INPUT_QUEUE - (self.sent - self.taken) as usize;
        let entry = self.entries.iter_mut().find(|e| e.ends_at.is_none())?;
        if room == 0 || (entry.input.guarded && !guarded) {
            return None;
        }
        let rest = &entry.input.bytes[entry.sent..];
        let piece = match rest.is_empty() {
            false => rest[..rest.len().min(room)].to_vec(),
            true if entry.enter_at.is_some_and(|at| time::now() >= at) => b"\r".to_vec(),
            true => return None,
        };
        let is_enter = rest.is_empty();
        entry.begins_at.get_or_insert(self.sent);
        self.sent += piece.len() as u64;
        if !is_enter {
            entry.sent += piece.len();
        }
        let text_done = entry.sent == entry.input.bytes.len();
        if is_enter || (text_done && entry.input.enter.is_none()) {
            entry.ends_at = Some(self.sent);
        }
        Some(Frame::Input(piece))
    }

    /// Nothing waits and nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Some of a program's input has not gone yet.
    pub fn is_guarded(&self) -> bool {
        self.entries.iter().any(|e| e.input.guarded && e.ends_at.is_none())
    }

    /// The agent waits for an answer: no more of what programs type goes, least of all an Enter.
    /// What the terminal has had of a text is not taken back, but its paste is closed: the person's
    /// keys would become a part of it. `why` begins what the input's owner is told.
    pub fn take_back(&mut self, why: &str) {
        for at in (0..self.entries.len()).rev() {
            let entry = &mut self.entries[at];
            if !entry.input.guarded || entry.ends_at.is_some() {
                continue;
            }
            let whole = entry.input.bytes.len();
            let what = match entry.sent {
                _ if entry.begins_at.is_none() => "nothing was typed".to_string(),
                sent if sent == whole => "the text was typed, but no Enter".to_string(),
                sent => format!("{sent} of {whole} bytes were typed, and no Enter"),
            };
            let told = Err(Error::conflict(format!("{why}; {what}")));
            if entry.begins_at.is_none() {
                self.finish(at, told);
                continue;
            }
            entry.input.enter = None;
            entry.input.bytes = paste::cut(&entry.input.bytes, entry.sent);
            entry.input.guarded = false;
            if entry.sent == entry.input.bytes.len() {
                entry.ends_at = Some(self.sent);
            }
            if let Some(done) = entry.input.done.take() {
                done(told);
            }
        }
    }

    /// The keeper says that `total` bytes were taken since the connection was made.
    pub fn taken(&mut self, total: u64) {
        self.taken = total.min(self.sent);
        self.progress = Some(time::now());
        while self.entries.front().is_some_and(|e| e.ends_at.is_some_and(|at| at <= self.taken)) {
            self.finish(0, Ok(()));
        }
        self.allow_enter();
    }

    /// Lets the first entry's Enter follow, once its text was taken.
    fn allow_enter(&mut self) {
        let all_taken = self.taken == self.sent;
        let Some(first) = self.entries.front_mut().filter(|_| all_taken) else { return };
        let text_done = first.sent == first.input.bytes.len();
        if let Some(pause) = first.input.enter.filter(|_| text_done && first.enter_at.is_none()) {
            let pause = if first.sent > 0 { pause } else { Duration::ZERO };
            first.enter_at = Some(time::now() + pause);
        }
    }

    /// Gives up on input that somebody waits for, when the program has taken nothing for
    /// [`limits::INPUT_WAIT`].
    pub fn expire(&mut self) {
        while let Some(at) = self.overdue() {
            let entry = &self.entries[at];
            let all = entry.input.bytes.len() as u64;
            let taken = entry.begins_at.map_or(0, |start| self.taken.saturating_sub(start));
            let message = format!(
                "the program does not read its terminal: {} of {all} bytes were taken",
                taken.min(all)
            );
            self.finish(at, Err(Error::new(Code::Timeout, message)));
        }
        self.allow_enter();
    }

    fn overdue(&self) -> Option<usize> {
        let now = time::now();
        self.entries.iter().position(|e| self.expiry(e).is_some_and(|at| now >= at))
    }

    fn expiry(&self, entry: &Entry) -> Option<Instant> {
        let since = self.progress.map_or(entry.pushed, |at| at.max(entry.pushed));
        entry.input.done.as_ref().map(|_| since + limits::INPUT_WAIT)
    }

    /// When [`Queue::frame`] or [`Queue::expire`] will have something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let expiry = self.entries.iter().filter_map(|e| self.expiry(e)).min();
        let unsent = self.entries.iter().find(|e| e.ends_at.is_none());
        let enter = unsent.and_then(|e| e.enter_at).filter(|at| *at > time::now());
        [expiry, enter].into_iter().flatten().min()
    }

    /// The connection to the keeper is new: what the old one did not confirm is not known to have
    /// arrived, and typing it twice would be worse than losing it.
    pub fn reconnected(&mut self) {
        (self.sent, self.taken, self.progress) = (0, 0, None);
        while self.entries.front().is_some_and(|e| e.begins_at.is_some()) {
            self.finish(0, Err(Error::internal("the connection to the session was lost")));
        }
        self.allow_enter();
    }

    /// The session has ended: nothing arrives any more.
    pub fn close(&mut self) {
        while !self.entries.is_empty() {
            self.finish(0, Err(Error::conflict("the session has ended")));
        }
    }

    fn finish(&mut self, at: usize, result: Result<()>) {
        let Some(entry) = self.entries.remove(at) else { return };
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
        queue.push(Input {
            bytes: vec![b'x'; size],
            enter: None,
            done: Some(done),
            guarded: false,
        });
        told
    }

    #[test]
    fn the_keeper_never_holds_more_than_agreed_and_done_means_taken() {
        let mut queue = Queue::default();
        let first = told(&mut queue, limits::INPUT_QUEUE + 10);
        let Some(Frame::Input(piece)) = queue.frame(true) else { panic!("no frame") };
        assert_eq!(piece.len(), limits::INPUT_QUEUE);
        assert!(queue.frame(true).is_none());
        queue.taken(4);
        let Some(Frame::Input(piece)) = queue.frame(true) else { panic!("no frame") };
        assert_eq!(piece.len(), 4);
        assert!(first.try_recv().is_err());
        queue.taken(limits::INPUT_QUEUE as u64 + 4);
        while queue.frame(true).is_some() {}
        queue.taken(limits::INPUT_QUEUE as u64 + 10);
        assert!(first.try_recv().unwrap().is_ok());
    }

    #[test]
    fn a_lost_connection_fails_what_was_under_way_and_keeps_the_rest() {
        let mut queue = Queue::default();
        let (first, second) = (told(&mut queue, 5), told(&mut queue, 6));
        queue.frame(true).unwrap();
        queue.reconnected();
        assert!(first.try_recv().unwrap().is_err());
        assert!(matches!(queue.frame(true), Some(Frame::Input(piece)) if piece.len() == 6));
        queue.taken(6);
        assert!(second.try_recv().unwrap().is_ok());
    }

    #[test]
    fn too_much_is_refused_at_once() {
        let mut queue = Queue::default();
        let told = told(&mut queue, limits::INPUT_WAITING + 1);
        assert_eq!(told.try_recv().unwrap().unwrap_err().code, Code::Busy);
    }

    #[test]
    fn enter_follows_the_text_once_that_is_taken_and_never_alone() {
        let mut queue = Queue::default();
        let (tell, told) = mpsc::channel();
        let done: Done = Box::new(move |result| tell.send(result).unwrap());
        let enter = Some(Duration::ZERO);
        queue.push(Input { bytes: b"ls".to_vec(), enter, done: Some(done), guarded: true });
        queue.push(Input::quiet(b"later".to_vec()));
        let text = |queue: &mut Queue| match queue.frame(true) {
            Some(Frame::Input(piece)) => String::from_utf8(piece).unwrap(),
            _ => String::new(),
        };
        assert_eq!(text(&mut queue), "ls");
        assert_eq!(text(&mut queue), "", "neither Enter nor what is behind it");
        queue.taken(2);
        assert_eq!((text(&mut queue), text(&mut queue)), ("\r".into(), "later".into()));
        assert!(told.try_recv().is_err());
        queue.taken(3);
        assert!(told.try_recv().unwrap().is_ok());
    }

    #[test]
    fn who_waits_behind_keystrokes_that_nobody_reads_is_told_too() {
        let mut queue = Queue::default();
        queue.push(Input::quiet(b"keys".to_vec()));
        let told = told(&mut queue, 7);
        while queue.frame(true).is_some() {}
        assert!(queue.deadline().is_some());
        queue.taken(6);
        for entry in &mut queue.entries {
            entry.pushed -= limits::INPUT_WAIT;
        }
        queue.progress = queue.progress.map(|at| at - limits::INPUT_WAIT);
        queue.expire();
        let error = told.try_recv().unwrap().unwrap_err();
        assert_eq!(error.code, Code::Timeout);
        assert!(error.message.contains("2 of 7 bytes"), "{error}");
    }

    #[test]
    fn a_text_that_is_taken_back_on_its_way_closes_its_paste_and_has_no_enter() {
        let mut queue = Queue::default();
        let answers: Vec<_> = (0..3)
            .map(|number| {
                let (tell, told) = mpsc::channel();
                let done: Done = Box::new(move |result| tell.send(result).unwrap());
                let bytes = paste::paste(&"x".repeat(limits::INPUT_QUEUE), true);
                let guarded = number != 1;
                let enter = guarded.then_some(Duration::ZERO);
                queue.push(Input { bytes, enter, done: Some(done), guarded });
                told
            })
            .collect();
        assert!(queue.frame(false).is_none(), "not now, and nothing passes it");
        queue.frame(true).unwrap();
        queue.take_back("it asks");
        let message = |at: usize| answers[at].try_recv().unwrap().unwrap_err().message;
        assert_eq!(message(0), "it asks; 65536 of 65548 bytes were typed, and no Enter");
        assert_eq!(message(2), "it asks; nothing was typed");
        assert!(answers[1].try_recv().is_err(), "what a person types is not taken back");
        let mut typed = Vec::new();
        queue.taken(limits::INPUT_QUEUE as u64);
        while let Some(Frame::Input(piece)) = queue.frame(false) {
            typed.extend(&piece);
            queue.taken((limits::INPUT_QUEUE + typed.len()) as u64);
        }
        assert!(typed.starts_with(b"\x1b[201~\x1b[200~x"), "{:?}", &typed[..20]);
        assert!(!typed.contains(&b'\r') && queue.is_empty() && !queue.is_guarded());
    }

    #[test]
    fn nothing_at_all_is_taken_at_once() {
        let mut queue = Queue::default();
        assert!(told(&mut queue, 0).try_recv().unwrap().is_ok());
    }
}
