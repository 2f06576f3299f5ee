//! Seeded random input for the connection's state machine: whatever arrives, in whatever pieces,
//! it neither panics nor holds more than the limits allow, and the pieces make no difference.

use crate::base::seeded::Random;
use crate::base::seeded::rounds;
use crate::base::time;
use crate::http::conn::Conn;
use crate::http::conn::Next;
use crate::http::conn::Whole;
use crate::http::message::Door;
use crate::limits;

const SEEDS: &[&str] = &[
    "GET /sessions?status=a%20b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /sessions/x/send HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"text\":\"hi\"}",
    "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "DELETE /sessions/%C3%A9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: \u{e9}\r\n\r\n",
];

/// Words that framing turns on.
const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "%",
    "%00",
    "%2f",
    "/",
    "//",
    "..",
    "?",
    ":",
    "HTTP/1.1",
    "HTTP/2.0",
    "Content-Length: 4\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: y\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Expect: 100-continue\r\n",
    "\u{fc}",
    "\r\n\r\n",
];

/// Several requests behind each other, some of them broken.
fn input(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(3) {
        bytes.extend_from_slice(SEEDS[random.below(SEEDS.len())].as_bytes());
    }
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 if at < bytes.len() => bytes[at] = random.byte(),
            1 => drop(bytes.drain(at..(at + random.below(8)).min(bytes.len()))),
            2 => {
                let word = WORDS[random.below(WORDS.len())];
                bytes.splice(at..at, word.bytes());
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn line(whole: Whole) -> String {
    let (head, body) = (whole.head, whole.body);
    format!("{} {:?} {:?} {body:?}", head.method, head.target, head.headers)
}

/// Plays a client that sends `bytes` in pieces and reads every reply: what was understood, and
/// how it ended.
fn play(bytes: &[u8], mut piece: impl FnMut() -> usize) -> (Vec<String>, String) {
    let now = time::now();
    let mut conn = Conn::new(Door::Control, now);
    let (mut seen, mut rest, mut out) = (Vec::new(), bytes, Vec::new());
    loop {
        let mut whole = None;
        if !conn.pending().is_empty() {
            let count = piece().clamp(1, conn.pending().len());
            out.extend_from_slice(&conn.pending()[..count]);
            whole = conn.written(count, now);
        } else if conn.room() > 0 && !rest.is_empty() {
            let count = piece().clamp(1, rest.len().min(conn.room()));
            whole = conn.feed(&rest[..count], now);
            rest = &rest[count..];
        } else if conn.room() == 0 || rest.is_empty() {
            break;
        }
        assert!(conn.held() <= limits::BODY_BYTES + 4096);
        if let Some(whole) = whole {
            assert!(conn.is_waiting());
            let next = if whole.head.keep { Next::Keep } else { Next::Close };
            seen.push(line(whole));
            conn.reply(b"ok".to_vec(), next, now);
        }
    }
    let out = String::from_utf8_lossy(&out).replace("HTTP/1.1 100 Continue\r\n\r\n", "");
    let end = out.trim_start_matches("ok").chars().take(12).collect();
    (seen, end)
}

#[test]
fn a_request_is_the_same_in_whatever_pieces_it_comes() {
    let mut random = Random::new(0x5eed);
    for round in 0..rounds(3000) {
        let bytes = input(&mut random);
        let whole = play(&bytes, || usize::MAX);
        let shown = String::from_utf8_lossy(&bytes);
        assert_eq!(play(&bytes, || 1), whole, "round {round}, byte by byte: {shown:?}");
        let most = 1 + random.below(40);
        let pieces = play(&bytes, || 1 + random.below(most));
        assert_eq!(pieces, whole, "round {round}, in pieces: {shown:?}");
    }
}

#[test]
fn a_request_split_at_any_byte_is_the_same() {
    for seed in SEEDS {
        let whole = play(seed.as_bytes(), || usize::MAX);
        assert_eq!(whole.0.len(), 1, "{seed}");
        for at in 1..seed.len() {
            let mut first = true;
            let split = || if std::mem::take(&mut first) { at } else { usize::MAX };
            assert_eq!(play(seed.as_bytes(), split), whole, "{seed:?} at {at}");
        }
    }
}

#[test]
fn noise_is_refused_and_never_understood() {
    let mut random = Random::new(0xbad);
    for _ in 0..rounds(3000) {
        let length = random.below(600);
        let bytes: Vec<u8> = (0..length).map(|_| random.byte()).collect();
        let (seen, end) = play(&bytes, || 1 + random.below(200));
        assert!(seen.is_empty(), "{seen:?}");
        assert!(end.is_empty() || end.starts_with("HTTP/1.1 4") || end.ends_with("505"), "{end}");
    }
}
