//! WebSockets: the handshake, and a thread for each. What is said on one is in
//! [`crate::http::viewer`].

use crate::base::error::{Code, Error, Result};
use crate::base::thread;
use crate::base::time;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::stream::Stream;
use crate::http::viewer::Attach;
use crate::http::viewer::Viewer;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use serde_json::json;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use tungstenite::Message;
use tungstenite::WebSocket;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;
use tungstenite::protocol::WebSocketConfig;

static OPEN: AtomicUsize = AtomicUsize::new(0);
static NUMBER: AtomicUsize = AtomicUsize::new(1);

/// One place among [`limits::WS_OPEN`], given back when dropped.
struct Place;

impl Place {
    fn take() -> Option<Place> {
        let free = |open| (open < limits::WS_OPEN).then_some(open + 1);
        OPEN.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free).ok().map(|_| Place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Upgrades to a WebSocket (RFC 6455) that carries a terminal.
pub fn open(api: &Api, request: Request, _: &Params, answer: Answer) {
    let key = match key(&request) {
        Ok(key) => key,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let Some(place) = Place::take() else {
        let most = limits::WS_OPEN;
        let error = Error::busy(format!("{most} viewers are attached already; detach one"));
        return answer.send(Reply::error(&error));
    };
    let accept = derive_accept_key(key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let api = api.clone();
    let take = move |stream: Stream, leftover: Vec<u8>| {
        let number = NUMBER.fetch_add(1, Ordering::SeqCst) as u64;
        let started = thread::spawn(format!("ws-{number}"), move || {
            let _place = place;
            serve(&api, number, stream, leftover);
        });
        if let Err(error) = started {
            log::error!("{}", error.chain());
        }
    };
    answer.upgrade(head.into_bytes(), Box::new(take));
}

fn key(request: &Request) -> Result<&str> {
    let wrong = |what| Err(Error::invalid(what));
    if !request.upgrade {
        return wrong("this is a WebSocket; send Connection: Upgrade and Upgrade: websocket");
    }
    if request.header("sec-websocket-version") != Some("13") {
        return wrong("Sec-WebSocket-Version must be 13");
    }
    match request.header("sec-websocket-key") {
        Some(key) if key.len() == 24 => Ok(key),
        _ => wrong("Sec-WebSocket-Key must be 16 bytes in base64"),
    }
}

fn serve(api: &Api, number: u64, stream: Stream, leftover: Vec<u8>) {
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(limits::WS_CHUNK)
        .max_write_buffer_size(limits::WS_WRITE_BUFFER)
        .max_message_size(Some(limits::WS_MESSAGE))
        .max_frame_size(Some(limits::WS_MESSAGE));
    let mut socket = WebSocket::from_partially_read(stream, leftover, Role::Server, Some(config));
    let result = first(&mut socket).and_then(|attach| Viewer::new(api, number, attach));
    match result {
        Ok(viewer) => viewer.run(&mut socket),
        Err(error) => {
            let code = error.code.word();
            let body = json!({"op": "error", "error": error.message, "code": code});
            let _ = socket.send(Message::text(body.to_string()));
            let _ = socket.close(None);
        }
    }
}

/// The first message says what this connection is for.
fn first(socket: &mut WebSocket<Stream>) -> Result<Attach> {
    let deadline = time::now() + limits::WS_FIRST;
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => return Attach::parse(text.as_bytes()),
            Ok(Message::Binary(_)) => return Err(Error::invalid("the first message is not text")),
            Ok(_) => {}
            Err(tungstenite::Error::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {
                let mut watch = [Watch::new(socket.get_ref(), true, false)];
                if poll::wait(&mut watch, Some(time::until(deadline)))? == 0
                    && time::now() >= deadline
                {
                    return Err(Error::new(Code::Timeout, "no first message came"));
                }
            }
            Err(_) => return Err(Error::invalid("the connection broke")),
        }
    }
}
