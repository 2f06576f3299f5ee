//! A screen as bytes: repaints a viewer's terminal, and starts a model from the middle of the log.

use crate::term::paint;
use crate::term::paint::Hidden;
use crate::term::paint::Style;
use crate::term::query::Filter;
use crate::term::screen::Screen;
use std::fmt::Write;

/// Takes a terminal in any state to the main screen with every mode as in a fresh one. CAN first:
/// the terminal may be in the middle of a sequence whose end it will never see. Soft reset and
/// single modes, never RIS: that would also take palette, font and title from the user. DECRC of
/// `?1049l` moves the cursor to where ESC 7 has just saved it, unless there was an alternate
/// screen to leave, which saved its own.
const RESET: &str = "\x18\x1b[?2026l\x1b]8;;\x1b\\\x1b7\x1b[?1049l\x1b[!p\x1b[4l\x1b[?7h\
\x1b(B\x1b)B\x0f\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l\
\x1b[?1016l\x1b[?1004l\x1b[?2004l\x1b[?2031l\x1b[<8u\x1b[=0;1u\x1b[>4m\x1b[?1l\x1b>\x1b[0 q\x1b[m";

/// What puts a client's terminal back at detach: main screen, cursor shown, no mouse, paste or
/// focus reports, no keyboard protocol. The cursor stays where the main screen had it.
pub fn leave() -> Vec<u8> {
    // The region is reset between DECSC and DECRC, because DECSTBM moves the cursor.
    format!("{RESET}\x1b7\x1b[r\x1b8\x1b[?25h").into_bytes()
}

impl Screen {
    /// Bytes that bring any terminal of the same size to this picture and these modes, and that
    /// end as this stream ends, also inside an escape sequence: what comes next can follow.
    ///
    /// Two things are only nearly kept: an erased cell under a cursor that hangs behind the last
    /// column becomes a blank, and an alternate screen out of sight is forgotten.
    ///
    /// For the log. A viewer gets [`Screen::repaint`].
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = self.picture().into_bytes();
        out.extend_from_slice(self.partial());
        out
    }

    /// The snapshot for a viewer whose further output goes through `filter`. The filter starts
    /// anew, holding what is unfinished: it may become a query.
    pub fn repaint(&self, filter: &mut Filter) -> Vec<u8> {
        let mut out = self.picture().into_bytes();
        *filter = Filter::new();
        filter.push(self.partial(), &mut out);
        out
    }

    fn picture(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        out.push_str(RESET);
        // Drawn at once where the terminal knows how; no half-painted screen is ever seen.
        out.push_str("\x1b[?2026h\x1b[?25l\x1b[?6l\x1b[r");
        let vt = self.vt();
        let hidden = Hidden::of(vt);
        if vt.alternate_screen() {
            self.main_below(&hidden, &mut out);
        } else if self.modes().kitty[1] != [0] {
            // Keyboard flags that some program has left behind on the other screen.
            out.push_str("\x1b[?1049h\x1b[<8u\x1b[=0;1u");
            self.kitty_state(1, &mut out);
            out.push_str("\x1b[?1049l");
        }
        // Clears what is visible and not the scrollback (CSI 3J): in a viewer's terminal that is
        // the history of the person's shell, and it is not ours.
        out.push_str("\x1b[H\x1b[2J");
        paint::cells(vt, &mut out);
        grid_state(vt, &hidden, true, &mut out);
        self.mode_state(&mut out);
        out
    }

    /// Draws the main screen and leaves it for the alternate one.
    fn main_below(&self, alternate: &Hidden, out: &mut String) {
        let mut main = self.vt().clone();
        crate::term::modes::draw(&mut main, b"\x1b[?47l");
        let mut hidden = Hidden::of(&main);
        // vt100 keeps one saved pen for both screens.
        hidden.saved.1 = alternate.saved.1;
        out.push_str("\x1b[H\x1b[2J");
        paint::cells(&main, out);
        self.kitty_state(0, out);
        let (place, _, origin) = hidden.saved;
        let entered_by_1049 = (main.cursor_position(), hidden.origin) == (place, origin);
        grid_state(&main, &hidden, !entered_by_1049, out);
        if entered_by_1049 {
            hidden.saved.1.write(out);
            out.push_str("\x1b[?1049h");
        } else {
            // Some terminals lack mode 47, but then the program found no other screen either.
            out.push_str("\x1b[?47h");
        }
        out.push_str("\x1b[m\x1b[?6l\x1b[r\x1b[<8u\x1b[=0;1u");
    }

    fn kitty_state(&self, which: usize, out: &mut String) {
        let [base, pushed @ ..] = &self.modes().kitty[which][..] else { return };
        if *base != 0 {
            let _ = write!(out, "\x1b[={base};1u");
        }
        for flags in pushed {
            let _ = write!(out, "\x1b[>{flags}u");
        }
    }

    /// Everything that does not belong to one of the two screens.
    fn mode_state(&self, out: &mut String) {
        let (vt, modes) = (self.vt(), self.modes());
        self.kitty_state(usize::from(vt.alternate_screen()), out);
        out.push_str(&vt.input_mode_formatted());
        if modes.modify_other_keys > 0 {
            let _ = write!(out, "\x1b[>4;{}m", modes.modify_other_keys);
        }
        if !self.title().is_empty() {
            let _ = write!(out, "\x1b]0;{}\x1b\\", self.title());
        }
        if let Some(state) = self.agent_state() {
            let _ = write!(out, "\x1b]7501;{}\x1b\\", state.body());
        }
        for (mode, set) in modes.touched().filter(|(mode, _)| *mode != 2026) {
            let _ = write!(out, "\x1b[?{mode}{}", if set { 'h' } else { 'l' });
        }
        self.writing_state(out);
        if !vt.hide_cursor() {
            out.push_str("\x1b[?25h");
        }
        if !self.synchronized() {
            out.push_str("\x1b[?2026l");
        }
    }

    /// What becomes of characters that are written, where that is not as in a fresh terminal.
    pub(in crate::term) fn writing_state(&self, out: &mut String) {
        let modes = self.modes();
        if modes.insert {
            out.push_str("\x1b[4h");
        }
        for (set, slot) in modes.charsets.iter().zip(['(', ')']) {
            if *set != b'B' {
                let _ = write!(out, "\x1b{slot}{}", char::from(*set));
            }
        }
        if modes.shifted {
            out.push('\x0e');
        }
    }
}

/// Saved cursor, scroll region, cursor and pen of the grid in view, in the only order in which
/// none disturbs the others. The saved cursor counts from the top of the screen whatever the
/// region is, so it comes first.
pub(in crate::term) fn grid_state(
    vt: &vt100::Screen,
    hidden: &Hidden,
    save: bool,
    out: &mut String,
) {
    if save {
        let (place, pen, origin) = hidden.saved;
        out.push_str(if origin { "\x1b[?6h" } else { "\x1b[?6l" });
        paint::cursor(vt, place, None, out);
        pen.write(out);
        out.push_str("\x1b7");
    }
    out.push_str(if hidden.origin { "\x1b[?6h" } else { "\x1b[?6l" });
    if let Some((top, bottom)) = hidden.region {
        let _ = write!(out, "\x1b[{};{}r", top + 1, bottom + 1);
    }
    let origin = hidden.region.filter(|_| hidden.origin);
    paint::cursor(vt, vt.cursor_position(), origin, out);
    Style::pen(vt).write(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seeded::Random;
    use crate::term::streams::describe;
    use crate::term::streams::stream;

    /// A random screen: streams with resizes in between, cut anywhere.
    fn random_screen(random: &mut Random) -> Screen {
        let mut size = (random.below(40) as u16 + 2, random.below(12) as u16 + 1);
        let mut screen = Screen::new(size.0, size.1);
        for _ in 0..random.below(4) + 1 {
            let tokens = random.below(60) + 1;
            let bytes = stream(random, tokens, size.0, size.1);
            screen.feed(&bytes[..bytes.len() - random.below(3).min(bytes.len())]);
            if random.below(2) == 0 {
                size = (random.below(40) as u16 + 2, random.below(12) as u16 + 1);
                screen.resize(size.0, size.1);
            }
        }
        screen
    }

    fn assert_same(want: &Screen, got: &Screen, seed: u64) {
        let (want, got) = (describe(want), describe(got));
        assert!(want == got, "seed {seed}\nwant:\n{want}\x1b[m\ngot:\n{got}\x1b[m");
    }

    #[test]
    fn a_snapshot_makes_an_equal_screen_out_of_any_other() {
        for seed in 0..3000 {
            let mut random = Random::new(seed);
            let screen = random_screen(&mut random);
            let mut fresh = Screen::new(screen.size().0, screen.size().1);
            fresh.feed(&screen.snapshot());
            assert_same(&screen, &fresh, seed);
            assert!(fresh.take_replies().is_empty(), "seed {seed}");

            let mut used = random_screen(&mut random);
            used.resize(screen.size().0, screen.size().1);
            used.feed(b"\x1b]0;\x07");
            used.feed(&screen.snapshot());
            if screen.title().is_empty() || screen.agent_state().is_none() {
                continue;
            }
            assert_same(&screen, &used, seed);
        }
    }

    #[test]
    fn a_screen_goes_on_from_a_snapshot_as_from_the_stream() {
        for seed in 0..1500 {
            let mut random = Random::new(seed);
            let mut screen = random_screen(&mut random);
            let (cols, rows) = screen.size();
            let mut later = Screen::new(cols, rows);
            later.feed(&screen.snapshot());
            let more = stream(&mut random, 30, cols, rows);
            for piece in random.pieces(&more) {
                screen.feed(piece);
                later.feed(piece);
            }
            assert_same(&screen, &later, seed);
        }
    }

    fn fed(cols: u16, rows: u16, bytes: &[u8]) -> Screen {
        let mut screen = Screen::new(cols, rows);
        screen.feed(bytes);
        screen
    }

    #[test]
    fn a_repetition_right_after_the_snapshot_finds_its_character() {
        let mut later = fed(10, 2, &fed(10, 2, b"ab").snapshot());
        later.feed(b"\x1b[3b");
        assert_eq!(later.text(), "abbbb");
    }

    #[test]
    fn a_viewer_that_joins_inside_a_query_never_sees_it() {
        for cut in 0..5 {
            let (seen, rest) = b"\x1b[18tx".split_at(cut);
            let (mut filter, screen) = (Filter::new(), fed(10, 2, seen));
            let mut viewer = screen.repaint(&mut filter);
            filter.push(rest, &mut viewer);
            let mut viewer = fed(10, 2, &viewer);
            assert_eq!((viewer.take_replies().len(), viewer.text().as_str()), (0, "x"), "{cut}");
        }
    }

    #[test]
    fn a_screen_entered_by_the_old_mode_comes_back_to_its_own_cursor() {
        let screen = fed(20, 4, b"main\x1b7\x1b[3;3H\x1b[?47h\x1b[Halt");
        let mut later = fed(20, 4, &screen.snapshot());
        assert_same(&screen, &later, 0);
        later.feed(b"\x1b[?47lhere");
        assert_eq!(later.text(), "main\n\n  here");
    }

    #[test]
    fn the_scrollback_of_a_viewer_is_left_alone() {
        let snapshot = fed(20, 4, b"x").snapshot();
        assert!(!snapshot.windows(4).any(|w| w == b"\x1b[3J"));
        assert!(!snapshot.windows(2).any(|w| w == b"\x1bc"));
    }

    #[test]
    fn leave_makes_any_terminal_sane_and_keeps_its_main_screen() {
        let sane = Screen::new(30, 5);
        for seed in 0..300 {
            let mut screen = random_screen(&mut Random::new(seed));
            let cursor = screen.cursor();
            let main = !screen.alternate_screen();
            screen.feed(&leave());
            let want = sane.vt().input_mode_formatted();
            assert_eq!(screen.vt().input_mode_formatted(), want, "{seed}");
            assert!(!screen.alternate_screen() && screen.cursor().2, "{seed}");
            assert!(!main || (cursor.0, cursor.1) == (screen.cursor().0, screen.cursor().1));
            let modes = screen.modes();
            for mode in [1004, 1015, 1016, 2026, 2031] {
                assert_eq!(modes.private(mode), Some(false), "{seed}");
            }
            assert_eq!((modes.kitty_flags(false), modes.modify_other_keys), (0, 0), "{seed}");
            assert!(!modes.insert && !modes.line_drawing(), "{seed}");
        }
    }

    /// Real programs, 80 by 24. The text beside each was read off another terminal.
    const RECORDINGS: [(&[u8], &str); 3] = [
        (
            include_bytes!("../../tests/data/screen/vim.out"),
            include_str!("../../tests/data/screen/vim.txt"),
        ),
        (
            include_bytes!("../../tests/data/screen/less.out"),
            include_str!("../../tests/data/screen/less.txt"),
        ),
        (
            include_bytes!("../../tests/data/screen/tmux.out"),
            include_str!("../../tests/data/screen/tmux.txt"),
        ),
    ];

    #[test]
    fn recorded_programs_look_as_on_another_terminal() {
        for (bytes, want) in RECORDINGS {
            assert_eq!(fed(80, 24, bytes).text(), want.trim_end());
        }
    }

    #[test]
    fn a_recording_goes_on_for_a_viewer_who_joins_anywhere() {
        for (bytes, _) in RECORDINGS {
            let mut screen = Screen::new(80, 24);
            let mut random = Random::new(bytes.len() as u64);
            let mut rest = bytes;
            for piece in random.pieces(bytes).into_iter().take(120) {
                screen.feed(piece);
                rest = &rest[piece.len()..];
                let mut filter = Filter::new();
                let mut seen = screen.repaint(&mut filter);
                filter.push(rest, &mut seen);
                let (mut viewer, mut whole) = (fed(80, 24, &seen), fed(80, 24, bytes));
                assert!(viewer.take_replies().is_empty());
                whole.take_replies();
                assert_same(&whole, &viewer, rest.len() as u64);
            }
        }
    }
}
