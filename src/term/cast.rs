//! Recordings in asciicast version 3, line by line; where lines go is the caller's affair.

use crate::term::seq::unfinished_utf8;
use serde_json::Value;
use serde_json::json;

/// What a recording says about itself in its first line.
#[derive(Debug, Clone)]
pub struct Header<'a> {
    /// Columns at the start.
    pub cols: u16,
    /// Rows at the start.
    pub rows: u16,
    /// The terminal's type, as in `TERM`.
    pub term: &'a str,
    /// When it began, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Shown by players.
    pub title: Option<&'a str>,
    /// What was run.
    pub command: Option<&'a str>,
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The program wrote this.
    Output(&'a [u8]),
    /// The terminal has a new size: columns, rows.
    Resize(u16, u16),
    /// A place to jump to, with a label.
    Marker(&'a str),
    /// The program ended with this status; the recording is over.
    Exit(i32),
}

/// Writes one recording.
#[derive(Debug)]
pub struct Cast {
    /// Time of the newest line, in milliseconds since 1970.
    last: u64,
    /// The beginning of a character whose end is in the next chunk.
    rest: Vec<u8>,
}

impl Cast {
    /// A recording and its first line.
    pub fn new(header: &Header<'_>) -> (Cast, String) {
        let mut line = json!({
            "version": 3,
            "term": {"cols": header.cols, "rows": header.rows, "type": header.term},
            "timestamp": header.unix_ms / 1000,
        });
        for (name, value) in [("title", header.title), ("command", header.command)] {
            if let Some(value) = value {
                line[name] = Value::from(value);
            }
        }
        (Cast { last: header.unix_ms, rest: Vec::new() }, format!("{line}\n"))
    }

    /// The lines for an event at `unix_ms`: none if output is not a whole character yet, two if
    /// it never will be. A clock that steps back counts as no time passed.
    pub fn event(&mut self, unix_ms: u64, event: Event<'_>) -> String {
        let mut lines = String::new();
        match event {
            Event::Output(bytes) => {
                self.rest.extend_from_slice(bytes);
                let whole = self.rest.len() - unfinished_utf8(&self.rest);
                let unfinished = self.rest.split_off(whole);
                let text = std::mem::replace(&mut self.rest, unfinished);
                if !text.is_empty() {
                    self.line(unix_ms, "o", &String::from_utf8_lossy(&text), &mut lines);
                }
            }
            Event::Resize(cols, rows) => {
                self.line(unix_ms, "r", &format!("{cols}x{rows}"), &mut lines);
            }
            Event::Marker(label) => self.line(unix_ms, "m", label, &mut lines),
            Event::Exit(status) => {
                if !std::mem::take(&mut self.rest).is_empty() {
                    self.line(unix_ms, "o", "\u{fffd}", &mut lines);
                }
                self.line(unix_ms, "x", &status.to_string(), &mut lines);
            }
        }
        lines
    }

    fn line(&mut self, unix_ms: u64, code: &str, data: &str, lines: &mut String) {
        let passed = unix_ms.saturating_sub(self.last);
        self.last = self.last.max(unix_ms);
        // Whole milliseconds: the sum over a long recording does not drift.
        let (seconds, thousandths) = (passed / 1000, passed % 1000);
        let data = Value::from(data);
        lines.push_str(&format!("[{seconds}.{thousandths:03}, \"{code}\", {data}]\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> (Cast, String) {
        Cast::new(&Header {
            cols: 120,
            rows: 30,
            term: "xterm-256color",
            unix_ms: 1_700_000_000_250,
            title: Some("fix \"it\""),
            command: None,
        })
    }

    #[test]
    fn a_recording_is_a_header_and_timed_lines() {
        let (mut cast, header) = start();
        let header: Value = serde_json::from_str(&header).unwrap();
        assert_eq!(
            header,
            json!({"version": 3, "term": {"cols": 120, "rows": 30, "type": "xterm-256color"},
                "timestamp": 1_700_000_000, "title": "fix \"it\""})
        );
        let t = 1_700_000_000_250;
        let mut all = cast.event(t + 1500, Event::Output(b"\x1b[31mhi\r\n"));
        all += &cast.event(t + 1501, Event::Resize(80, 24));
        all += &cast.event(t + 1501, Event::Marker("tool call"));
        all += &cast.event(t + 62_000, Event::Exit(1));
        assert_eq!(
            all,
            "[1.500, \"o\", \"\\u001b[31mhi\\r\\n\"]\n[0.001, \"r\", \"80x24\"]\n\
             [0.000, \"m\", \"tool call\"]\n[60.499, \"x\", \"1\"]\n"
        );
    }

    #[test]
    fn characters_survive_the_borders_of_chunks() {
        let (mut cast, _) = start();
        let text = "aé日👍".as_bytes();
        let mut said = String::new();
        for (i, byte) in text.iter().enumerate() {
            for line in cast.event(1_700_000_000_250 + i as u64, Event::Output(&[*byte])).lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                said.push_str(line[2].as_str().unwrap());
            }
        }
        assert_eq!(said, "aé日👍");
    }

    #[test]
    fn what_is_no_text_is_replaced_and_never_lost_silently() {
        let (mut cast, _) = start();
        assert_eq!(cast.event(0, Event::Output(b"\xff\xe2\x82")), "[0.000, \"o\", \"\u{fffd}\"]\n");
        assert_eq!(
            cast.event(0, Event::Exit(0)),
            "[0.000, \"o\", \"\u{fffd}\"]\n[0.000, \"x\", \"0\"]\n"
        );
    }

    #[test]
    fn a_clock_that_steps_back_does_not_lengthen_the_recording() {
        let (mut cast, _) = start();
        let t = 1_700_000_000_250;
        cast.event(t + 1000, Event::Marker("a"));
        assert!(cast.event(t, Event::Marker("b")).starts_with("[0.000"));
        assert!(cast.event(t + 1200, Event::Marker("c")).starts_with("[0.200"));
    }
}
