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
use crate::http::wire;
use crate::http::wire::Wire;
use crate::limits;
use crate::service::input::Input;
use crate::service::live::Command;
use crate::service::live::Live;
use crate::service::notices::looking::Looks;
use crate::service::place::Next;
use crate::service::place::Place;
use crate::service::program;
use crate::service::seat::Seat;
use crate::sys::poll;
use crate::sys::poll::Waker;
use crate::sys::poll::Watch;
use crate::sys::tty::Size;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use tungstenite::Message;

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
    /// It has a size: a person looks at it. What only follows the output may be a file.
    looks: bool,
}

impl Attach {
    /// Reads the first message.
    pub fn parse(body: &Value) -> Result<Attach> {
        let fields = Fields::of(body)?;
        fields.only(&["op", "sessionId", "from", "cols", "rows", "readonly", "resize"])?;
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
        let session = fields.need_text("sessionId")?.to_string();
        let looks = fields.get("cols").is_some();
        Ok(Attach { session, from, size, readonly, looks })
    }
}

/// One viewer's place in one session.
pub struct Viewer {
    api: Api,
    session: String,
    live: Option<Arc<Live>>,
    /// Its place at the keyboard; none where it only looks on.
    seat: Option<Seat>,
    waker: Arc<Waker>,
    place: Place,
    size: Option<Size>,
    readonly: bool,
    from: From,
    shown: (u16, u16),
    version: u64,
    /// Input that the session's queue did not take yet; nothing is read behind it.
    stuck: Option<Vec<u8>>,
    done: bool,
    /// Notices of the session are read for as long as this is here.
    _looks: Option<Looks>,
}

impl Viewer {
    /// Finds the session and takes a place in its output.
    pub fn new(api: &Api, number: u64, attach: Attach) -> Result<Viewer> {
        let row = api.resolve(&attach.session)?;
        let live = api.live(&row)?;
        let waker = Arc::new(Waker::new()?);
        if let Some(live) = &live {
            live.tail.watch(&waker);
        }
        let seat = live.as_ref().filter(|_| !attach.readonly).map(|live| Seat::new(live, number));
        let offset = match attach.from {
            From::Offset(offset) => offset,
            _ => live.as_ref().map_or(row.log_end, |live| live.tail.end()),
        };
        let looks = attach.looks.then(|| api.look_at(&row.id));
        Ok(Viewer {
            _looks: looks,
            place: Place::new(&api.paths, &row, live.clone(), api.hidden(&row), offset),
            api: api.clone(),
            session: row.id,
            live,
            seat,
            waker,
            size: attach.size,
            readonly: attach.readonly,
            from: attach.from,
            shown: (row.cols, row.rows),
            version: 0,
            stuck: None,
            done: false,
        })
    }

    /// Serves the connection until either side ends it.
    pub fn run(mut self, wire: &mut Wire) {
        if let Err(error) = self.begin(wire).and_then(|()| self.turns(wire)) {
            wire.say(&wire::error(&error));
        }
        wire.flush();
    }

    fn begin(&mut self, wire: &mut Wire) -> Result<()> {
        if let (Some(seat), Some(size)) = (&mut self.seat, self.size) {
            seat.resize(size)?;
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
        wire.say(&attached);
        if let Some(bytes) = repaint {
            wire.send(stream_message(REPAINT, self.place.offset(), &bytes));
        }
        Ok(())
    }

    fn turns(&mut self, wire: &mut Wire) -> Result<()> {
        let mut buffer = vec![0; limits::WS_CHUNK];
        while !self.done && !wire.is_over() {
            self.waker.clear();
            self.tell_changes(wire);
            let more = self.pump(wire, &mut buffer)?;
            wire.flush();
            self.hear(wire)?;
            if self.done || more {
                continue;
            }
            let mut watches = [
                Watch::new(wire.stream(), self.stuck.is_none(), wire.is_full()),
                Watch::new(&*self.waker, true, false),
            ];
            let timeout = match self.stuck {
                Some(_) => limits::gate::RECONNECT,
                None => time::until(wire.alarm()),
            };
            poll::wait(&mut watches, Some(timeout))?;
            if watches[0].writable() {
                wire.flush();
            }
            // Behind input that is stuck nothing is heard, so that silence says nothing.
            if self.stuck.is_none() {
                wire.keep_alive();
            }
        }
        Ok(())
    }

    /// Sends output from our place on. True when there may be more at once.
    fn pump(&mut self, wire: &mut Wire, buffer: &mut [u8]) -> Result<bool> {
        if wire.is_full() {
            return Ok(false);
        }
        let mut shown = Vec::new();
        match self.place.next(buffer, &mut shown)? {
            Next::Output(_) if shown.is_empty() => {}
            Next::Output(next) => wire.send(stream_message(OUTPUT, next, &shown)),
            Next::Gap(from, to) => wire.say(&json!({"op": "gap", "from": from, "to": to})),
            Next::Nothing => return Ok(false),
            Next::End => {
                let row = self.api.find(&self.session)?;
                wire.say(&json!({"op": "ended", "session": shape::session(&self.api, &row)}));
                self.done = true;
            }
        }
        Ok(true)
    }

    fn tell_changes(&mut self, wire: &mut Wire) {
        let Some(live) = &self.live else { return };
        let version = live.tail.version();
        if wire.is_full() || version == self.version {
            return;
        }
        self.version = version;
        let row = live.row();
        if (row.cols, row.rows) != self.shown {
            self.shown = (row.cols, row.rows);
            wire.say(&json!({"op": "resized", "cols": row.cols, "rows": row.rows}));
        }
        wire.say(&json!({"op": "state", "session": shape::session(&self.api, &row)}));
    }

    fn hear(&mut self, wire: &mut Wire) -> Result<()> {
        if let Some(bytes) = self.stuck.take() {
            self.type_in(bytes)?;
        }
        while self.stuck.is_none() {
            match wire.hear() {
                Some(Message::Binary(bytes)) if bytes.first() == Some(&INPUT) => {
                    self.type_in(bytes[1..].to_vec())?;
                }
                Some(Message::Text(text)) => self.obey(text.as_bytes())?,
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
    }

    fn type_in(&mut self, bytes: Vec<u8>) -> Result<()> {
        let (Some(live), Some(seat)) = (&self.live, &self.seat) else { return Ok(()) };
        seat.types()?;
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
            self.seat.as_mut().map(|seat| seat.resize(size)).transpose()?;
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
