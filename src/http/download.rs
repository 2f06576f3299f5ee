//! Replies that are too long to be held: their body is made while it is sent, on a thread of its
//! own.
//!
//! 1. A client that does not read MUST NOT be waited for longer than [`limits::REPLY_WAIT`] at one
//!    place, nor make us hold more than one piece.
//! 2. A body that breaks off MUST NOT look whole: its end has a mark of its own (RFC 9112, 7.1).

use crate::base::error::{Code, Context, Error, Result};
use crate::base::thread;
use crate::base::time;
use crate::http::answer::Answer;
use crate::http::message::Reply;
use crate::http::stream::Stream;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use std::io::ErrorKind;
use std::io::Write;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// A place among [`limits::EXPORTS`], given back when dropped.
struct Place;

impl Place {
    fn take() -> Result<Place> {
        let free = |open: usize| (open < limits::EXPORTS).then_some(open + 1);
        let taken = OPEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, free);
        let most = limits::EXPORTS;
        let full = |_| Error::busy(format!("{most} downloads are on their way; try again"));
        taken.map(|_| Place).map_err(full)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Answers with the head of `reply`, and then with what `fill` writes. `Busy` where too many are at
/// it.
pub fn send(
    answer: Answer,
    reply: Reply,
    fill: impl FnOnce(&mut Body) -> Result<()> + Send + 'static,
) {
    let place = match Place::take() {
        Ok(place) => place,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let take = move |stream: Stream, _: Vec<u8>| {
        let started = thread::spawn("download", move || {
            let _place = place;
            let mut body = Body { stream };
            match fill(&mut body).and_then(|()| body.end()) {
                Err(error) if error.code == Code::Internal => log::error!("{}", error.chain()),
                // The client has gone, or does not read.
                _ => {}
            }
        });
        if let Err(error) = started {
            log::error!("{}", error.chain());
        }
    };
    answer.stream(reply, Box::new(take));
}

/// The body of a reply that is being sent, in chunks.
pub struct Body {
    stream: Stream,
}

impl Body {
    /// Sends a piece. `Unreachable` where the client has gone or does not read.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        // An empty chunk would be the end.
        if bytes.is_empty() {
            return Ok(());
        }
        self.put(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        self.put(bytes)?;
        self.put(b"\r\n")
    }

    fn end(&mut self) -> Result<()> {
        self.put(b"0\r\n\r\n")?;
        self.stream.end_output();
        // Closed over bytes that the client has sent, the end of the reply could be lost.
        let mut watches = [Watch::new(&self.stream, true, false)];
        poll::wait(&mut watches, Some(limits::LINGER_WAIT)).map(drop)
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        let gone = || "the client of a download has gone".to_string();
        let mut until = time::now() + limits::REPLY_WAIT;
        while !bytes.is_empty() {
            match (&self.stream).write(bytes) {
                Ok(count) if count > 0 => {
                    bytes = &bytes[count..];
                    until = time::now() + limits::REPLY_WAIT;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let mut watches = [Watch::new(&self.stream, false, true)];
                    poll::wait(&mut watches, Some(time::until(until)))?;
                    if time::now() >= until {
                        return Err(Error::new(Code::Unreachable, gone()));
                    }
                }
                Ok(_) => return Err(Error::new(Code::Unreachable, gone())),
                Err(e) => return Err(e).code(Code::Unreachable, gone),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_body_comes_in_chunks_with_a_mark_at_its_end() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut body = Body { stream: Stream::Unix(ours) };
        let long = vec![b'x'; 1 << 20];
        let copy = long.clone();
        let reader = thread::spawn("t-read", move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).unwrap();
            all
        })
        .unwrap();
        body.write(b"").unwrap();
        body.write(b"one\n").unwrap();
        body.write(&copy).unwrap();
        body.end().unwrap();
        drop(body);
        let all = reader.join().unwrap().unwrap();
        let want = [b"4\r\none\n\r\n100000\r\n", &long[..], b"\r\n0\r\n\r\n"].concat();
        assert!(all == want, "{} bytes", all.len());
    }

    #[test]
    fn a_client_that_has_gone_ends_it() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        drop(theirs);
        let mut body = Body { stream: Stream::Unix(ours) };
        assert_eq!(body.write(b"x").unwrap_err().code, Code::Unreachable);
    }
}
