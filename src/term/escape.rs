//! Output of programs made safe to read: nothing in it can act on the reader's terminal.
//!
//! 1. No control character reaches the result but line feed and tab.
//! 2. Nothing that reorders or hides text does: bidi controls and tag characters are named.
//! 3. Cutting the stream elsewhere changes nothing in the result.

use crate::term::seq::State;
use crate::term::seq::unfinished_utf8;
use std::fmt::Write;

/// Shows every byte: controls as `^[`, others that a terminal would not show as `U+202E`, what is
/// no UTF-8 as `\xNN`. A carriage return before a line feed is left out.
#[derive(Debug, Default)]
pub struct Visible {
    characters: Characters,
}

/// Leaves escape sequences and control characters out, for reading line by line. A carriage
/// return alone starts a new line, so that each stage of a progress bar is one.
#[derive(Debug)]
pub struct Plain {
    characters: Characters,
    state: State,
    text: Vec<u8>,
}

impl Visible {
    /// Appends what `bytes` look like.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        self.characters.push(bytes, &mut |item| visible_item(item, out));
    }

    /// Appends what was still waiting for its continuation.
    pub fn finish(&mut self, out: &mut String) {
        self.characters.finish(&mut |item| visible_item(item, out));
    }
}

impl Default for Plain {
    fn default() -> Plain {
        Plain { characters: Characters::default(), state: State::Ground, text: Vec::new() }
    }
}

impl Plain {
    /// Appends the text in `bytes`.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        self.text.clear();
        for &byte in bytes {
            let before = self.state;
            self.state = before.step(byte);
            if before == State::Ground && self.state == State::Ground {
                self.text.push(byte);
            }
        }
        self.characters.push(&self.text, &mut |item| plain_item(item, out));
    }

    /// Appends what was still waiting for its continuation.
    pub fn finish(&mut self, out: &mut String) {
        self.characters.finish(&mut |item| plain_item(item, out));
    }
}

/// [`Visible`] for a whole text.
pub fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut escaper = Visible::default();
    escaper.push(bytes, &mut out);
    escaper.finish(&mut out);
    out
}

/// [`Plain`] for a whole text.
pub fn plain(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut escaper = Plain::default();
    escaper.push(bytes, &mut out);
    escaper.finish(&mut out);
    out
}

enum Item {
    Char(char),
    /// A carriage return that no line feed follows.
    Return,
    Invalid(u8),
}

/// Cuts bytes into characters, across the borders of chunks.
#[derive(Debug, Default)]
struct Characters {
    rest: Vec<u8>,
    carriage: bool,
}

impl Characters {
    fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(Item)) {
        self.rest.extend_from_slice(bytes);
        let rest = std::mem::take(&mut self.rest);
        let (whole, unfinished) = rest.split_at(rest.len() - unfinished_utf8(&rest));
        self.split(whole, each);
        self.rest = unfinished.to_vec();
    }

    fn finish(&mut self, each: &mut impl FnMut(Item)) {
        let rest = std::mem::take(&mut self.rest);
        self.split(&rest, each);
        if std::mem::take(&mut self.carriage) {
            each(Item::Return);
        }
    }

    fn split(&mut self, bytes: &[u8], each: &mut impl FnMut(Item)) {
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                if std::mem::take(&mut self.carriage) && c != '\n' {
                    each(Item::Return);
                }
                if c == '\r' {
                    self.carriage = true;
                } else {
                    each(Item::Char(c));
                }
            }
            for &byte in chunk.invalid() {
                if std::mem::take(&mut self.carriage) {
                    each(Item::Return);
                }
                each(Item::Invalid(byte));
            }
        }
    }
}

fn visible_item(item: Item, out: &mut String) {
    match item {
        Item::Char(c @ ('\n' | '\t')) => out.push(c),
        Item::Char(c @ '\0'..='\x1f') => {
            out.push('^');
            out.push(char::from(c as u8 ^ 0x40));
        }
        Item::Char('\x7f') => out.push_str("^?"),
        Item::Char(c) => character(c, out),
        Item::Return => out.push_str("^M"),
        Item::Invalid(byte) => {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

fn plain_item(item: Item, out: &mut String) {
    match item {
        Item::Return => out.push('\n'),
        Item::Char(c) if c.is_control() && !matches!(c, '\n' | '\t') => {}
        Item::Char(c) => character(c, out),
        Item::Invalid(byte) => {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

fn character(c: char, out: &mut String) {
    if deceives(c) {
        let _ = write!(out, "U+{:04X}", u32::from(c));
    } else {
        out.push(c);
    }
}

/// C1 controls, line separators, bidi controls, invisible tags.
fn deceives(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &[u8] = b"ok\r\nred \x1b[31mred\x1b]0;t\x07 10%\r20%\x00\x7f \xff\xc3(\
        \xe2\x80\xae\xc2\x9b31m \xe6\x97\xa5 \xf3\xa0\x81\x81\xe2\x82";

    #[test]
    fn whatever_could_act_becomes_visible() {
        assert_eq!(
            visible(HOSTILE),
            "ok\nred ^[[31mred^[]0;t^G 10%^M20%^@^? \\xff\\xc3(U+202EU+009B31m 日 U+E0041\\xe2\\x82"
        );
    }

    #[test]
    fn plain_text_has_lines_and_no_sequences() {
        assert_eq!(
            plain(b"\x1b[1mbold\x1b[m\r\n\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\ta\x08\x07\r"),
            "bold\nlink\ta\n"
        );
        assert_eq!(plain(b"10%\r20%\r\ndone\x1bP1$qm\x1b\\"), "10%\n20%\ndone");
        assert_eq!(plain("a\u{202e}b\u{85}".as_bytes()), "aU+202Eb");
    }

    #[test]
    fn every_split_reads_the_same() {
        for first in 0..HOSTILE.len() {
            let (mut v, mut p) = (String::new(), String::new());
            let (mut visibly, mut plainly) = (Visible::default(), Plain::default());
            for part in [&HOSTILE[..first], &HOSTILE[first..first + 1], &HOSTILE[first + 1..]] {
                visibly.push(part, &mut v);
                plainly.push(part, &mut p);
            }
            visibly.finish(&mut v);
            plainly.finish(&mut p);
            assert_eq!((v, p), (visible(HOSTILE), plain(HOSTILE)), "at {first}");
        }
    }

    #[test]
    fn no_control_character_survives() {
        let all: Vec<u8> = (0..=255).chain(0..=255).collect();
        for text in [visible(&all), plain(&all)] {
            assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
