//! The part of a terminal's state that `vt100` leaves to its callbacks: further modes, keyboard
//! protocols, character sets, title, agent state. Also the few sequences it does not draw.

use crate::limits;
use crate::term::agent::AgentState;
use crate::term::answer;

/// Private modes we only remember, and what they are in a fresh terminal.
const PRIVATE: [(u16, bool); 8] = [
    (7, true),     // autowrap
    (12, false),   // cursor blinks
    (1004, false), // focus reports
    (1007, true),  // wheel as arrows in the alternate screen
    (1015, false), // mouse, urxvt coordinates
    (1016, false), // mouse, pixels
    (2026, false), // synchronized update
    (2031, false), // colour scheme reports
];

/// Modes beside those that `vt100` keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modes {
    /// What the program said about each of [`PRIVATE`]; `None` if nothing.
    private: [Option<bool>; PRIVATE.len()],
    /// Characters push the rest of the line.
    pub insert: bool,
    /// xterm's modifyOtherKeys, 0 to 2.
    pub modify_other_keys: u8,
    /// Kitty keyboard flags of the main and the alternate screen: the base and what was pushed.
    pub kitty: [Vec<u8>; 2],
    /// Character sets G0 and G1: `B` is ASCII, `0` is line drawing.
    pub charsets: [u8; 2],
    /// G1 is in use (after SO).
    pub shifted: bool,
}

impl Default for Modes {
    fn default() -> Modes {
        Modes {
            private: [None; PRIVATE.len()],
            insert: false,
            modify_other_keys: 0,
            kitty: [vec![0], vec![0]],
            charsets: [b'B', b'B'],
            shifted: false,
        }
    }
}

impl Modes {
    /// Whether private mode `number` is set; `None` if it is not one of those remembered here.
    pub fn private(&self, number: u16) -> Option<bool> {
        let at = PRIVATE.iter().position(|(mode, _)| *mode == number)?;
        Some(self.private[at].unwrap_or(PRIVATE[at].1))
    }

    /// The private modes that the program has set or reset.
    pub fn touched(&self) -> impl Iterator<Item = (u16, bool)> {
        PRIVATE.iter().zip(self.private).filter_map(|((mode, _), set)| Some((*mode, set?)))
    }

    fn set_private(&mut self, number: u16, set: bool) {
        if let Some(at) = PRIVATE.iter().position(|(mode, _)| *mode == number) {
            self.private[at] = Some(set);
        }
    }

    /// The kitty keyboard flags in force.
    pub fn kitty_flags(&self, alternate: bool) -> u8 {
        self.kitty[usize::from(alternate)].last().copied().unwrap_or(0)
    }

    fn kitty(&mut self, alternate: bool, intro: u8, params: &[&[u16]]) {
        let stack = &mut self.kitty[usize::from(alternate)];
        let first = param(params, 0);
        let flags = first.min(0x1f) as u8;
        match intro {
            b'>' => {
                stack.push(flags);
                if stack.len() > limits::KITTY_STACK + 1 {
                    stack.remove(1);
                }
            }
            b'<' if usize::from(first.max(1)) < stack.len() => {
                stack.truncate(stack.len() - usize::from(first.max(1)));
            }
            // More popped than was pushed: all flags are reset.
            b'<' => *stack = vec![0],
            _ => {
                let Some(top) = stack.last_mut() else { return };
                match param(params, 1) {
                    2 => *top |= flags,
                    3 => *top &= !flags,
                    _ => *top = flags,
                }
            }
        }
    }

    /// Whether text is drawn with the line drawing set.
    pub fn line_drawing(&self) -> bool {
        self.charsets[usize::from(self.shifted)] == b'0'
    }

    /// Whether SO or SI would make a difference.
    pub fn any_line_drawing(&self) -> bool {
        self.charsets.contains(&b'0')
    }
}

/// The character that `byte` draws in the line drawing set.
pub fn line_drawing(byte: u8) -> Option<char> {
    const DRAWN: [char; 31] = [
        '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─',
        '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
    ];
    match byte {
        b'_' => Some(' '),
        b'`'..=b'~' => Some(DRAWN[usize::from(byte - b'`')]),
        _ => None,
    }
}

/// What `vt100` calls back into.
#[derive(Default)]
pub struct Tracker {
    /// Modes beside those in `vt100::Screen`.
    pub modes: Modes,
    /// Window title, without control characters.
    pub title: String,
    /// Last state an agent announced.
    pub agent: Option<AgentState>,
    /// How often it has come to rest. `done` that turns into `idle` is one rest.
    pub rests: u64,
    /// Whether queries are answered.
    pub answering: bool,
    /// Answers nobody has fetched yet.
    pub replies: Vec<u8>,
}

impl Tracker {
    fn reply(&mut self, answer: &str) {
        if self.answering && self.replies.len() + answer.len() <= limits::REPLY_BYTES {
            self.replies.extend_from_slice(answer.as_bytes());
        }
    }

    fn set_title(&mut self, fields: &[&[u8]]) {
        self.title = String::from_utf8_lossy(&fields.join(&b';'))
            .chars()
            .filter(|c| !c.is_control())
            .take(limits::TITLE_CHARS)
            .collect();
    }

    fn private_mode(&mut self, screen: &mut vt100::Screen, params: &[&[u16]], set: bool) {
        // vt100 calls once per mode it does not know, each time with all of them: everything here
        // may run twice.
        for mode in params.iter().filter_map(|p| p.first()) {
            match (mode, set) {
                (1047, true) => draw(screen, b"\x1b[?47h"),
                (1047, false) if screen.alternate_screen() => draw(screen, b"\x1b[2J\x1b[?47l"),
                (1048, true) => draw(screen, b"\x1b7"),
                (1048, false) => draw(screen, b"\x1b8"),
                _ => self.modes.set_private(*mode, set),
            }
        }
    }

    /// DECSTR. The cursor stays, and so do screen, mouse, paste and keyboard protocols.
    fn soft_reset(&mut self, screen: &mut vt100::Screen) {
        let (row, col) = screen.cursor_position();
        draw(screen, b"\x1b[m\x1b[?6l\x1b7\x1b[r\x1b[?1l\x1b>\x1b[?25h");
        draw(screen, format!("\x1b[{};{}H", row + 1, col + 1).as_bytes());
        self.modes.insert = false;
        self.modes.set_private(7, true);
        self.modes.charsets = [b'B', b'B'];
        self.modes.shifted = false;
    }
}

/// Lets `screen` draw what `vt100` has no call for.
pub fn draw(screen: &mut vt100::Screen, bytes: &[u8]) {
    let one = std::num::NonZeroU16::MIN;
    let mut parser = vt100::Parser::new(one, one, 0);
    std::mem::swap(parser.screen_mut(), screen);
    parser.process(bytes);
    std::mem::swap(parser.screen_mut(), screen);
}

fn param(params: &[&[u16]], at: usize) -> u16 {
    params.get(at).and_then(|p| p.first()).copied().unwrap_or(0)
}

impl vt100::Callbacks for Tracker {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.set_title(&[title]);
    }

    fn unhandled_escape(
        &mut self,
        screen: &mut vt100::Screen,
        i1: Option<u8>,
        _: Option<u8>,
        last: u8,
    ) {
        match (i1, last) {
            (Some(b'('), set) => self.modes.charsets[0] = set,
            (Some(b')'), set) => self.modes.charsets[1] = set,
            (None, b'D') => draw(screen, b"\n"),
            (None, b'E') => draw(screen, b"\r\n"),
            (None, b'Z') => {
                let answer = answer::csi(screen, &self.modes, (None, None), 0, 'c');
                self.reply(&answer.unwrap_or_default());
            }
            _ => {}
        }
    }

    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        i1: Option<u8>,
        i2: Option<u8>,
        params: &[&[u16]],
        last: char,
    ) {
        let first = param(params, 0);
        let (col, count) = (screen.cursor_position().1, first.max(1));
        let column = |c: u16| format!("\x1b[{}G", c.saturating_add(1));
        match (i1, last) {
            (None, 'h' | 'l') if params.iter().any(|p| p.first() == Some(&4)) => {
                self.modes.insert = last == 'h';
            }
            (Some(b'?'), 'h' | 'l') => self.private_mode(screen, params, last == 'h'),
            (Some(b'!'), 'p') => self.soft_reset(screen),
            (None, 's') if params.len() < 2 && first == 0 => draw(screen, b"\x1b7"),
            (None, 'u') => draw(screen, b"\x1b8"),
            (None, 'a') => draw(screen, format!("\x1b[{count}C").as_bytes()),
            (None, 'e') => draw(screen, format!("\x1b[{count}B").as_bytes()),
            (None, 'I') => {
                let stop = (col / 8).saturating_add(count).saturating_mul(8);
                draw(screen, column(stop).as_bytes());
            }
            (None, 'Z') => {
                let stop = col.div_ceil(8).saturating_sub(count) * 8;
                draw(screen, column(stop).as_bytes());
            }
            // Curly and other underlines count as underlined.
            (None, 'm') if params.iter().any(|p| p.len() == 2 && p[0] == 4) => {
                let on = params.iter().any(|p| p.len() == 2 && p[0] == 4 && p[1] != 0);
                draw(screen, if on { b"\x1b[4m" } else { b"\x1b[24m" });
            }
            (Some(intro @ (b'>' | b'<' | b'=')), 'u') => {
                self.modes.kitty(screen.alternate_screen(), intro, params);
            }
            (Some(b'>'), 'm') if first == 4 || params == [&[0][..]] => {
                self.modes.modify_other_keys = param(params, 1).min(2) as u8;
            }
            (Some(b'>'), 'n') if first == 4 => self.modes.modify_other_keys = 0,
            _ => {
                let answer = answer::csi(screen, &self.modes, (i1, i2), first, last);
                self.reply(&answer.unwrap_or_default());
            }
        }
    }

    fn unhandled_osc(&mut self, _: &mut vt100::Screen, fields: &[&[u8]]) {
        match fields {
            // A title with semicolons.
            [b"0" | b"2", title @ ..] if !title.is_empty() => self.set_title(title),
            [b"7501", body] if *body != b"?" => {
                if let Some(state) = AgentState::parse(body) {
                    let before = self.agent.is_some_and(AgentState::is_at_rest);
                    self.rests += u64::from(state.is_at_rest() && !before);
                    self.agent = Some(state);
                }
            }
            _ => self.reply(&answer::osc(fields)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::screen::Screen;

    fn flags_after(sequences: &str) -> u8 {
        let mut screen = Screen::new(80, 24);
        screen.feed(sequences.as_bytes());
        screen.modes().kitty_flags(screen.alternate_screen())
    }

    #[test]
    fn keyboard_flags_are_pushed_popped_and_changed() {
        for (sequences, flags) in [
            ("", 0),
            ("\x1b[>5u", 5),
            ("\x1b[>5u\x1b[>7u\x1b[<u", 5),
            ("\x1b[>5u\x1b[>7u\x1b[<2u", 0),
            ("\x1b[>5u\x1b[<9u", 0),
            ("\x1b[=5u\x1b[=2;2u", 7),
            ("\x1b[=7u\x1b[=2;3u", 5),
            ("\x1b[>5u\x1b[?1049h", 0),
            ("\x1b[>5u\x1b[?1049h\x1b[>7u\x1b[?1049l", 5),
        ] {
            assert_eq!(flags_after(sequences), flags, "{sequences:?}");
        }
        let flood = "\x1b[>1u".repeat(1000);
        assert_eq!(flags_after(&format!("{flood}\x1b[<{}u", limits::KITTY_STACK)), 0);
    }

    #[test]
    fn several_modes_in_one_sequence_are_all_kept() {
        let mut screen = Screen::new(80, 24);
        screen.feed(b"\x1b[?25;1004;2031;2004;7l\x1b[?2004;1004;2031h");
        let modes = screen.modes();
        let known: Vec<_> = [7, 1004, 2031, 4711].map(|m| modes.private(m)).into();
        assert_eq!(known, [Some(false), Some(true), Some(true), None]);
        assert!(screen.bracketed_paste());
    }
}
