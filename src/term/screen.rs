//! One session's terminal: fed with output, asked for its picture, modes and replies.

use crate::limits;
use crate::term::agent::AgentState;
use crate::term::modes;
use crate::term::modes::Modes;
use crate::term::modes::Tracker;
use crate::term::seq::State;
use std::num::NonZeroU16;

/// A terminal without a window. It keeps no scrollback: history is in the session's log, and a
/// screen is then a function of its last snapshot and the bytes after it.
pub struct Screen {
    pub(in crate::term) parser: vt100::Parser<Tracker>,
    /// Where the stream stands.
    pub(in crate::term) state: State,
    /// What has come of an unfinished sequence or character, up to [`limits::SEQUENCE_BYTES`].
    pub(in crate::term) partial: Vec<u8>,
    /// Bytes so far of an unfinished OSC.
    pub(in crate::term) osc: usize,
}

/// The nearest size that the model can keep.
pub(in crate::term) fn clamp(cols: u16, rows: u16) -> (NonZeroU16, NonZeroU16) {
    let cols = cols.clamp(limits::COLS_MIN, limits::COLS_MAX);
    let rows = rows.clamp(1, limits::ROWS_MAX);
    (
        NonZeroU16::new(cols).unwrap_or(NonZeroU16::MIN),
        NonZeroU16::new(rows).unwrap_or(NonZeroU16::MIN),
    )
}

impl Screen {
    /// A blank screen. The size is clamped to what the model can keep.
    pub fn new(cols: u16, rows: u16) -> Screen {
        let (cols, rows) = clamp(cols, rows);
        Screen {
            parser: vt100::Parser::new_with_callbacks(rows, cols, 0, Tracker::default()),
            state: State::Ground,
            partial: Vec::new(),
            osc: 0,
        }
    }

    /// Takes output in; terminal queries in it are answered, see [`Screen::take_replies`].
    pub fn feed(&mut self, bytes: &[u8]) {
        self.parser.callbacks_mut().answering = true;
        self.advance(bytes);
    }

    /// Takes old output in: nobody waits any more for answers to its queries.
    pub fn feed_quiet(&mut self, bytes: &[u8]) {
        self.parser.callbacks_mut().answering = false;
        self.advance(bytes);
    }

    /// The answers to queries since the last call, to be written to the program.
    pub fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.parser.callbacks_mut().replies)
    }

    /// Gives the screen another size. Lines are cut or lengthened, not wrapped anew; the program
    /// is told by SIGWINCH and paints again.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        let (cols, rows) = clamp(cols, rows);
        // vt100 remembers how much has scrolled away and grows upwards by that much, with blank
        // lines since we keep none. It must forget, for both screens.
        let screen = self.parser.screen_mut();
        screen.clear_scrollback();
        if screen.alternate_screen() {
            modes::draw(screen, b"\x1b[?47l");
            screen.clear_scrollback();
            modes::draw(screen, b"\x1b[?47h");
        }
        self.guarded(|parser| parser.set_size(rows, cols));
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        let (rows, cols) = self.parser.screen().size();
        (cols.get(), rows.get())
    }

    /// The visible text, a line per row, without trailing blanks and blank lines at the end.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for row in self.lines() {
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text.truncate(text.trim_end_matches('\n').len());
        text
    }

    /// The last line with something in it; empty on a blank screen.
    pub fn last_line(&self) -> String {
        let last = self.lines().filter(|line| !line.trim().is_empty()).last();
        last.unwrap_or_default().trim().to_string()
    }

    fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.parser.screen().rows(0, self.size().0)
    }

    /// Column and row of the cursor, from 0, and whether it is shown.
    pub fn cursor(&self) -> (u16, u16, bool) {
        let screen = self.parser.screen();
        let (row, col) = screen.cursor_position();
        (col.min(self.size().0 - 1), row, !screen.hide_cursor())
    }

    /// The window title that the program set.
    pub fn title(&self) -> &str {
        &self.parser.callbacks().title
    }

    /// Whether a full-screen program shows its own screen.
    pub fn alternate_screen(&self) -> bool {
        self.parser.screen().alternate_screen()
    }

    /// Whether the program wants pastes marked.
    pub fn bracketed_paste(&self) -> bool {
        self.parser.screen().bracketed_paste()
    }

    /// Whether arrow keys are to be sent as applications want them.
    pub fn application_cursor(&self) -> bool {
        self.parser.screen().application_cursor()
    }

    /// Whether the program is in the middle of a synchronized update: a picture taken now would
    /// be torn, so wait, but not longer than [`limits::SYNC_UPDATE`].
    pub fn synchronized(&self) -> bool {
        self.modes().private(2026) == Some(true)
    }

    /// What the agent last said about itself in OSC 7501.
    pub fn agent_state(&self) -> Option<AgentState> {
        self.parser.callbacks().agent
    }

    /// How often the agent has come to rest, also where that is over already: a turn has ended
    /// when this has grown.
    pub fn rests(&self) -> u64 {
        self.parser.callbacks().rests
    }

    pub(in crate::term) fn vt(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    pub(in crate::term) fn modes(&self) -> &Modes {
        &self.parser.callbacks().modes
    }

    /// The bytes of an unfinished escape sequence or character at the end of the stream.
    pub(in crate::term) fn partial(&self) -> &[u8] {
        &self.partial
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::agent::Kind;

    fn fed(cols: u16, rows: u16, text: &str) -> Screen {
        let mut screen = Screen::new(cols, rows);
        screen.feed(text.as_bytes());
        screen
    }

    #[test]
    fn text_and_cursor_are_what_a_person_sees() {
        let mut screen = fed(20, 5, "$ make\r\n\r\n  done   \x1b[?25l\x1b]2;a;b\x07");
        assert_eq!(screen.text(), "$ make\n\n  done");
        assert_eq!(screen.last_line(), "done");
        assert_eq!(screen.cursor(), (9, 2, false));
        assert_eq!(screen.title(), "a;b");
        screen.feed(b"\x1b[2J\x1b[H\x1b[?1h\x1b[?2004h\x1b[?1049h");
        assert_eq!((screen.text(), screen.last_line()), (String::new(), String::new()));
        assert!(screen.application_cursor() && screen.bracketed_paste());
        assert!(screen.alternate_screen());
    }

    #[test]
    fn any_size_is_taken() {
        for (cols, rows) in [(0, 0), (1, 1), (u16::MAX, u16::MAX), (2, u16::MAX)] {
            let mut screen = fed(80, 24, "☁\u{fe0f} text");
            screen.resize(cols, rows);
            let (c, r) = screen.size();
            assert!((limits::COLS_MIN..=limits::COLS_MAX).contains(&c));
            assert!((1..=limits::ROWS_MAX).contains(&r));
            screen.feed("☁\u{fe0f}日\r\n".repeat(9).as_bytes());
            assert!(!screen.snapshot().is_empty());
        }
    }

    #[test]
    fn growing_adds_lines_below_whatever_has_scrolled_away() {
        for alternate in ["", "\x1b[?1049h"] {
            let mut screen = fed(10, 3, &"x\r\n".repeat(50));
            screen.feed(format!("end{alternate}").as_bytes());
            screen.resize(10, 9);
            if !alternate.is_empty() {
                screen.feed(b"\x1b[?1049l");
            }
            screen.feed(b"!");
            assert_eq!(screen.text(), "x\nx\nend!");
        }
    }

    #[test]
    fn a_synchronized_update_is_seen() {
        let mut screen = fed(10, 3, "\x1b[?2026hhalf a pic");
        assert!(screen.synchronized());
        screen.feed(b"ture\x1b[?2026l");
        assert!(!screen.synchronized());
    }

    #[test]
    fn the_agents_last_word_counts() {
        let mut screen = fed(10, 3, "\x1b]7501;state=working:app=claude\x1b\\");
        assert_eq!(screen.agent_state(), Some(AgentState::Working));
        screen.feed(b"\x1b]7501;state=blocked:app=claude:kind=perm");
        screen.feed(b"ission:msg=QmFzaA==\x07\x1b]7501;state=?\x07");
        assert_eq!(screen.agent_state(), Some(AgentState::Blocked(Kind::Permission)));
    }

    #[test]
    fn sequences_beyond_vt100_take_effect() {
        for (text, want) in [
            ("ab\x1b[s\x1b[3;3Hc\x1b[ud", "abd\n\n  c"),
            ("ab\x1bDc\x1bEd", "ab\n  c\nd"),
            ("\x1b[2Ix\x1b[2Zy", "        y       x"),
            ("main\x1b[?1047halt\x1b[?1047l!", "main!"),
            ("\x1b[2;3r\x1b[?6h\x1b[!p\x1b[Hx", "x"),
        ] {
            assert_eq!(fed(20, 5, text).text(), want, "{text:?}");
        }
    }
}
