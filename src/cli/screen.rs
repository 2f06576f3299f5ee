//! The user's own terminal while a session is shown on it: raw mode, output that never blocks, and
//! everything put back at the end, however that comes.
//!
//! No alternate screen of ours around the session: its own use of the alternate screen (vim) would
//! bring the user's shell back in the middle of the visit. What the terminal shows at the start is
//! scrolled away instead, so that it can be scrolled back to.

use crate::base::error::{Context, Result};
use crate::base::time;
use crate::cli::text;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::sys::tty;
use crate::sys::tty::Raw;
use crate::sys::tty::Size;
use crate::term::overlay::Overlay;
use crate::term::query::Filter;
use crate::term::snapshot;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Write;
use std::os::fd::AsFd;

/// Remembers the window's title; [`LEAVE_TITLE`] brings it back where the terminal can.
const KEEP_TITLE: &[u8] = b"\x1b[22;0t";
const LEAVE_TITLE: &[u8] = b"\x1b[23;0t";

/// The terminal behind standard output, taken for a session. Dropping it gives it back.
pub struct Screen {
    /// The terminal opened anew: non-blocking for us alone, not for the shell that shares ours.
    tty: File,
    /// `None` in tests, which have no terminal to switch.
    raw: Option<Raw>,
    /// Takes out what would make this terminal talk: the daemon has answered already.
    filter: Filter,
    pending: Vec<u8>,
    size: Size,
    /// Columns and rows that the program draws on.
    grid: (u16, u16),
    /// What is to be said on the last line.
    said: Option<String>,
    /// The line, over a picture that we know.
    overlay: Option<Overlay>,
}

impl Screen {
    /// Takes the terminal: raw mode, an empty picture, the title kept.
    pub fn enter() -> Result<Screen> {
        let stdin = std::io::stdin();
        let raw = Raw::enter(&stdin)?;
        let mut options = File::options();
        let tty = options.read(true).write(true).open("/proc/self/fd/1");
        let tty = tty.internal(|| "cannot open the terminal".into())?;
        poll::set_nonblocking(&tty, true)?;
        let size = tty::size(&tty).unwrap_or(Size { cols: 80, rows: 24 });
        let mut screen = Screen::new(tty, Some(raw), size);
        screen.push(KEEP_TITLE);
        // From wherever the cursor is, this scrolls away just what is above it.
        screen.push(&b"\n".repeat(usize::from(size.rows.saturating_sub(1))));
        Ok(screen)
    }

    fn new(tty: File, raw: Option<Raw>, size: Size) -> Screen {
        let (filter, grid, pending) = (Filter::new(), (size.cols, size.rows), Vec::new());
        Screen { tty, raw, filter, pending, size, grid, said: None, overlay: None }
    }

    /// Paints output of the program as soon as the terminal takes it.
    pub fn output(&mut self, bytes: &[u8]) {
        match &mut self.overlay {
            None => self.filter.push(bytes, &mut self.pending),
            Some(overlay) => {
                let mut shown = Vec::new();
                self.filter.push(bytes, &mut shown);
                overlay.output(&shown, &mut self.pending);
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Whether bytes wait for the terminal.
    pub fn wants_write(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether more output may be fetched; a terminal that is slow holds up the server, not us.
    pub fn has_room(&self) -> bool {
        self.pending.len() < limits::WS_WRITE_BUFFER
    }

    /// Writes what the terminal takes now. An error means that the terminal is gone.
    pub fn flush(&mut self) -> Result<()> {
        let mut written = 0;
        while written < self.pending.len() {
            match self.tty.write(&self.pending[written..]) {
                Ok(count) => written += count,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e).internal(|| "the terminal is gone".into()),
            }
        }
        self.pending.drain(..written);
        Ok(())
    }

    /// To be polled for room.
    pub fn tty(&self) -> &impl AsFd {
        &self.tty
    }

    /// The terminal's size as last looked at.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Looks at the terminal's size again.
    pub fn look(&mut self) -> Size {
        let size = tty::size(&self.tty).unwrap_or(self.size);
        if size != self.size {
            self.overlay = None;
        }
        self.size = size;
        size
    }

    /// The program draws on so many columns and rows now.
    pub fn resized(&mut self, grid: (u16, u16)) {
        if grid != self.grid {
            (self.grid, self.overlay) = (grid, None);
        }
    }

    /// Keeps this on the last line while the program goes on below it, from the next whole picture
    /// on; `None` ends that.
    pub fn say(&mut self, text: Option<String>) {
        if let Some(overlay) = &mut self.overlay {
            overlay.lift(&mut self.pending);
        }
        if text.is_none() {
            self.overlay = None;
        }
        self.said = text;
    }

    /// Whether something is to be said and the picture below it is not known.
    pub fn wants_picture(&self) -> bool {
        self.said.is_some() && self.overlay.is_none()
    }

    /// Draws what is said, after the output of a turn.
    pub fn draw(&mut self) {
        if let (Some(overlay), Some(text)) = (&mut self.overlay, &self.said) {
            let text = text::keep_start(text, usize::from(self.size.cols));
            overlay.draw(self.size.rows.saturating_sub(1), &text, &mut self.pending);
        }
    }

    /// Says something on the last line, without moving the cursor. The picture must be painted
    /// anew afterwards.
    pub fn note(&mut self, text: &str) {
        let text = text::keep_start(text, usize::from(self.size.cols));
        let row = self.size.rows;
        // CAN first: the stream may have stopped in the middle of a sequence.
        let line = format!("\x18\x1b7\x1b[{row};1H\x1b[0;7m{text}\x1b[0m\x1b[K\x1b8");
        self.push(line.as_bytes());
    }

    /// Paints a whole picture over whatever is there; output goes on behind it.
    pub fn repaint(&mut self, picture: &[u8]) {
        // CAN: the stream before may have stopped in the middle of a sequence.
        self.push(b"\x18");
        (self.filter, self.overlay) = (Filter::new(), None);
        let from = self.pending.len();
        self.output(picture);
        let known = || Overlay::new(self.grid, &self.pending[from..]);
        self.overlay = self.said.is_some().then(known);
    }

    fn leave(&mut self) {
        self.say(None);
        self.push(&snapshot::leave());
        self.push(LEAVE_TITLE);
        // Some terminals know no soft reset, and DECRC brings the program's origin mode back.
        let last = format!("\x1b[?6l\x1b[{};1H\r\n", self.size.rows);
        self.push(last.as_bytes());
        // A terminal that takes nothing (a dead connection) must not keep us here.
        let deadline = time::now() + limits::gate::LEAVE_WAIT;
        while self.flush().is_ok() && self.wants_write() {
            let left = time::until(deadline);
            let mut watch = [Watch::new(&self.tty, false, true)];
            if left.is_zero() || poll::wait(&mut watch, Some(left)).is_err() || watch[0].hung_up() {
                break;
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
        drop(self.raw.take());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    /// A screen that paints into a socket instead of a terminal.
    pub fn fake(size: Size) -> (Screen, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        poll::set_nonblocking(&ours, true).unwrap();
        (Screen::new(File::from(OwnedFd::from(ours)), None, size), theirs)
    }

    #[test]
    fn everything_is_put_back_at_the_end() {
        let (mut screen, mut other) = fake(Size { cols: 10, rows: 5 });
        screen.push(b"\x1b[?1049hvim");
        drop(screen);
        let mut text = String::new();
        other.read_to_string(&mut text).unwrap();
        for part in ["vim", "\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l", "\x1b[23;0t", "\x1b[m"] {
            assert!(text.contains(part), "{part:?} is missing in {text:?}");
        }
        assert!(text.ends_with("\x1b[5;1H\r\n"), "{text:?}");
    }

    #[test]
    fn a_note_is_cut_to_the_line_and_leaves_the_cursor_where_it_was() {
        let (mut screen, mut other) = fake(Size { cols: 10, rows: 5 });
        screen.note("the daemon is away");
        screen.flush().unwrap();
        let mut bytes = [0; 200];
        let count = other.read(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        assert_eq!(text, "\x18\x1b7\x1b[5;1H\x1b[0;7mthe daemo…\x1b[0m\x1b[K\x1b8");
    }

    #[test]
    fn a_terminal_that_takes_nothing_neither_blocks_nor_keeps_us_for_ever() {
        let (mut screen, other) = fake(Size { cols: 10, rows: 5 });
        while screen.has_room() {
            screen.push(&[b'x'; 16 * 1024]);
        }
        while screen.flush().is_ok() && !screen.wants_write() {
            screen.push(&[b'x'; 16 * 1024]);
        }
        assert!(screen.wants_write());
        drop(screen);
        drop(other);
    }
}
