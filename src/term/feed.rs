//! Bytes into a [`Screen`]: follows the stream beside the parser, because some things must happen
//! between two bytes that `vt100` would only tell too late, or not at all.

use crate::limits;
use crate::term::modes;
use crate::term::modes::Modes;
use crate::term::modes::Tracker;
use crate::term::screen::Screen;
use crate::term::screen::clamp;
use crate::term::seq;
use crate::term::seq::State;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// U+FE0F in UTF-8, see [`Screen::selector`].
const SELECTOR: [u8; 3] = [0xef, 0xb8, 0x8f];
/// Text from here on in character set G1.
const SHIFT_OUT: u8 = 0x0e;
/// Text from here on in character set G0.
const SHIFT_IN: u8 = 0x0f;

/// Bytes at which plain text may not be handed on without a look.
fn interrupts(byte: u8) -> bool {
    (byte == seq::ESC) | (byte == SELECTOR[0]) | (byte == SHIFT_OUT) | (byte == SHIFT_IN)
}

impl Screen {
    /// Takes bytes in behind those of a character that was cut off. Unfinished characters wait here
    /// and not in the parser, see [`Screen::selector`].
    pub(in crate::term) fn advance(&mut self, bytes: &[u8]) {
        if self.state == State::Ground && !self.partial.is_empty() {
            let mut joined = std::mem::take(&mut self.partial);
            joined.extend_from_slice(bytes);
            self.run(&joined);
        } else {
            self.run(bytes);
        }
    }

    /// Hands bytes to the parser in pieces as large as possible. Pieces end where something must
    /// happen in between that `vt100` does not tell us about.
    fn run(&mut self, bytes: &[u8]) {
        let mut given = 0;
        let mut at = 0;
        let mut start = None;
        while at < bytes.len() {
            match self.state {
                State::Ground if self.modes().any_line_drawing() => {
                    let end = seq::find(bytes, at, interrupts);
                    let rest = if end == bytes.len() { seq::unfinished_utf8(bytes) } else { 0 };
                    self.process(&bytes[given..at]);
                    given = (end - rest).max(at);
                    self.draw_text(&bytes[at..given]);
                    at = end;
                }
                State::Ground => {
                    at = seq::find(bytes, at, interrupts);
                }
                State::Osc => {
                    let end = seq::find(bytes, at, seq::ends_osc);
                    let room = limits::OSC_BYTES.saturating_sub(self.osc);
                    if end - at > room {
                        self.process(&bytes[given.min(at + room)..at + room]);
                        given = end;
                    }
                    self.osc = self.osc.saturating_add(end - at);
                    at = end;
                }
                State::Csi => {
                    let param = |b: &&u8| (0x20..0x40).contains(*b);
                    at += bytes[at..].iter().take_while(param).count();
                }
                _ => {}
            }
            let Some(&byte) = bytes.get(at) else { break };
            if self.state == State::Ground && byte != seq::ESC {
                at = self.in_text(bytes, &mut given, at);
                continue;
            }
            if byte == seq::ESC {
                start = Some(at);
            }
            at += 1;
            let before = self.state;
            self.state = before.step(byte);
            let reset = before == State::Esc && byte == b'c';
            // Perhaps a character set: it must be known before the text behind it.
            let charset = before == State::EscInter && self.state == State::Ground;
            if before == State::Esc {
                self.osc = 0;
            }
            if reset || charset {
                self.process(&bytes[given..at]);
                given = at;
            }
            if reset {
                self.parser.callbacks_mut().modes = Modes::default();
            }
        }
        let rest = if self.state == State::Ground { seq::unfinished_utf8(bytes) } else { 0 };
        let whole = (bytes.len() - rest).max(given);
        self.process(&bytes[given..whole]);
        self.keep_partial(&bytes[whole..], bytes, start);
    }

    /// Takes the byte at `at`, which interrupts plain text, and what belongs to it; returns the
    /// place behind. Bytes before `given` are with the parser.
    fn in_text(&mut self, bytes: &[u8], given: &mut usize, at: usize) -> usize {
        if bytes[at] != SELECTOR[0] {
            self.process(&bytes[*given..at]);
            *given = at;
            self.parser.callbacks_mut().modes.shifted = bytes[at] == SHIFT_OUT;
            return at + 1;
        }
        if bytes[at..].starts_with(&SELECTOR) {
            self.process(&bytes[*given..at]);
            *given = self.selector(at);
        }
        let more = bytes[at + 1..].iter().take_while(|b| (0x80..0xc0).contains(*b)).count();
        at + 1 + more
    }

    /// Takes U+FE0F, which turns the character before it into an emoji, two columns wide. If that
    /// one stands in the last column, `vt100` moves it to the next line, looks for it in the wrong
    /// place if this scrolls, and panics later; there the selector is left out. Returns where the
    /// bytes begin that the parser has not seen.
    fn selector(&self, at: usize) -> usize {
        let (cols, _) = self.size();
        if self.vt().cursor_position().1 >= cols { at + SELECTOR.len() } else { at }
    }

    /// Lets `vt100` draw. It indexes its grid without asking in many places; should it panic, the
    /// picture is lost and not the session.
    fn process(&mut self, bytes: &[u8]) {
        self.guarded(|parser| parser.process(bytes));
    }

    pub(in crate::term) fn guarded(&mut self, work: impl FnOnce(&mut vt100::Parser<Tracker>)) {
        let parser = &mut self.parser;
        if catch_unwind(AssertUnwindSafe(|| work(parser))).is_err() {
            let (cols, rows) = self.size();
            let tracker = std::mem::take(self.parser.callbacks_mut());
            let (cols, rows) = clamp(cols, rows);
            self.parser = vt100::Parser::new_with_callbacks(rows, cols, 0, tracker);
        }
    }

    /// Text while a line drawing set is designated.
    fn draw_text(&mut self, text: &[u8]) {
        let mut drawn = Vec::with_capacity(text.len());
        let drawing = self.modes().line_drawing();
        for &byte in text {
            match modes::line_drawing(byte).filter(|_| drawing) {
                Some(c) => drawn.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                None => drawn.push(byte),
            }
        }
        self.process(&drawn);
    }

    /// Remembers the unfinished end of the stream: of a character, or of the sequence that began
    /// at `start` or before these bytes.
    fn keep_partial(&mut self, character: &[u8], bytes: &[u8], start: Option<usize>) {
        if self.state == State::Ground || start.is_some() {
            self.partial.clear();
        }
        let rest = match start {
            _ if self.state == State::Ground => character,
            Some(start) => &bytes[start..],
            None => bytes,
        };
        let room = limits::SEQUENCE_BYTES.saturating_sub(self.partial.len());
        // Control characters in the middle of a sequence have been executed already.
        let data = matches!(self.state, State::DcsBody | State::Str);
        let kept = rest.iter().filter(|b| data || **b >= 0x20 || **b == seq::ESC);
        self.partial.extend(kept.take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seeded::Random;
    use crate::term::streams::describe;
    use crate::term::streams::stream;

    fn fed(cols: u16, rows: u16, text: &str) -> Screen {
        let mut screen = Screen::new(cols, rows);
        screen.feed(text.as_bytes());
        screen
    }

    #[test]
    fn line_drawing_is_drawn() {
        let screen = fed(20, 5, "\x1b(0lqk\x1b(Bq\r\n\x1b)0\x0ex\u{e9}~\x0fx\r\n\x1b)B\x0eq");
        assert_eq!(screen.text(), "┌─┐q\n│é·x\nq");
    }

    #[test]
    fn a_full_reset_forgets_the_modes_before_it() {
        let text = "\x1b[?1004h\x1b[>5u\x1b(0\x1b[4h\x1bcq\x1b[?2031h";
        let screen = fed(9, 2, text);
        let mut want = Modes::default();
        assert_ne!(screen.modes(), &want);
        want = fed(9, 2, "\x1b[?2031h").modes().clone();
        assert_eq!((screen.modes(), screen.text().as_str()), (&want, "q"));
    }

    #[test]
    fn an_emoji_that_turns_wide_in_the_last_corner_does_no_harm() {
        let mut screen = fed(4, 2, "\x1b[2;4H☁\u{fe0f}\x1b[1;4Hab\x1b[2;4H☁");
        for byte in "\u{fe0f}".bytes() {
            screen.feed(&[byte]);
        }
        assert_eq!(screen.text(), "   a\nb  ☁");
    }

    #[test]
    fn an_endless_title_is_bounded_and_what_follows_is_drawn() {
        let mut screen = fed(9, 2, "\x1b]0;");
        for _ in 0..100 {
            screen.feed(&[b'x'; 10_000]);
        }
        assert!(screen.partial().len() <= limits::SEQUENCE_BYTES);
        screen.feed(b"\x07text");
        assert_eq!(screen.title().len(), limits::TITLE_CHARS);
        assert_eq!(screen.text(), "text");
    }

    #[test]
    fn a_broken_emulator_costs_the_picture_only() {
        let mut screen = fed(9, 2, "old\x1b]0;title\x07\x1b[?1004h");
        screen.guarded(|_| panic!("as vt100 might"));
        screen.feed(b"new");
        assert_eq!(
            (screen.text().as_str(), screen.title(), screen.size()),
            ("new", "title", (9, 2))
        );
    }

    #[test]
    fn every_split_of_a_stream_gives_the_same_screen() {
        for seed in 0..400 {
            let mut random = Random::new(seed);
            let bytes = stream(&mut random, 80, 30, 8);
            let (mut whole, mut split) = (Screen::new(30, 8), Screen::new(30, 8));
            whole.feed(&bytes);
            for piece in random.pieces(&bytes) {
                split.feed(piece);
            }
            assert_eq!(describe(&whole), describe(&split), "seed {seed}");
            assert_eq!(whole.take_replies(), split.take_replies(), "seed {seed}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for seed in 0..300 {
            let mut random = Random::new(seed);
            let mut bytes = stream(&mut random, 120, 20, 6);
            for _ in 0..random.below(80) {
                let at = random.below(bytes.len());
                bytes[at] = random.below(256) as u8;
            }
            let mut screen = Screen::new(random.below(20) as u16, random.below(6) as u16);
            for piece in random.pieces(&bytes) {
                screen.feed(piece);
                if random.below(20) == 0 {
                    screen.resize(random.below(20) as u16, random.below(6) as u16);
                }
            }
            let mut fresh = Screen::new(screen.size().0, screen.size().1);
            fresh.feed(&screen.snapshot());
            assert_eq!(fresh.text(), screen.text(), "seed {seed}");
        }
    }
}
