//! A subscription to a terminal: its screen, and then its output from there on.
//!
//! 1. A viewer's slowness MUST cost nobody else anything: it has a place in the output, and no
//!    queue.
//! 2. What a viewer asked for by offset MUST come whole, or with a gap that says what is gone.

use crate::base::error::{Code, Result};
use crate::http::handlers::Api;
use crate::http::socket::frame::Frame;
use crate::http::socket::frame::Kind;
use crate::http::socket::message::Start;
use crate::http::wire::Wire;
use crate::limits;
use crate::service::live::Command;
use crate::service::live::Live;
use crate::service::live::Picture;
use crate::service::news::Changed;
use crate::service::place::Next;
use crate::service::place::Place;
use crate::service::sessions::SizeFrom;
use crate::sys::poll::Waker;
use crossbeam_channel::Receiver;
use crossbeam_channel::TryRecvError;
use crossbeam_channel::bounded;
use std::collections::VecDeque;
use std::sync::Arc;
use tungstenite::Message;

/// See the file's head.
pub struct Terminal {
    session: String,
    live: Option<Arc<Live>>,
    waker: Arc<Waker>,
    place: Place,
    screen: Screen,
    /// Output up to here was asked for, and comes however late it is.
    whole_to: u64,
    /// Changes of the terminal's size in it that are still to come.
    sizes: VecDeque<SizeFrom>,
    /// It began in the past.
    is_past: bool,
    /// The size that the viewer knows, and the version of the session at which that was so.
    size: Option<(u16, u16)>,
    version: Option<u64>,
    /// The session may run again.
    look: bool,
}

/// Whether the viewer needs a picture of the screen.
enum Screen {
    /// It has one, or did not want it.
    Known,
    /// It does.
    Wanted,
    /// The session's thread makes it.
    Asked(Receiver<Picture>),
    /// Here it is, and not the newest.
    Made(Box<Picture>),
}

impl Terminal {
    /// Takes a place in a session's output: at an offset, at its screen, or at one of before.
    pub fn new(api: &Api, session: &str, start: Start, waker: &Arc<Waker>) -> Result<Terminal> {
        let row = api.find(session)?;
        let live = api.live(&row)?;
        if let Some(live) = &live {
            live.tail.watch(waker);
        }
        let end = live.as_ref().map_or(row.log_end, |live| live.tail.end());
        let (from, screen, sizes) = match start {
            Start::Offset(offset) => (offset, Screen::Known, Vec::new()),
            Start::Near(offset) => {
                let (picture, sizes) = api.past(&row, offset.min(end), end)?;
                (picture.offset, Screen::Made(Box::new(picture)), sizes)
            }
            Start::Now | Start::Event(_) => (end, Screen::Wanted, Vec::new()),
        };
        Ok(Terminal {
            place: Place::new(&api.paths, &row, live.clone(), api.hidden(&row), from),
            session: row.id,
            live,
            waker: waker.clone(),
            screen,
            whole_to: end,
            sizes: sizes.into(),
            is_past: matches!(start, Start::Near(_)),
            size: None,
            version: None,
            look: false,
        })
    }

    /// Notes what has changed.
    pub fn changed(&mut self, changed: &Changed) {
        self.look |= changed.has(&self.session);
    }

    /// Sends the next piece; true when there may be more.
    pub fn pump(&mut self, api: &Api, wire: &mut Wire, id: u16, room: &mut [u8]) -> Result<bool> {
        if self.live.is_none() && std::mem::take(&mut self.look) {
            self.follow(api)?;
        }
        if matches!(self.screen, Screen::Known) && self.is_lagging() {
            self.screen = Screen::Wanted;
        }
        if !matches!(self.screen, Screen::Known) {
            return self.show(api, wire, id);
        }
        self.tell_size(api, wire, id)?;
        self.stream(wire, id, room)
    }

    fn is_lagging(&self) -> bool {
        let (at, end) = (self.place.offset(), self.live.as_ref().map_or(0, |l| l.tail.end()));
        at >= self.whole_to && end.saturating_sub(at) > limits::socket::LAG
    }

    fn stream(&mut self, wire: &mut Wire, id: u16, room: &mut [u8]) -> Result<bool> {
        let mut frame = Frame::new(Kind::Output, id);
        // Not beyond the place where the size changes.
        let until = self.sizes.front().map_or(u64::MAX, |(at, _)| at - self.place.offset());
        let most = room.len().min(usize::try_from(until).unwrap_or(usize::MAX));
        let room = &mut room[..most];
        match self.place.next(room, frame.body())? {
            Next::Output(_) if frame.is_empty() => {}
            Next::Output(next) => wire.send(Message::binary(frame.seal(next))),
            Next::Gap(from, to) => {
                let gap = Frame::whole(Kind::Gap, id, from, &to.to_le_bytes());
                wire.send(Message::binary(gap));
            }
            Next::Nothing => return Ok(false),
            Next::End => {
                self.live = None;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends the screen, once there is a picture of it.
    fn show(&mut self, api: &Api, wire: &mut Wire, id: u16) -> Result<bool> {
        let picture = match &self.screen {
            Screen::Known => return Ok(true),
            Screen::Made(_) => {
                if let Screen::Made(picture) = std::mem::replace(&mut self.screen, Screen::Known) {
                    self.paint(wire, id, *picture);
                }
                return Ok(true);
            }
            Screen::Asked(told) => match told.try_recv() {
                Ok(picture) => api.hide(&api.find(&self.session)?, picture),
                Err(TryRecvError::Empty) => return Ok(false),
                // The thread has ended: the log has the last picture.
                Err(TryRecvError::Disconnected) => {
                    self.live = None;
                    self.screen = Screen::Wanted;
                    return Ok(true);
                }
            },
            Screen::Wanted => match &self.live {
                Some(live) => {
                    let (tell, told) = bounded(1);
                    let waker = self.waker.clone();
                    let show = move |picture| {
                        let _ = tell.try_send(picture);
                        waker.wake();
                    };
                    let asked = live.ask_patiently(Command::Picture(Box::new(show)));
                    match asked {
                        Err(error) if error.code == Code::Conflict => self.live = None,
                        asked => asked.map(|()| self.screen = Screen::Asked(told))?,
                    }
                    return Ok(self.live.is_none());
                }
                None => api.picture(&api.find(&self.session)?)?,
            },
        };
        self.screen = Screen::Known;
        self.whole_to = picture.offset;
        self.sizes.clear();
        self.paint(wire, id, picture);
        Ok(true)
    }

    fn paint(&mut self, wire: &mut Wire, id: u16, mut picture: Picture) {
        self.place.show(&mut picture);
        self.resized(wire, id, picture.size);
        let snapshot = Frame::whole(Kind::Snapshot, id, picture.offset, &picture.repaint);
        wire.send(Message::binary(snapshot));
    }

    fn tell_size(&mut self, api: &Api, wire: &mut Wire, id: u16) -> Result<()> {
        let at = self.place.offset();
        while let Some((_, size)) = self.sizes.pop_front_if(|(from, _)| *from <= at) {
            self.resized(wire, id, size);
        }
        // A viewer of the past is not told of the present before it is there.
        if !self.sizes.is_empty() || (self.is_past && at < self.whole_to) {
            return Ok(());
        }
        let version = self.live.as_ref().map(|live| live.tail.version());
        let row = match &self.live {
            Some(live) if version != self.version => live.row(),
            None if self.size.is_none() => api.find(&self.session)?,
            _ => return Ok(()),
        };
        self.version = version;
        self.resized(wire, id, (row.cols, row.rows));
        Ok(())
    }

    fn resized(&mut self, wire: &mut Wire, id: u16, size: (u16, u16)) {
        if self.size.replace(size) != Some(size) {
            let body = [size.0.to_le_bytes(), size.1.to_le_bytes()].concat();
            let frame = Frame::whole(Kind::Resize, id, self.place.shown_to(), &body);
            wire.send(Message::binary(frame));
        }
    }

    /// A session that has been resumed writes on in the same log.
    fn follow(&mut self, api: &Api) -> Result<()> {
        let live = api.records.live(&self.session).filter(|live| !live.tail.is_closed());
        if let Some(live) = live {
            live.tail.watch(&self.waker);
            let at = self.place.offset();
            let row = live.row();
            let hidden = api.hidden(&row);
            self.place = Place::new(&api.paths, &row, Some(live.clone()), hidden, at);
            (self.live, self.version) = (Some(live), None);
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(live) = &self.live {
            live.tail.unwatch(&self.waker);
        }
    }
}
