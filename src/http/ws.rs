//! WebSockets: the handshake, a place for each and a thread for each. What is said on one is in
//! [`crate::http::viewer`] and [`crate::http::socket`].
//!
//! 1. Over the web there MUST be a login behind a socket, and its proof in the first message:
//!    browsers send cookies to every port of a host.

mod places;

use crate::base::error::{Error, Result};
use crate::base::json;
use crate::base::json::Fields;
use crate::base::thread;
use crate::base::time;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::socket;
use crate::http::socket::hello::Hello;
use crate::http::stream::Stream;
use crate::http::viewer::Attach;
use crate::http::viewer::Viewer;
use crate::http::wire;
use crate::http::wire::Wire;
use crate::http::ws::places::Place;
use crate::limits;
use crate::model::login::WebSession;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::CloseCode;

static NUMBER: AtomicUsize = AtomicUsize::new(1);

/// Upgrades to a WebSocket (RFC 6455), for a program of our user's.
pub fn open(api: &Api, request: Request, _: &Params, answer: Answer) {
    open_for(api, &request, None, answer);
}

/// Upgrades to a WebSocket: over the web, for this login, whose cookie came along.
pub fn open_for(api: &Api, request: &Request, login: Option<WebSession>, answer: Answer) {
    let place = key(request).and_then(|key| {
        let place = Place::take(login.as_ref().map(|login| login.id.as_str()))?;
        Ok((derive_accept_key(key.as_bytes()), place))
    });
    let (accept, place) = match place {
        Ok(place) => place,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let api = api.clone();
    let take = move |stream: Stream, leftover: Vec<u8>| {
        let number = NUMBER.fetch_add(1, Ordering::SeqCst) as u64;
        let started = thread::spawn(format!("ws-{number}"), move || {
            let _place = place;
            serve(&api, number, Wire::new(stream, leftover), login);
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

fn serve(api: &Api, number: u64, mut wire: Wire, login: Option<WebSession>) {
    let result = wire::first(&mut wire, time::now() + limits::WS_FIRST)
        .and_then(|text| First::parse(text.as_bytes(), login.is_some()));
    match result {
        Ok(First::Attach(attach)) => match Viewer::new(api, number, attach) {
            Ok(viewer) => viewer.run(&mut wire),
            Err(error) => wire.say(&wire::error(&error)),
        },
        Ok(First::Hello(hello)) => socket::serve(api, number, &mut wire, &hello, login.as_ref()),
        Err(error) => {
            wire.say(&wire::error(&error));
            wire.end(CloseCode::Policy, "the first message is wrong");
        }
    }
    wire.close();
}

/// What a connection is for, as its first message says.
enum First {
    /// One terminal, byte for byte: the command line.
    Attach(Attach),
    /// Everything: the dashboard.
    Hello(Hello),
}

impl First {
    /// Over the web there is one way in, which asks for the proof.
    fn parse(bytes: &[u8], web: bool) -> Result<First> {
        let body = json::parse(bytes)?;
        match Fields::of(&body)?.need_text("op")? {
            "attach" if !web => Attach::parse(&body).map(First::Attach),
            "hello" => Hello::parse(&body).map(First::Hello),
            _ if web => Err(Error::invalid("the first message must be {\"op\":\"hello\",…}")),
            _ => Err(Error::invalid("the first message must be {\"op\":\"attach\"|\"hello\",…}")),
        }
    }
}
