//! The newest output of a session, shared with everybody who watches it.
//!
//! A viewer has a place in the output, never a queue: it takes bytes from this ring while it keeps
//! up and from the log when it does not. So a viewer that stops reading costs nothing, loses
//! nothing, and holds nobody up.

use crate::limits;
use crate::sys::poll::Waker;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::Weak;

/// The ring and those who wait for more of it.
#[derive(Default)]
pub struct Tail {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ring: VecDeque<u8>,
    end: u64,
    version: u64,
    closed: bool,
    watchers: Vec<Weak<Waker>>,
}

/// What a read found.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes.
    Bytes(usize),
    /// Nothing newer than what was asked for.
    AtEnd,
    /// The ring starts later, at this offset: the log has the rest.
    Behind(u64),
}

impl Tail {
    /// A ring that starts empty at `end`.
    pub fn new(end: u64) -> Tail {
        Tail { inner: Mutex::new(Inner { end, ..Inner::default() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Appends output and wakes the viewers.
    pub fn push(&self, offset: u64, bytes: &[u8]) {
        let mut inner = self.lock();
        if offset != inner.end {
            // A gap: what is in the ring does not touch what comes.
            inner.ring.clear();
        }
        inner.end = offset + bytes.len() as u64;
        let newest = &bytes[bytes.len().saturating_sub(limits::TAIL_BYTES)..];
        let excess = (inner.ring.len() + newest.len()).saturating_sub(limits::TAIL_BYTES);
        inner.ring.drain(..excess);
        inner.ring.extend(newest);
        inner.wake();
    }

    /// Copies output from `from` on.
    pub fn read(&self, from: u64, buffer: &mut [u8]) -> Read {
        let inner = self.lock();
        let start = inner.end - inner.ring.len() as u64;
        if from >= inner.end {
            return Read::AtEnd;
        }
        if from < start {
            return Read::Behind(start);
        }
        let skip = (from - start) as usize;
        let count = buffer.len().min(inner.ring.len() - skip);
        let (front, back) = inner.ring.as_slices();
        let from_front = front.get(skip..).unwrap_or_default();
        let head = count.min(from_front.len());
        buffer[..head].copy_from_slice(&from_front[..head]);
        let behind = skip.saturating_sub(front.len());
        buffer[head..count].copy_from_slice(&back[behind..behind + count - head]);
        Read::Bytes(count)
    }

    /// Offset behind the newest byte.
    pub fn end(&self) -> u64 {
        self.lock().end
    }

    /// Counts a change other than output (state, size) and wakes the viewers.
    pub fn bump(&self) {
        let mut inner = self.lock();
        inner.version += 1;
        inner.wake();
    }

    /// How often [`Tail::bump`] was called.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// No more output comes; wakes the viewers for the last time.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.version += 1;
        inner.wake();
    }

    /// Whether the session's thread has ended.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Wakes `waker` at every change, for as long as it lives.
    pub fn watch(&self, waker: &Arc<Waker>) {
        let mut inner = self.lock();
        inner.watchers.retain(|w| w.strong_count() > 0 && w.as_ptr() != Arc::as_ptr(waker));
        inner.watchers.push(Arc::downgrade(waker));
        waker.wake();
    }

    /// Wakes `waker` no more.
    pub fn unwatch(&self, waker: &Arc<Waker>) {
        self.lock().watchers.retain(|w| w.as_ptr() != Arc::as_ptr(waker));
    }
}

impl Inner {
    fn wake(&self) {
        self.watchers.iter().filter_map(Weak::upgrade).for_each(|w| w.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_every_byte_or_is_told_where_the_ring_starts() {
        let tail = Tail::new(100);
        tail.push(100, b"hello ");
        tail.push(106, b"world");
        let mut buffer = [0; 8];
        assert_eq!(tail.read(102, &mut buffer), Read::Bytes(8));
        assert_eq!(&buffer, b"llo worl");
        assert_eq!(tail.read(111, &mut buffer), Read::AtEnd);
        assert_eq!(tail.read(99, &mut buffer), Read::Behind(100));
        tail.push(200, b"after a gap");
        assert_eq!(tail.read(110, &mut buffer), Read::Behind(200));
    }

    #[test]
    fn the_ring_is_bounded_and_stays_byte_identical_while_it_wraps() {
        let tail = Tail::new(0);
        let all: Vec<u8> = (0..5 * limits::TAIL_BYTES).map(|i| (i * 7 % 251) as u8).collect();
        let mut at = 0;
        for piece in all.chunks(10_007) {
            tail.push(at as u64, piece);
            at += piece.len();
            let from = at.saturating_sub(limits::TAIL_BYTES);
            let mut buffer = vec![0; limits::TAIL_BYTES + 10];
            let Read::Bytes(count) = tail.read(from as u64, &mut buffer) else { panic!("{at}") };
            assert_eq!(&buffer[..count], &all[from..at]);
        }
    }
}
