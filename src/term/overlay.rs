//! A line of ours over a program's picture, of which the program knows nothing: it is taken away
//! before each further byte of output, which so finds the terminal as the program left it.
//!
//! 1. What the program writes MUST have the effect that it would have without the line.

use crate::term::paint;
use crate::term::paint::Hidden;
use crate::term::screen::Screen;
use crate::term::snapshot::grid_state;
use std::fmt::Write;

/// Rows count from the top, and characters are what they are: no insert mode, no line drawing.
const AS_WRITTEN: &str = "\x1b[?6l\x1b[4l\x0f\x1b(B";

/// A terminal of which all is known that the line must not change.
pub struct Overlay {
    below: Screen,
    /// The row that the line is in, while it is there.
    drawn: Option<u16>,
}

impl Overlay {
    /// Over a terminal of this size that was just painted with a whole picture.
    pub fn new((cols, rows): (u16, u16), picture: &[u8]) -> Overlay {
        let mut below = Screen::new(cols, rows);
        below.feed_quiet(picture);
        Overlay { below, drawn: None }
    }

    /// Puts further output on its way to the terminal.
    pub fn output(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.lift(out);
        self.below.feed_quiet(bytes);
        out.extend_from_slice(bytes);
    }

    /// Draws the line where it is not there. `text` must fit into the row. Waits while the output
    /// stands inside an escape sequence, which the line would break.
    pub fn draw(&mut self, row: u16, text: &str, out: &mut Vec<u8>) {
        if self.drawn.is_some() || !self.below.partial().is_empty() {
            return;
        }
        let mut line = String::from(AS_WRITTEN);
        paint::goto(&mut line, (row, 0));
        let _ = write!(line, "\x1b[0;7m{text}\x1b[0m\x1b[K");
        paint::goto(&mut line, self.below.vt().cursor_position());
        out.extend_from_slice(line.as_bytes());
        self.drawn = Some(row);
    }

    /// Takes the line away where it is there: what was below it comes back, and so do pen, cursor
    /// and whatever else drawing has changed.
    pub fn lift(&mut self, out: &mut Vec<u8>) {
        let Some(row) = self.drawn.take() else { return };
        let (vt, mut bytes) = (self.below.vt(), String::from(AS_WRITTEN));
        bytes.push_str("\x1b[r");
        paint::row(vt, row, &mut bytes);
        grid_state(vt, &Hidden::of(vt), true, &mut bytes);
        self.below.writing_state(&mut bytes);
        out.extend_from_slice(bytes.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seeded::Random;
    use crate::term::streams::describe;
    use crate::term::streams::stream;

    #[test]
    fn a_program_finds_its_terminal_as_it_left_it_however_often_the_line_came_and_went() {
        for seed in 0..1500 {
            let mut random = Random::new(seed);
            let (cols, rows) = (random.below(40) as u16 + 8, random.below(12) as u16 + 1);
            let mut alone = Screen::new(cols, rows);
            let begin = stream(&mut random, 30, cols, rows);
            alone.feed_quiet(&begin);
            let mut seen = Screen::new(cols, rows);
            seen.feed_quiet(&alone.snapshot());
            let mut overlay = Overlay::new((cols, rows), &alone.snapshot());
            let more = stream(&mut random, 40, cols, rows);
            for piece in random.pieces(&more) {
                let mut out = Vec::new();
                overlay.draw(rows - 1, "a line", &mut out);
                let drawn = overlay.drawn.is_some();
                seen.feed_quiet(&out);
                assert!(!drawn || seen.text().ends_with("a line"), "seed {seed}: {}", seen.text());
                out.clear();
                overlay.output(piece, &mut out);
                seen.feed_quiet(&out);
                alone.feed_quiet(piece);
                // But for the mark of a line that wrapped behind an erased cell, which is a blank
                // once a cursor behind it was put back.
                let picture = |screen: &Screen| describe(screen).replace("\\\n", "|\n");
                let (want, got) = (picture(&alone), picture(&seen));
                assert!(want == got, "seed {seed}\nwant:\n{want}\x1b[m\ngot:\n{got}\x1b[m");
            }
        }
    }

    #[test]
    fn no_escape_sequence_is_broken_and_a_row_below_the_picture_is_just_cleared() {
        let mut overlay = Overlay::new((10, 2), b"one\r\ntwo");
        let mut out = Vec::new();
        overlay.output(b"\x1b[3", &mut out);
        overlay.draw(1, "note", &mut out);
        assert_eq!(out, b"\x1b[3");
        overlay.output(b"1m!", &mut out);
        let mut seen = Screen::new(10, 4);
        seen.feed_quiet(b"one\r\ntwo");
        seen.feed_quiet(&out);
        for text in ["one\ntwo!\n\nnote", "one\ntwo!"] {
            out.clear();
            match text.ends_with("note") {
                true => overlay.draw(3, "note", &mut out),
                false => overlay.lift(&mut out),
            }
            seen.feed_quiet(&out);
            assert_eq!(seen.text(), text);
        }
    }
}
