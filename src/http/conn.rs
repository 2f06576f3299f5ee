//! The state machine of one connection, over bytes and times alone: it knows no socket.
//!
//! ```text
//! head → body → waiting → writing → head (kept alive) …
//!   └──────┴─ refused ────→ writing → linger → done
//! ```
//! Bytes behind a request stay where they are until its reply is out, so a client that sends
//! requests without reading replies only fills its own socket.
//!
//! 1. Memory MUST follow the bytes that have come, never the length that was announced.
//! 2. After a refusal nothing that follows on the connection may be read as a request.

use crate::http::head;
use crate::http::head::Head;
use crate::http::message::Door;
use crate::http::message::Refusal;
use crate::limits;
use std::time::Instant;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request that has come in whole.
#[derive(Debug)]
pub struct Whole {
    /// Everything before the body.
    pub head: Head,
    /// As long as the head says.
    pub body: Vec<u8>,
}

#[derive(Debug)]
enum Phase {
    /// Before and within a head.
    Head,
    /// The rest of its body is to come.
    Body(Box<Head>, Vec<u8>),
    /// Somebody else has the request.
    Waiting,
    Writing(Next),
    /// Our side is closed; so many more bytes are thrown away until the client has read the reply.
    Linger(usize),
    Done,
}

/// What follows a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next request.
    Keep,
    /// The end.
    Close,
    /// Another protocol, spoken by somebody else.
    HandOver,
}

/// One connection.
#[derive(Debug)]
pub struct Conn {
    door: Door,
    phase: Phase,
    deadline: Option<Instant>,
    /// Bytes not yet used: an unfinished head, or requests sent ahead.
    input: Vec<u8>,
    scanned: usize,
    out: Vec<u8>,
    sent: usize,
    /// Bytes of the body that was given away, until its reply is out.
    lent: usize,
    served: bool,
}

impl Conn {
    /// A connection that was accepted `now`.
    pub fn new(door: Door, now: Instant) -> Conn {
        Conn {
            door,
            phase: Phase::Head,
            deadline: Some(now + limits::HEAD_WAIT),
            input: Vec::new(),
            scanned: 0,
            out: Vec::new(),
            sent: 0,
            lent: 0,
            served: false,
        }
    }

    /// Where it came in.
    pub fn door(&self) -> Door {
        self.door
    }

    /// How many bytes may be read now; 0 while a request is being answered.
    pub fn room(&self) -> usize {
        match &self.phase {
            Phase::Head => limits::HEAD_BYTES - self.input.len(),
            Phase::Body(head, body) => head.length - body.len(),
            Phase::Linger(left) => *left,
            Phase::Waiting | Phase::Writing(_) | Phase::Done => 0,
        }
    }

    /// Takes bytes that were read, and gives back the request they complete.
    pub fn feed(&mut self, bytes: &[u8], now: Instant) -> Option<Whole> {
        match &mut self.phase {
            Phase::Linger(left) => {
                *left = left.saturating_sub(bytes.len());
                if *left == 0 {
                    self.finish();
                }
                None
            }
            Phase::Done => None,
            _ => {
                if self.served && self.is_idle() {
                    self.deadline = Some(now + limits::HEAD_WAIT);
                }
                self.input.extend_from_slice(bytes);
                self.advance(now)
            }
        }
    }

    fn advance(&mut self, now: Instant) -> Option<Whole> {
        if matches!(self.phase, Phase::Head) {
            match self.read_head(now) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(refusal) => {
                    self.refuse(&refusal, now);
                    return None;
                }
            }
        }
        let Phase::Body(head, body) = &mut self.phase else { return None };
        let take = (head.length - body.len()).min(self.input.len());
        if body.capacity() < body.len() + take {
            // Doubling, as far as there is need: what was announced is not believed.
            body.reserve_exact(take.max(body.len()).min(head.length - body.len()));
        }
        body.extend_from_slice(&self.input[..take]);
        zeroize::Zeroize::zeroize(&mut self.input[..take]);
        self.input.drain(..take);
        if body.len() < head.length {
            return None;
        }
        self.input.shrink_to_fit();
        (self.deadline, self.lent) = (None, body.len());
        self.served = true;
        match std::mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::Body(head, body) => Some(Whole { head: *head, body }),
            _ => None,
        }
    }

    fn read_head(&mut self, now: Instant) -> Result<bool, Refusal> {
        let Some(end) = head::end(&self.input, &mut self.scanned)? else { return Ok(false) };
        let head = head::parse(&self.input[..end])?;
        let most = self.door.body_bytes();
        if head.length > most {
            return Err(Refusal::new(413, format!("a request body may have {most} bytes")));
        }
        self.input.drain(..end);
        self.scanned = 0;
        if head.expect && self.input.len() < head.length {
            self.out.extend_from_slice(CONTINUE);
        }
        self.deadline = Some(now + limits::BODY_WAIT);
        self.phase = Phase::Body(Box::new(head), Vec::new());
        Ok(true)
    }

    /// Starts the reply to the request that was given out.
    pub fn reply(&mut self, bytes: Vec<u8>, next: Next, now: Instant) {
        if matches!(self.phase, Phase::Waiting) {
            self.start(bytes, next, now);
        }
    }

    /// Answers with an error, after which the connection ends.
    pub fn refuse(&mut self, refusal: &Refusal, now: Instant) {
        self.input = Vec::new();
        self.start(refusal.reply().render(false, false), Next::Close, now);
    }

    fn start(&mut self, bytes: Vec<u8>, next: Next, now: Instant) {
        // A `100 Continue` may still be on its way.
        match self.pending().is_empty() {
            true => (self.out, self.sent) = (bytes, 0),
            false => self.out.extend(bytes),
        }
        self.phase = Phase::Writing(next);
        self.deadline = Some(now + limits::REPLY_WAIT);
    }

    /// Bytes to be sent.
    pub fn pending(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// Takes note that the first `count` pending bytes are out, and gives back the request that
    /// was sent ahead, if a whole one was.
    pub fn written(&mut self, count: usize, now: Instant) -> Option<Whole> {
        self.sent += count;
        if !self.pending().is_empty() {
            return None;
        }
        (self.out, self.sent) = (Vec::new(), 0);
        let Phase::Writing(next) = self.phase else { return None };
        self.lent = 0;
        match next {
            Next::Keep => {
                self.phase = Phase::Head;
                let ahead = !self.input.is_empty();
                let wait = if ahead { limits::HEAD_WAIT } else { limits::IDLE_WAIT };
                self.deadline = Some(now + wait);
                self.advance(now)
            }
            Next::Close => {
                self.input = Vec::new();
                self.phase = Phase::Linger(limits::LINGER_BYTES);
                self.deadline = Some(now + limits::LINGER_WAIT);
                None
            }
            Next::HandOver => {
                self.finish();
                None
            }
        }
    }

    /// The client will send no more.
    pub fn end_of_input(&mut self) {
        if !matches!(self.phase, Phase::Waiting | Phase::Writing(_)) {
            self.finish();
        }
    }

    /// To be called when [`Conn::deadline`] has passed.
    pub fn timed_out(&mut self, now: Instant) {
        match &self.phase {
            Phase::Head if !self.input.is_empty() => {
                self.refuse(&Refusal::new(408, "the request head did not come in time"), now);
            }
            Phase::Body(..) => {
                self.refuse(&Refusal::new(408, "the request body did not come in time"), now);
            }
            Phase::Waiting => {}
            _ => self.finish(),
        }
    }

    fn finish(&mut self) {
        self.phase = Phase::Done;
        self.deadline = None;
    }

    /// When [`Conn::timed_out`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Bytes of bodies and replies held for it, here and by whoever answers.
    pub fn held(&self) -> usize {
        let body = match &self.phase {
            Phase::Body(_, body) => body.len(),
            _ => 0,
        };
        body + self.lent + self.out.len()
    }

    /// Between two requests.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Head) && self.input.is_empty()
    }

    /// No whole request has come from it yet.
    pub fn is_fresh(&self) -> bool {
        !self.served
    }

    /// A body is on its way in.
    pub fn in_body(&self) -> bool {
        matches!(self.phase, Phase::Body(..))
    }

    /// Somebody else has its request.
    pub fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting)
    }

    /// Our side is to be closed now, and the client's may still speak.
    pub fn lingers(&self) -> bool {
        matches!(self.phase, Phase::Linger(_))
    }

    /// Nothing is left to do: close it, or hand it over.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// The bytes that came behind the last request.
    pub fn into_leftover(self) -> Vec<u8> {
        self.input
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time;
    use std::time::Duration;

    const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

    fn fresh() -> (Conn, Instant) {
        let now = time::now();
        (Conn::new(Door::Control, now), now)
    }

    fn status(conn: &Conn) -> &str {
        std::str::from_utf8(&conn.pending()[9..12]).unwrap()
    }

    #[test]
    fn the_next_request_is_only_read_when_the_reply_is_out() {
        let (mut conn, now) = fresh();
        let first = conn.feed(&[GET, GET, b"GET /b"].concat(), now).unwrap();
        assert_eq!(first.head.target.path, "/a");
        assert!(conn.is_waiting() && conn.room() == 0 && conn.deadline().is_none());
        conn.reply(b"reply".to_vec(), Next::Keep, now);
        assert!(conn.written(4, now).is_none());
        assert!(conn.written(1, now).is_some(), "the second was there already");
        conn.reply(b"reply".to_vec(), Next::Keep, now);
        assert!(conn.written(5, now).is_none());
        assert!(conn.feed(b" HTTP/1.1\r\nHost: x\r\n\r\n", now).is_some());
    }

    #[test]
    fn an_announced_body_costs_nothing_until_it_comes() {
        let (mut conn, now) = fresh();
        let head = format!("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", 8 << 20);
        assert!(conn.feed(format!("{head}\r\n0123").as_bytes(), now).is_none());
        let Phase::Body(_, body) = &conn.phase else { panic!("{:?}", conn.phase) };
        assert!(body.capacity() < 64 && conn.held() == 4);
        assert_eq!(conn.room(), (8 << 20) - 4);
        let (mut conn, now) = fresh();
        let head = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n";
        assert!(conn.feed(head.as_bytes(), now).is_none());
        assert_eq!(status(&conn), "413");
    }

    #[test]
    fn nothing_behind_a_refusal_is_a_request() {
        let (mut conn, now) = fresh();
        let bad = b"GET //a HTTP/1.1\r\nHost: x\r\n\r\n";
        assert!(conn.feed(&[bad, GET].concat(), now).is_none());
        assert_eq!((status(&conn), conn.room()), ("400", 0));
        assert!(conn.written(conn.pending().len(), now).is_none());
        assert!(conn.lingers() && conn.feed(GET, now).is_none());
        assert!(conn.feed(&vec![b'x'; limits::LINGER_BYTES], now).is_none() && conn.is_done());
    }

    #[test]
    fn every_phase_has_its_deadline() {
        let (mut conn, now) = fresh();
        assert_eq!(conn.deadline(), Some(now + limits::HEAD_WAIT));
        conn.timed_out(now);
        assert!(conn.is_done(), "silence gets no reply");
        let (mut conn, now) = fresh();
        conn.feed(&GET[..9], now + Duration::from_secs(4));
        assert_eq!(conn.deadline(), Some(now + limits::HEAD_WAIT), "a drip does not move it");
        conn.timed_out(now);
        assert_eq!(status(&conn), "408");
        assert_eq!(conn.deadline(), Some(now + limits::REPLY_WAIT));
        conn.timed_out(now);
        assert!(conn.is_done());
        let (mut conn, now) = fresh();
        conn.feed(GET, now);
        conn.reply(b"r".to_vec(), Next::Keep, now);
        conn.written(1, now);
        assert_eq!(conn.deadline(), Some(now + limits::IDLE_WAIT));
        conn.feed(b"POST /a HTTP/1.1\r\nHost: x\r\n", now);
        assert_eq!(conn.deadline(), Some(now + limits::HEAD_WAIT));
        conn.feed(b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", now);
        assert_eq!((status(&conn), conn.deadline()), ("100", Some(now + limits::BODY_WAIT)));
        conn.timed_out(now);
        assert!(conn.pending().starts_with(CONTINUE), "the 408 goes behind it");
        assert!(conn.pending()[CONTINUE.len()..].starts_with(b"HTTP/1.1 408 "));
    }

    #[test]
    fn an_upgrade_leaves_with_the_bytes_behind_it() {
        let (mut conn, now) = fresh();
        assert!(conn.feed(&[GET, b"\x81\x00"].concat(), now).is_some());
        conn.reply(b"101".to_vec(), Next::HandOver, now);
        assert!(conn.written(3, now).is_none() && conn.is_done());
        assert_eq!(conn.into_leftover(), b"\x81\x00");
    }
}
