//! Takes terminal queries out of a viewer's stream: its terminal would answer a second time.
//!
//! 1. Whatever makes a terminal talk goes: identity, status, mode, size, colour, title, clipboard
//!    and 7501 queries, whether or not the daemon answers them itself.
//! 2. Every other byte passes unchanged and in order, wherever the stream is cut. What a query
//!    cut off stays cut off.
//! 3. Only an unfinished sequence that may become a query is held back, and never more than
//!    [`limits::QUERY_HOLD`] bytes of it.

use crate::limits;
use crate::term::question;
use crate::term::seq::BEL;
use crate::term::seq::CAN;
use crate::term::seq::ESC;
use crate::term::seq::SUB;
use crate::term::seq::find;

const ENQ: u8 = 0x05;
/// First byte of a C1 control character in UTF-8; terminals take U+009B as CSI.
const C2: u8 = 0xc2;
/// An OSC is known for a possible query within these bytes: number and clipboard names.
const DECIDED: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pass,
    C2,
    Esc,
    Csi,
    Osc,
    Dcs,
    /// In a sequence that is being removed, up to its final byte.
    DropCsi,
    /// In an OSC that is being removed, up to its terminator.
    DropOsc,
    /// The same for a DCS, which BEL does not end.
    DropDcs,
    /// ESC seen there: a backslash still belongs to it.
    DropEsc,
}

/// What the viewer's terminal is in the middle of while nothing is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    /// An OSC, which BEL ends.
    Osc,
    /// Another string, or a sequence cut off by ESC.
    Other,
}

/// The filter of one viewer's stream.
#[derive(Debug)]
pub struct Filter {
    state: State,
    /// The unfinished sequence, from its ESC.
    held: Vec<u8>,
    /// What the next sequence will abort, even if it is a query and goes: CAN does it then.
    /// Without that, `CSI 1` and `8t` would meet where the query between them was taken out.
    open: Open,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter::new()
    }
}

impl Filter {
    /// A filter at the beginning of a stream, or at a place between two sequences.
    pub fn new() -> Filter {
        Filter { state: State::Pass, held: Vec::new(), open: Open::Nothing }
    }

    /// Appends to `out` what the viewer may see of `bytes` and of what was held back before.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Pass {
                let ends = |b| matches!(b, ESC | ENQ | C2 | BEL | CAN | SUB);
                let end = match self.open {
                    Open::Nothing => find(bytes, at, |b| matches!(b, ESC | ENQ | C2)),
                    _ => find(bytes, at, ends),
                };
                out.extend_from_slice(&bytes[at..end]);
                at = end;
            }
            if let Some(&byte) = bytes.get(at) {
                self.step(byte, out);
                at += 1;
            }
        }
    }

    /// How many bytes are held back: the viewer has seen the stream up to that much before its
    /// end.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.state, byte) {
            (State::Pass, ENQ) => {}
            (State::Pass, C2) => self.hold(State::C2, byte),
            (State::DropEsc, b'\\') => self.state = State::Pass,
            (State::DropEsc, _) => {
                self.hold(State::Esc, ESC);
                self.step(byte, out);
            }
            (State::DropOsc | State::DropDcs, ESC) => self.drop_to(State::DropEsc, out),
            (State::DropOsc, BEL) => self.drop_to(State::Pass, out),
            (State::DropCsi, 0x40..=0x7e) => self.drop_to(State::Pass, out),
            // An OSC that asked and was then aborted has been understood by some all the same.
            (State::Osc, ESC) if self.asks() => self.drop_to(State::DropEsc, out),
            (_, ESC) => {
                let open = if self.held.is_empty() { self.open } else { Open::Other };
                self.release(open, out);
                self.hold(State::Esc, byte);
            }
            (state, CAN | SUB) => {
                let dropping = matches!(state, State::DropOsc | State::DropDcs);
                if dropping || (state == State::Osc && self.asks()) {
                    self.held.clear();
                }
                self.held.push(byte);
                self.release(Open::Nothing, out);
            }
            (State::Pass, _) => {
                out.push(byte);
                if byte == BEL && self.open == Open::Osc {
                    self.open = Open::Nothing;
                }
            }
            (State::DropOsc | State::DropDcs, 0x9c) if self.held == [C2] => {
                self.drop_to(State::Pass, out);
            }
            (state @ (State::DropOsc | State::DropDcs), C2) => {
                self.held.clear();
                self.hold(state, C2);
            }
            (State::DropCsi | State::DropOsc | State::DropDcs, _) => self.held.clear(),
            (State::C2, _) => self.after_c2(byte, out),
            (State::Esc, _) => self.after_esc(byte, out),
            (State::Csi, _) => self.in_csi(byte, out),
            (State::Osc, _) => self.in_osc(byte, out),
            (State::Dcs, _) => self.in_dcs(byte, out),
        }
        if self.held.len() > limits::QUERY_HOLD {
            let state = match self.state {
                State::Csi => State::DropCsi,
                State::Osc => State::DropOsc,
                State::Dcs => State::DropDcs,
                _ => State::Pass,
            };
            self.drop_to(state, out);
        }
    }

    fn hold(&mut self, state: State, byte: u8) {
        self.state = state;
        self.held.push(byte);
    }

    /// It was no query, or not whole; afterwards the viewer is in the middle of `open`.
    fn release(&mut self, open: Open, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.open = open;
        self.state = State::Pass;
    }

    /// It is a query: what is held goes, and in `state` perhaps more.
    fn drop_to(&mut self, state: State, out: &mut Vec<u8>) {
        if self.open != Open::Nothing {
            out.push(CAN);
        }
        self.open = Open::Nothing;
        self.held.clear();
        self.state = state;
    }

    /// It was a query. Control characters inside it took effect on their own.
    fn remove(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        self.drop_to(State::Pass, out);
        out.extend(held.iter().filter(|b| **b < 0x20 && **b != ESC && **b != ENQ));
    }

    fn after_c2(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            0x90 => self.hold(State::Dcs, byte),
            0x9b => self.hold(State::Csi, byte),
            0x9d => self.hold(State::Osc, byte),
            0x9a => self.remove(out),
            _ => {
                self.release(self.open, out);
                self.step(byte, out);
            }
        }
    }

    fn after_esc(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            b'[' => self.hold(State::Csi, byte),
            b']' => self.hold(State::Osc, byte),
            b'P' => self.hold(State::Dcs, byte),
            b'Z' => self.remove(out),
            // Control characters do not end an escape, see `vte`.
            0x00..=0x1f | 0x7f.. => self.hold(State::Esc, byte),
            // The second byte of two, the first of three, or the beginning of another string.
            _ => {
                self.held.push(byte);
                let string = matches!(byte, b'X' | b'^' | b'_');
                self.release(if string { Open::Other } else { Open::Nothing }, out);
            }
        }
    }

    fn in_csi(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.held.push(byte);
        if (0x40..=0x7e).contains(&byte) {
            // Colours and moves are most of a stream: no closer look at them.
            let rare = match byte {
                b'm' => self.held.contains(&b'?'),
                last => b"cnqputxywSR|".contains(&last),
            };
            if rare && question::csi(self.body()) {
                self.remove(out)
            } else {
                self.release(Open::Nothing, out)
            }
        }
    }

    fn in_dcs(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.held.push(byte);
        if (0x40..=0x7e).contains(&byte) {
            // DECRQSS and XTGETTCAP.
            if byte == b'q' && self.body().iter().any(|b| matches!(b, b'$' | b'+')) {
                self.drop_to(State::DropDcs, out);
            } else {
                self.release(Open::Other, out);
            }
        }
    }

    fn in_osc(&mut self, byte: u8, out: &mut Vec<u8>) {
        if byte == BEL || (byte == 0x9c && self.held.last() == Some(&C2)) {
            if self.asks() {
                self.drop_to(State::Pass, out);
            } else {
                self.held.push(byte);
                self.release(Open::Nothing, out);
            }
            return;
        }
        self.held.push(byte);
        // Later bytes change nothing any more, and looking again at each would be quadratic.
        if self.held.len() <= DECIDED && !question::osc_possible(self.body()) {
            self.release(Open::Osc, out);
        }
    }

    /// What follows the introducer, without control characters.
    fn body(&self) -> Vec<u8> {
        let all = self.held.iter().copied();
        let lead = if self.held.first() == Some(&C2) { 2 } else { 1 };
        let body: Vec<u8> = all.skip(lead).filter(|b| (0x20..0x7f).contains(b)).collect();
        // The introducer itself, `[` or `]` or `P`, stands behind ESC.
        if lead == 1 { body[body.len().min(1)..].to_vec() } else { body }
    }

    fn asks(&self) -> bool {
        question::osc(self.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seeded::Random;
    use crate::term::screen::Screen;
    use crate::term::streams::LOOKALIKES;
    use crate::term::streams::QUERIES;
    use crate::term::streams::stream;

    fn filtered(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut filter, mut out) = (Filter::new(), Vec::new());
        for piece in pieces {
            filter.push(piece, &mut out);
            assert!(filter.held() <= limits::QUERY_HOLD);
        }
        out
    }

    #[test]
    fn exactly_the_queries_go_wherever_the_stream_is_cut() {
        for query in QUERIES {
            let all = format!("é{query}\x1b[31m日");
            let want = "é\x1b[31m日";
            for cut in 0..=all.len() {
                let (a, b) = all.as_bytes().split_at(cut);
                assert_eq!(filtered(&[a, b]), want.as_bytes(), "{query:?} at {cut}");
            }
        }
    }

    #[test]
    fn a_query_taken_out_joins_nothing() {
        for (stream, seen) in [
            ("\x1b[1\x1b[c8tx", "\x1b[1\x188tx"),
            ("\x1b\x1b[cZx", "\x1b\x18Zx"),
            ("\x1b]0;a\x1b[cb\x07", "\x1b]0;a\x18b\x07"),
            ("\x1bPq#\x07\x1b[cb", "\x1bPq#\x07\x18b"),
            ("\x1b]0;a\x07\x1b[cb", "\x1b]0;a\x07b"),
            ("\x1b]0;a\x1b\\\x1b[cb", "\x1b]0;a\x1b\\b"),
            ("\x1b[1\x1b]11;?\x1b\\8t", "\x1b[1\x188t"),
        ] {
            for cut in 0..stream.len() {
                let (a, b) = stream.as_bytes().split_at(cut);
                assert_eq!(filtered(&[a, b]), seen.as_bytes(), "{stream:?} at {cut}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_query_passes() {
        for same in LOOKALIKES {
            let same = same.as_bytes();
            assert_eq!(filtered(&[same]), same);
            for cut in 0..same.len() {
                assert_eq!(filtered(&[&same[..cut], &same[cut..]]), same, "at {cut}");
            }
        }
    }

    #[test]
    fn invalid_bytes_pass_and_nothing_is_held_without_need() {
        let mut random = Random::new(7);
        let noise: Vec<u8> = (0..20_000).map(|_| random.below(256) as u8).collect();
        let noise: Vec<u8> = noise.into_iter().filter(|b| !matches!(*b, ESC | ENQ | C2)).collect();
        assert_eq!(filtered(&random.pieces(&noise)), noise);

        let (mut filter, mut out) = (Filter::new(), Vec::new());
        let open = b"text\x1b]52;c;aGVs\xe2";
        filter.push(open, &mut out);
        assert_eq!((out.len(), filter.held()), (open.len(), 0));
    }

    #[test]
    fn any_split_of_any_stream_gives_the_same_and_no_answers() {
        let hostile = [ESC, b'[', b']', b'P', b'?', b';', b'1', b'0', b'c', BEL, CAN, C2, 0x9b, 9];
        for seed in 0..600 {
            let mut random = Random::new(seed);
            let mut bytes = stream(&mut random, 80, 40, 12);
            for _ in 0..random.below(60) {
                let at = random.below(bytes.len());
                bytes[at] = hostile[random.below(hostile.len())];
            }
            let whole = filtered(&[&bytes]);
            assert_eq!(filtered(&random.pieces(&bytes)), whole, "seed {seed}");
            let mut viewer = Screen::new(40, 12);
            viewer.feed(&whole);
            let replies = viewer.take_replies();
            assert!(replies.is_empty(), "seed {seed}: {:?}", String::from_utf8_lossy(&replies));
        }
    }

    #[test]
    fn a_filtered_stream_draws_the_same_picture() {
        for seed in 0..300 {
            let mut random = Random::new(seed);
            let mut bytes = stream(&mut random, 120, 40, 12);
            // The model draws U+009B as nothing; terminals take it as CSI.
            bytes.retain(|b| *b != 0x9b);
            let (mut direct, mut viewer) = (Screen::new(40, 12), Screen::new(40, 12));
            direct.feed_quiet(&bytes);
            viewer.feed_quiet(&filtered(&random.pieces(&bytes)));
            assert_eq!(direct.text(), viewer.text(), "seed {seed}");
            assert_eq!(direct.cursor(), viewer.cursor(), "seed {seed}");
        }
    }

    #[test]
    fn overlong_candidates_are_dropped_in_bounded_memory() {
        for (lead, last) in [("\x1b[", "n"), ("\x1b]10;", "?\x07"), ("\x1bP", "$qm\x1b\\")] {
            let long = format!("{lead}{}{last}end", "0;".repeat(50_000));
            assert_eq!(filtered(&[long.as_bytes()]), b"end", "{lead:?}");
        }
        let palette: String = (0..256).map(|i| format!(";{i};rgb:12/34/56")).collect();
        let palette = format!("\x1b]4{palette}\x1b\\");
        assert_eq!(filtered(&[palette.as_bytes()]), palette.as_bytes());
    }
}
