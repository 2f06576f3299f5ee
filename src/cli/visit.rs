//! One visit to a session: the loop between a keyboard, a screen and a daemon that may go away and
//! come back.
//!
//! While the daemon is away the picture stays. If it is back soon, output goes on at the byte where
//! it stopped; after a note on the last line the whole picture is painted anew instead. What is to
//! be said while the program goes on ([`banner`]) also begins with a picture painted anew.

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::cli::banner;
use crate::cli::banner::Banner;
use crate::cli::client::Client;
use crate::cli::keyboard::Keyboard;
use crate::cli::link::Link;
use crate::cli::message;
use crate::cli::message::Attach;
use crate::cli::message::From;
use crate::cli::message::Heard;
use crate::cli::screen::Screen;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::sys::signal::Name as Signal;
use crate::sys::signal::Signals;
use serde_json::Value;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::time::Duration;
use std::time::Instant;

/// How a visit ended.
#[derive(Debug)]
pub enum End {
    /// The user pressed the detach keys.
    Detached,
    /// The program ended; the session.
    Ended(Value),
    /// This signal asked us to go, or the terminal is gone (SIGHUP).
    Signal(i32),
}

/// The state of a visit.
pub struct Visit {
    client: Client,
    attach: Attach,
    name: String,
    screen: Screen,
    keyboard: Keyboard,
    link: Option<Link>,
    /// Whether the daemon has let us in on this link.
    inside: bool,
    /// Keys that the daemon has not taken yet.
    input: Vec<u8>,
    /// Bytes may wait inside the link although its socket is silent.
    more: bool,
    /// Since when we are not inside.
    away: Instant,
    noted: bool,
    /// What is said of the session while we are inside, and how long.
    banner: Option<Banner>,
    banner_ends: Option<Instant>,
    next_try: Instant,
    pause: Duration,
    /// When the daemon last took keys; a daemon that takes none does not fill our memory.
    taken: Instant,
    resized: bool,
}

impl Visit {
    /// A visit to session `id`, not yet begun. `name` is what notes call it.
    pub fn new(
        client: Client,
        id: String,
        name: String,
        screen: Screen,
        keyboard: Keyboard,
        readonly: bool,
    ) -> Visit {
        let now = time::now();
        Visit {
            client,
            attach: Attach { id, from: From::Screen, size: Some(screen.size()), readonly },
            name,
            screen,
            keyboard,
            link: None,
            inside: false,
            input: Vec::new(),
            more: false,
            away: now,
            noted: false,
            banner: None,
            banner_ends: None,
            next_try: now,
            pause: limits::gate::RECONNECT,
            taken: now,
            resized: false,
        }
    }

    /// Runs until the visit ends. `stdin` is the keyboard.
    pub fn run(&mut self, stdin: &File, signals: &Signals) -> Result<End> {
        loop {
            self.come_back()?;
            let (keys, signalled) = self.wait(stdin, signals)?;
            if signalled && let Some(end) = self.heed(signals) {
                return Ok(end);
            }
            if keys && let Some(end) = self.read_keys(stdin) {
                // What was typed before the detach keys still goes out, if it goes at once.
                let _ = self.speak();
                return Ok(end);
            }
            if let Some(end) = self.listen()? {
                return Ok(end);
            }
            self.speak()?;
            self.say_banner();
            if self.screen.flush().is_err() {
                return Ok(End::Signal(Signal::SIGHUP as i32));
            }
            self.say_if_away();
        }
    }

    /// Waits for something to do; whether there are keys, and whether there are signals.
    fn wait(&self, stdin: &File, signals: &Signals) -> Result<(bool, bool)> {
        let mut timeout = None;
        let mut at_most = |t: Duration| timeout = Some(timeout.map_or(t, |u: Duration| u.min(t)));
        if !self.inside && !self.noted {
            at_most(time::until(self.away + limits::gate::REATTACH_NOTE));
        }
        if self.link.is_none() {
            at_most(time::until(self.next_try));
        }
        if self.more && self.screen.has_room() {
            at_most(Duration::ZERO);
        }
        if let Some(end) = self.banner_ends {
            at_most(time::until(end));
        }
        let type_on = self.takes_keys();
        if !type_on {
            at_most(time::until(self.taken + limits::gate::REATTACH_NOTE));
        }
        let mut watches = vec![Watch::new(signals, true, false)];
        if type_on {
            watches.push(Watch::new(stdin, true, false));
        }
        if self.screen.wants_write() {
            watches.push(Watch::new(self.screen.tty(), false, true));
        }
        // Not watched while nothing is wanted of it: a closed socket would wake us all the time.
        if let Some(link) = &self.link
            && (self.screen.has_room() || link.wants_write())
        {
            watches.push(Watch::new(link.stream(), self.screen.has_room(), link.wants_write()));
        }
        poll::wait(&mut watches, timeout)?;
        let keys = type_on && watches[1].readable();
        Ok((keys, watches[0].readable()))
    }

    /// Keys are read as long as there is room for them. A daemon that has taken none for a while
    /// does not get what is typed then, but the detach keys still work.
    fn takes_keys(&self) -> bool {
        self.input.len() < limits::INPUT_QUEUE
            || time::until(self.taken + limits::gate::REATTACH_NOTE).is_zero()
    }

    fn heed(&mut self, signals: &Signals) -> Option<End> {
        while let Some(signal) = signals.next() {
            if signal != Signal::SIGWINCH {
                return Some(End::Signal(signal as i32));
            }
            self.attach.size = Some(self.screen.look());
            self.resized = self.inside && !self.attach.readonly;
            if self.noted {
                self.note();
            }
        }
        None
    }

    fn read_keys(&mut self, mut stdin: &File) -> Option<End> {
        let mut chunk = [0; 16 * 1024];
        let count = match stdin.read(&mut chunk) {
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                return None;
            }
            Ok(0) | Err(_) => return Some(End::Signal(Signal::SIGHUP as i32)),
            Ok(count) => count,
        };
        if self.input.is_empty() {
            self.taken = time::now();
        }
        let before = self.input.len();
        let detach = self.keyboard.feed(&chunk[..count], &mut self.input);
        // What nobody takes is not kept: sent much later, it would surprise.
        if self.attach.readonly || (self.noted && !self.inside) {
            self.input.clear();
        } else if before >= limits::INPUT_QUEUE {
            self.input.truncate(before);
        }
        detach.then_some(End::Detached)
    }

    /// Takes what the daemon has said, as far as the screen has room.
    fn listen(&mut self) -> Result<Option<End>> {
        while self.screen.has_room() {
            let Some(link) = &mut self.link else { return Ok(None) };
            match link.hear() {
                Ok(Some(heard)) => {
                    self.more = true;
                    if let Some(end) = self.hear(heard)? {
                        return Ok(Some(end));
                    }
                }
                Ok(None) => {
                    self.more = false;
                    return Ok(None);
                }
                Err(error) => self.lose(error)?,
            }
        }
        Ok(None)
    }

    fn hear(&mut self, heard: Heard) -> Result<Option<End>> {
        match heard {
            Heard::Attached { session, size } => {
                self.screen.resized(size);
                self.heed_state(&session);
                self.inside = true;
                self.pause = limits::gate::RECONNECT;
                self.taken = time::now();
            }
            Heard::Output { next, bytes } => {
                self.screen.output(&bytes);
                self.attach.from = From::Offset(next);
            }
            Heard::Repaint { next, bytes } => {
                self.screen.repaint(&bytes);
                self.attach.from = From::Offset(next);
                self.noted = false;
            }
            Heard::State(session) => self.heed_state(&session),
            Heard::Resized(size) => self.screen.resized(size),
            Heard::Ended(session) => return Ok(Some(End::Ended(session))),
            Heard::Failed(error) => self.lose(error)?,
            Heard::Other => {}
        }
        Ok(None)
    }

    /// Sends keys and sizes, one message at a time.
    fn speak(&mut self) -> Result<()> {
        loop {
            let Some(link) = &mut self.link else { return Ok(()) };
            if link.wants_write()
                && let Err(error) = link.flush()
            {
                return self.lose(error);
            }
            if !self.inside || !link.takes_message() {
                return Ok(());
            }
            let message = if self.resized {
                self.resized = false;
                message::resize(self.screen.size())
            } else if !self.input.is_empty() {
                let count = self.input.len().min(limits::WS_CHUNK);
                let keys: Vec<u8> = self.input.drain(..count).collect();
                self.taken = time::now();
                message::input(&keys)
            } else {
                return Ok(());
            };
            if let Err(error) = link.send(message) {
                return self.lose(error);
            }
        }
    }

    /// The link broke. What may pass is tried again; the rest ends the visit.
    fn lose(&mut self, error: Error) -> Result<()> {
        if !matches!(error.code, Code::Unreachable | Code::Busy) {
            return Err(error);
        }
        self.leave();
        Ok(())
    }

    /// Lets go of the link, to come back at once if we were inside.
    fn leave(&mut self) {
        self.link = None;
        self.more = false;
        self.next_try = time::now() + if self.inside { Duration::ZERO } else { self.pause };
        if self.inside {
            self.inside = false;
            self.away = time::now();
        }
    }

    /// Connects again when it is time to.
    fn come_back(&mut self) -> Result<()> {
        if self.link.is_some() || !time::until(self.next_try).is_zero() {
            return Ok(());
        }
        if self.noted {
            self.attach.from = From::Screen;
        }
        self.attach.size = Some(self.screen.look());
        self.pause = (self.pause * 2).min(limits::gate::RECONNECT_MAX);
        match Link::open(&self.client, self.attach.message()) {
            Ok(link) => {
                self.link = Some(link);
                self.more = true;
                Ok(())
            }
            Err(error) => self.lose(error),
        }
    }

    fn heed_state(&mut self, session: &Value) {
        let banner = banner::of(session);
        if banner == self.banner {
            return;
        }
        let brief = banner.as_ref().is_some_and(|banner| banner.brief);
        self.banner_ends = brief.then(|| time::now() + limits::gate::BANNER_BRIEF);
        self.screen.say(banner.as_ref().map(|banner| banner.text.clone()));
        self.banner = banner;
    }

    /// Draws the banner over the output of this turn, or asks for the picture that it needs.
    fn say_banner(&mut self) {
        if self.banner_ends.is_some_and(|end| time::until(end).is_zero()) {
            self.banner_ends = None;
            self.screen.say(None);
        }
        let idle = self.link.as_ref().is_some_and(|link| !link.wants_write());
        let on_its_way = self.attach.from == From::Screen;
        if self.screen.wants_picture() && self.inside && idle && !on_its_way {
            self.attach.from = From::Screen;
            self.leave();
        }
        self.screen.draw();
    }

    fn say_if_away(&mut self) {
        let patience_over = time::until(self.away + limits::gate::REATTACH_NOTE).is_zero();
        if self.inside || self.noted || !patience_over {
            return;
        }
        self.noted = true;
        self.input.clear();
        self.note();
    }

    fn note(&mut self) {
        let text =
            format!(" {}: the daemon is away, keys are not sent; it goes on by itself ", self.name);
        self.screen.note(&text);
    }
}
