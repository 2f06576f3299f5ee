//! A person's place at a session's keyboard, wherever they sit: what they type goes at once, and
//! the terminal has the size of whoever typed last.
//!
//! 1. Bytes that a viewer's terminal answered by itself MUST NOT be typed: the daemon has answered
//!    already, and the program would take a second answer for keys.

use crate::base::error::Result;
use crate::limits;
use crate::service::held::What;
use crate::service::input::Done;
use crate::service::input::Input;
use crate::service::live::Command;
use crate::service::live::Live;
use crate::sys::tty::Size;
use crate::term::reply;
use std::sync::Arc;

const _: () = assert!(limits::socket::PASTE_BYTES <= limits::INPUT_WAITING);

/// See the file's head; it is given up when dropped.
pub struct Seat {
    live: Arc<Live>,
    number: u64,
    size: Option<Size>,
}

impl Seat {
    /// Sits down; `number` names the viewer.
    pub fn new(live: &Arc<Live>, number: u64) -> Seat {
        live.join(number);
        Seat { live: live.clone(), number, size: None }
    }

    /// The session has ended: nothing can be typed here any more.
    pub fn is_over(&self) -> bool {
        self.live.tail.is_closed()
    }

    /// The viewer's own terminal has this size now. True where the session's follows it.
    pub fn resize(&mut self, size: Size) -> Result<bool> {
        self.size = Some(size);
        let counts = self.live.size_counts(self.number);
        if counts {
            self.fit()?;
        }
        Ok(counts)
    }

    /// The viewer types: from now on its size counts.
    pub fn types(&self) -> Result<()> {
        if self.live.typed(self.number) { self.fit() } else { Ok(()) }
    }

    fn fit(&self) -> Result<()> {
        let row = self.live.row();
        match self.size.filter(|size| (size.cols, size.rows) != (row.cols, row.rows)) {
            Some(size) => self.live.ask(Command::Resize(size)),
            None => Ok(()),
        }
    }

    /// Types `text` as a terminal sent it. `done` is called once it is written.
    pub fn input(&self, text: &str, done: Done) -> Result<()> {
        self.types()?;
        let bytes = reply::without(text).into_owned().into_bytes();
        let input = Input { bytes, enter: None, done: Some(done), guarded: false };
        self.live.ask_patiently(Command::Input(input))
    }

    /// Types a paste or keys in the bytes that the program has asked for. `done` is called once
    /// they are written.
    pub fn press(&self, what: What, done: Done) -> Result<()> {
        self.types()?;
        self.live.ask_patiently(Command::Press { what, done })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.live.leave(self.number);
    }
}
