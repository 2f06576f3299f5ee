//! A session's output log as the API hands it out: in pieces, by offset, with gaps.

use crate::base::error::Result;
use crate::cli::client::Client;
use crate::cli::client::session_path;
use crate::limits;

/// The log of one session.
pub struct Log<'a> {
    client: &'a Client,
    id: &'a str,
    covered: bool,
}

/// Some bytes of the log.
pub struct Piece {
    /// Place of the first byte; later than asked for where bytes are missing.
    pub from: u64,
    /// The oldest byte that is kept.
    pub start: u64,
    /// The end of the log.
    pub end: u64,
    /// The bytes; none at the end.
    pub bytes: Vec<u8>,
}

impl<'a> Log<'a> {
    /// The log of session `id` (its full id).
    pub fn new(client: &'a Client, id: &'a str) -> Log<'a> {
        Log { client, id, covered: false }
    }

    /// The same with secrets that the session was given covered, for what goes to others.
    pub fn covered(self) -> Log<'a> {
        Log { covered: true, ..self }
    }

    /// At most `most` bytes from `from` on.
    pub fn piece(&self, from: u64, most: u64) -> Result<Piece> {
        let covered = if self.covered { "&covered=true" } else { "" };
        let target = session_path(self.id, &format!("/log?from={from}&len={most}{covered}"));
        let reply = self.client.raw(&target)?;
        Ok(Piece {
            from: reply.number("x-codepiper-from")?,
            start: reply.number("x-codepiper-start")?,
            end: reply.number("x-codepiper-end")?,
            bytes: reply.body,
        })
    }

    /// Hands `take` the bytes from `from` up to `until` (or the end) with their offsets, and
    /// returns where it stopped.
    pub fn read(
        &self,
        from: u64,
        until: u64,
        mut take: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<u64> {
        let mut at = from;
        while at < until {
            let piece = self.piece(at, (until - at).min(limits::gate::TAIL_PIECE))?;
            if piece.bytes.is_empty() || piece.from >= until {
                break;
            }
            // Never behind: a piece that begins before what we asked for repeats bytes.
            let known = at.saturating_sub(piece.from).min(piece.bytes.len() as u64) as usize;
            let end = piece.from + piece.bytes.len() as u64;
            if end <= at {
                break;
            }
            take(piece.from.max(at), &piece.bytes[known..])?;
            at = end;
        }
        Ok(at)
    }

    /// Where the last `lines` lines begin, and the end of the log as it is now. A line that is not
    /// ended yet counts.
    pub fn last_lines(&self, lines: u64) -> Result<(u64, u64)> {
        let first = self.piece(0, 1)?;
        let (start, end) = (first.start, first.end);
        if lines == 0 {
            return Ok((end, end));
        }
        let (mut until, mut seen) = (end, 0);
        while until > start {
            let from = until.saturating_sub(limits::gate::TAIL_PIECE).max(start);
            let mut chunks: Vec<(u64, Vec<u8>)> = Vec::new();
            self.read(from, until, |offset, bytes| {
                chunks.push((offset, bytes.to_vec()));
                Ok(())
            })?;
            for (offset, bytes) in chunks.iter().rev() {
                let ends = bytes.iter().enumerate().rev().filter(|(_, b)| **b == b'\n');
                for (at, _) in ends {
                    let behind = offset + at as u64 + 1;
                    seen += u64::from(behind != end);
                    if behind != end && seen == lines {
                        return Ok((behind, end));
                    }
                }
            }
            until = from;
        }
        Ok((start, end))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use std::io::Write;

    /// Answers `/log` requests from `bytes`, whose first is at offset `start`.
    pub fn answer(stream: &mut impl Write, request: &str, start: u64, bytes: &[u8]) {
        let number = |name: &str| {
            let text = request.split_once(name).unwrap().1;
            text.split(['&', ' ']).next().unwrap().parse::<u64>().unwrap()
        };
        let end = start + bytes.len() as u64;
        let from = number("from=").clamp(start, end);
        let to = (from + number("len=")).min(end);
        let body = &bytes[(from - start) as usize..(to - start) as usize];
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-CodePiper-From: {from}\r\n\
             X-CodePiper-Start: {start}\r\nX-CodePiper-End: {end}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(body);
    }

    fn fake(start: u64, bytes: Vec<u8>) -> Fake {
        Fake::serve(move |stream| {
            let request = Fake::read_request(stream);
            answer(stream, &request, start, &bytes);
        })
    }

    fn check(start: u64, text: &str, lines: u64, expected: &str) {
        let fake = fake(start, text.as_bytes().to_vec());
        let client = Client { path: fake.path.clone() };
        let log = Log::new(&client, "x");
        let (from, end) = log.last_lines(lines).unwrap();
        let mut got = Vec::new();
        let stopped = log.read(from, end, |_, bytes| {
            got.extend_from_slice(bytes);
            Ok(())
        });
        assert_eq!(stopped.unwrap(), end);
        assert_eq!(String::from_utf8(got).unwrap(), expected);
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        check(0, "a\nb\nc\n", 2, "b\nc\n");
        check(0, "a\nb\nc", 2, "b\nc");
        check(7, "a\nb\nc\n", 9, "a\nb\nc\n");
        check(7, "a\nb\n", 0, "");
        check(0, "", 5, "");
        check(0, "\n\n\n", 1, "\n");
        let long = format!("first\n{}\nlast\n", "x".repeat(200_000));
        check(1 << 40, &long, 2, &long[6..]);
    }
}
