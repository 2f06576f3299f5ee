//! One attached viewer: a place in a session's output, and keys for its terminal.
//!
//! Text messages are JSON, binary ones begin with a byte that says what follows.
//!
//! | from | message | meaning |
//! |---|---|---|
//! | client | `{"op":"attach","sessionId","from","cols","rows","readonly","resize"}` | first |
//! | client | `{"op":"resize","cols","rows"}` | its terminal changed |
//! | client | 1, bytes | input, byte for byte |
//! | server | `{"op":"attached","sessionId","offset","cols","rows","readonly","session"}` | |
//! | server | 1, u64 LE, bytes | output; the stream goes on at this offset of the log |
//! | server | 2, u64 LE, bytes | repaint of the screen; the stream goes on at this offset |
//! | server | `{"op":"resized","cols","rows"}`, `{"op":"state","session"}` | |
//! | server | `{"op":"gap","from","to"}` | output is gone (full disk, or older than kept) |
//! | server | `{"op":"ended","session"}`, `{"op":"error","error","code"}` | last message |
//!
//! `from` is `"screen"` (a repaint, then the stream), `"end"`, or an offset of the log; `resize`
//! gives the client a say about the terminal's size.

use crate::base::error::{Error, Result};
use crate::base::json;
use crate::base::json::Fields;
use crate::base::time;
use crate::http::handlers::Api;
use crate::http::shape;
use crate::http::stream::Stream;
use crate::limits;
use crate::service::input::Input;
use crate::service::live::Command;
use crate::service::live::Live;
use crate::service::place::Next;
use crate::service::place::Place;
use crate::service::program;
use crate::sys::poll;
use crate::sys::poll::Waker;
use crate::sys::poll::Watch;
use crate::sys::tty::Size;
use serde_json::Value;
use serde_json::json;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;
use tungstenite::Message;
use tungstenite::WebSocket;

const OUTPUT: u8 = 1;
const REPAINT: u8 = 2;
const INPUT: u8 = 1;

/// Where a viewer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Screen,
    End,
    Offset(u64),
}

/// The first message.
#[derive(Debug)]
pub struct Attach {
    session: String,
    from: From,
    size: Option<Size>,
    readonly: bool,
}

impl Attach {
    /// Reads the first message.
    pub fn parse(bytes: &[u8]) -> Result<Attach> {
        let body = json::parse(bytes)?;
        let fields = Fields::of(&body)?;
        fields.only(&["op", "sessionId", "from", "cols", "rows", "readonly", "resize"])?;
        if fields.need_text("op")? != "attach" {
            return Err(Error::invalid("the first message must be {\"op\":\"attach\",…}"));
        }
        let from = match fields.get("from") {
            None => From::Screen,
            Some(value) if value == "screen" => From::Screen,
            Some(value) if value == "end" => From::End,
            Some(value) => From::Offset(value.as_u64().ok_or_else(|| {
                Error::invalid("field \"from\" must be \"screen\", \"end\" or an offset")
            })?),
        };
        let readonly = fields.flag("readonly")?.unwrap_or(false);
        let wants_size = fields.flag("resize")?.unwrap_or(false) && !readonly;
        let size = match (fields.number("cols")?, fields.number("rows")?) {
            (Some(cols), Some(rows)) if wants_size => Some(program::size(cols, rows)?),
            _ => None,
        };
        Ok(Attach { session: fields.need_text("sessionId")?.to_string(), from, size, readonly })
    }
}

/// One viewer's place in one session.
pub struct Viewer {
    api: Api,
    number: u64,
    session: String,
    live: Option<Arc<Live>>,
    waker: Arc<Waker>,
    place: Place,
    size: Option<Size>,
    readonly: bool,
    from: From,
    shown: (u16, u16),
    version: u64,
    /// The socket is full: nothing more until it has room.
    full: bool,
    /// Input that the session's queue did not take yet; nothing is read behind it.
    stuck: Option<Vec<u8>>,
    heard: Instant,
    pinged: bool,
    done: bool,
}

type Socket = WebSocket<Stream>;

impl Viewer {
    /// Finds the session and takes a place in its output.
    pub fn new(api: &Api, number: u64, attach: Attach) -> Result<Viewer> {
        let row = api.resolve(&attach.session)?;
        let live = api.live(&row)?;
        let waker = Arc::new(Waker::new()?);
        if let Some(live) = &live {
            live.tail.watch(&waker);
        }
        let offset = match attach.from {
            From::Offset(offset) => offset,
            _ => live.as_ref().map_or(row.log_end, |live| live.tail.end()),
        };
        Ok(Viewer {
            place: Place::new(&api.paths, &row, live.clone(), offset),
            api: api.clone(),
            number,
            session: row.id,
            live,
            waker,
            size: attach.size,
            readonly: attach.readonly,
            from: attach.from,
            shown: (row.cols, row.rows),
            version: 0,
            full: false,
            stuck: None,
            heard: time::now(),
            pinged: false,
            done: false,
        })
    }

    /// Serves the connection until either side ends it.
    pub fn run(mut self, socket: &mut Socket) {
        if !self.readonly
            && let Some(live) = &self.live
        {
            live.join(self.number);
        }
        if let Err(error) = self.begin(socket).and_then(|()| self.turns(socket)) {
            let body = json!({"op": "error", "error": error.message, "code": error.code.word()});
            let _ = socket.send(Message::text(body.to_string()));
        }
        if let Some(live) = &self.live {
            live.leave(self.number);
        }
        let _ = socket.close(None);
        let _ = socket.flush();
    }

    fn begin(&mut self, socket: &mut Socket) -> Result<()> {
        if let (Some(live), Some(size)) = (&self.live, self.size) {
            let same = self.shown == (size.cols, size.rows);
            if !same && live.size_counts(self.number) {
                live.ask(Command::Resize(size))?;
            }
        }
        let row = self.api.find(&self.session)?;
        self.shown = (row.cols, row.rows);
        let mut repaint = None;
        if self.from == From::Screen {
            let mut picture = self.api.picture(&row)?;
            self.shown = picture.size;
            self.place.show(&mut picture);
            repaint = Some(picture.repaint);
        }
        let attached = json!({
            "op": "attached",
            "sessionId": self.session,
            "offset": self.place.offset(),
            "cols": self.shown.0,
            "rows": self.shown.1,
            "readonly": self.readonly,
            "session": shape::session(&self.api, &row),
        });
        self.send(socket, Message::text(attached.to_string()))?;
        if let Some(bytes) = repaint {
            self.send(socket, stream_message(REPAINT, self.place.offset(), &bytes))?;
        }
        Ok(())
    }

    fn turns(&mut self, socket: &mut Socket) -> Result<()> {
        let mut buffer = vec![0; limits::WS_CHUNK];
        while !self.done {
            self.waker.clear();
            self.tell_changes(socket)?;
            let more = self.pump(socket, &mut buffer)?;
            self.hear(socket)?;
            if self.done || more {
                continue;
            }
            let mut watches = [
                Watch::new(socket.get_ref(), self.stuck.is_none(), self.full),
                Watch::new(&*self.waker, true, false),
            ];
            let timeout = match self.stuck {
                Some(_) => limits::gate::RECONNECT,
                None => limits::WS_PING,
            };
            poll::wait(&mut watches, Some(timeout))?;
            if watches[0].writable() {
                self.full = false;
                self.flush(socket)?;
            }
            self.keep_alive(socket)?;
        }
        Ok(())
    }

    /// Sends output from our place on. True when there may be more at once.
    fn pump(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> Result<bool> {
        if self.full {
            return Ok(false);
        }
        let mut shown = Vec::new();
        match self.place.next(buffer, &mut shown)? {
            Next::Output(_) if shown.is_empty() => {}
            Next::Output(next) => self.send(socket, stream_message(OUTPUT, next, &shown))?,
            Next::Gap(from, to) => {
                let gap = json!({"op": "gap", "from": from, "to": to});
                self.send(socket, Message::text(gap.to_string()))?;
            }
            Next::Nothing => return Ok(false),
            Next::End => {
                let row = self.api.find(&self.session)?;
                let body = json!({"op": "ended", "session": shape::session(&self.api, &row)});
                self.send(socket, Message::text(body.to_string()))?;
                self.done = true;
            }
        }
        Ok(true)
    }

    fn tell_changes(&mut self, socket: &mut Socket) -> Result<()> {
        let Some(live) = self.live.clone() else { return Ok(()) };
        let version = live.tail.version();
        if self.full || version == self.version {
            return Ok(());
        }
        self.version = version;
        let row = live.row();
        if (row.cols, row.rows) != self.shown {
            self.shown = (row.cols, row.rows);
            let body = json!({"op": "resized", "cols": row.cols, "rows": row.rows});
            self.send(socket, Message::text(body.to_string()))?;
        }
        let body = json!({"op": "state", "session": shape::session(&self.api, &row)});
        self.send(socket, Message::text(body.to_string()))
    }

    fn hear(&mut self, socket: &mut Socket) -> Result<()> {
        if let Some(bytes) = self.stuck.take() {
            self.type_in(bytes)?;
        }
        while self.stuck.is_none() && !self.done {
            let message = match socket.read() {
                Ok(message) => message,
                Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.done = true;
                    break;
                }
            };
            self.heard = time::now();
            self.pinged = false;
            match message {
                Message::Binary(bytes) if bytes.first() == Some(&INPUT) => {
                    self.type_in(bytes[1..].to_vec())?;
                }
                Message::Text(text) => self.obey(text.as_bytes())?,
                Message::Close(_) => self.done = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn type_in(&mut self, bytes: Vec<u8>) -> Result<()> {
        let Some(live) = self.live.clone().filter(|_| !self.readonly) else { return Ok(()) };
        if live.typed(self.number)
            && let Some(size) = self.size.filter(|s| (s.cols, s.rows) != self.shown)
        {
            live.ask(Command::Resize(size))?;
        }
        // A full queue means that the program does not read: then we do not read either.
        if live.ask(Command::Input(Input::quiet(bytes.clone()))).is_err() {
            self.stuck = (!live.tail.is_closed()).then_some(bytes);
        }
        Ok(())
    }

    fn obey(&mut self, text: &[u8]) -> Result<()> {
        let body: Value = json::parse(text)?;
        let fields = Fields::of(&body)?;
        fields.only(&["op", "cols", "rows"])?;
        if fields.need_text("op")? != "resize" {
            return Err(Error::invalid("unknown op; known are attach and resize"));
        }
        let need = |name| fields.number(name)?.ok_or_else(|| Error::invalid("no size"));
        let size = program::size(need("cols")?, need("rows")?)?;
        if self.size.is_some() {
            self.size = Some(size);
            if let Some(live) = self.live.as_ref().filter(|l| l.size_counts(self.number)) {
                live.ask(Command::Resize(size))?;
            }
        }
        Ok(())
    }

    fn keep_alive(&mut self, socket: &mut Socket) -> Result<()> {
        let silent = time::now().duration_since(self.heard);
        if silent >= 2 * limits::WS_PING && self.stuck.is_none() {
            self.done = true;
        } else if silent >= limits::WS_PING && !self.pinged {
            self.pinged = true;
            self.send(socket, Message::Ping(Vec::new().into()))?;
        }
        Ok(())
    }

    fn send(&mut self, socket: &mut Socket, message: Message) -> Result<()> {
        match socket.write(message) {
            Ok(()) => self.flush(socket),
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => {
                self.full = true;
                Ok(())
            }
            Err(_) => {
                self.done = true;
                Ok(())
            }
        }
    }

    fn flush(&mut self, socket: &mut Socket) -> Result<()> {
        match socket.flush() {
            Ok(()) => {}
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => self.full = true,
            Err(_) => self.done = true,
        }
        Ok(())
    }
}

fn stream_message(kind: u8, offset: u64, bytes: &[u8]) -> Message {
    let mut body = Vec::with_capacity(9 + bytes.len());
    body.push(kind);
    body.extend(offset.to_le_bytes());
    body.extend_from_slice(bytes);
    Message::binary(body)
}
