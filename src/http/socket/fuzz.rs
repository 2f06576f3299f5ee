//! Seeded random input for a socket: whatever a peer sends, in whatever pieces, is understood the
//! same way or ends the connection, and nothing panics.

use crate::base::seeded::Random;
use crate::base::seeded::rounds;
use crate::http::socket::message::Said;
use crate::http::stream::Stream;
use crate::http::wire::Wire;
use std::io::Write;
use std::os::unix::net::UnixStream;

const MESSAGES: &[&str] = &[
    r#"{"op":"subscribe","topic":"session:a-1:pty","from":123}"#,
    r#"{"op":"subscribe","topic":"session:a-1:events","sinceSeq":5}"#,
    r#"{"op":"unsubscribe","topic":"sessions"}"#,
    r#"{"op":"pty_input","sessionId":"a-1","data":"\u001b[A","requestId":"r1"}"#,
    r#"{"op":"pty_key","sessionId":"a-1","key":"ctrl+c"}"#,
    r#"{"op":"pty_paste","sessionId":"a","requestId":"r","chunkIndex":0,"chunkCount":2,"data":""}"#,
    r#"{"op":"resize","sessionId":"a-1","cols":80,"rows":24}"#,
];

/// Words that meaning turns on.
const WORDS: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "1e308",
    "-1",
    "18446744073709551616",
    "\0",
    "\\u0000",
    "\\ud800",
    "hello",
    "screen",
    "op",
    "é",
    "\u{1b}[201~",
];

fn mutated(random: &mut Random, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 if at < bytes.len() => bytes[at] = random.byte(),
            1 => drop(bytes.drain(at..(at + random.below(8)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, random.pick(WORDS).bytes())),
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

/// A client's frame; a mask of zeros leaves the payload as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | length as u8),
        length => {
            bytes.push(0xfe);
            bytes.extend((length as u16).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Several frames, some of them broken.
fn stream(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(6) {
        let message = MESSAGES[random.below(MESSAGES.len())];
        let payload = mutated(random, message);
        match random.below(6) {
            0 => bytes.extend(frame(0x89, &payload[..payload.len().min(125)])),
            1 if payload.len() > 2 => {
                let (head, tail) = payload.split_at(random.below(payload.len()));
                bytes.extend(frame(0x01, head));
                bytes.extend(frame(0x8a, b"pong"));
                bytes.extend(frame(0x80, tail));
            }
            2 => bytes.extend(frame(0x82, &payload)),
            _ => bytes.extend(frame(0x81, &payload)),
        }
    }
    for _ in 0..random.below(3) {
        let at = random.below(bytes.len());
        bytes[at] = random.byte();
    }
    bytes
}

/// Sends `pieces` to a wire: what it heard, and whether that was its end.
fn play(pieces: &[&[u8]]) -> (Vec<String>, bool) {
    let (mut client, server) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    let mut wire = Wire::new(Stream::Unix(server), Vec::new());
    let mut heard = Vec::new();
    for piece in pieces {
        if client.write_all(piece).is_err() {
            break;
        }
        while let Some(message) = wire.hear() {
            if let tungstenite::Message::Text(text) = &message {
                // Both ways are fine; a panic is not.
                let _ = Said::parse(text.as_bytes());
            }
            heard.push(format!("{message:?}"));
        }
        wire.flush();
    }
    (heard, wire.is_over())
}

#[test]
fn a_stream_is_understood_the_same_in_whatever_pieces_it_comes() {
    let mut random = Random::new(0x50c7);
    for round in 0..rounds(600) {
        let bytes = stream(&mut random);
        let whole = play(&[&bytes]);
        assert_eq!(play(&random.pieces(&bytes)), whole, "round {round}: {bytes:?}");
    }
}

#[test]
fn a_message_is_read_or_refused_whatever_it_is() {
    let mut random = Random::new(0x7777);
    let mut read = 0;
    for _ in 0..rounds(20_000) {
        let message = MESSAGES[random.below(MESSAGES.len())];
        read += usize::from(Said::parse(&mutated(&mut random, message)).is_ok());
    }
    assert!(read > 1000, "most were broken before anything was looked at: {read}");
    for message in MESSAGES {
        assert!(Said::parse(message.as_bytes()).is_ok(), "{message}");
    }
}
