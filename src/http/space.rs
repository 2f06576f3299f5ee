//! A server of its own for tests on real sockets, and the little that a client needs.

use crate::base::time;
use crate::http::Server;
use crate::http::answer::Answer;
use crate::http::connections::CAPS;
use crate::http::connections::Caps;
use crate::http::doors::Listen;
use crate::http::front;
use crate::http::lanes;
use crate::http::message::Door;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::pool::Pool;
use crate::http::stream::Listener;
use crate::limits;
use crate::sys::sock;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use serde_json::json;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Long enough for a loaded machine, short enough to tell a lost request from a slow one.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// The least there is.
pub const GET: &[u8] = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
/// A test is one process: its clients are told apart by nothing, so the cap per peer is lifted.
pub const WIDE: Caps = Caps { per_peer: usize::MAX, ..CAPS };

/// A running server, with requests for `/park` handed to the test.
pub struct Space {
    /// Its socket.
    pub path: PathBuf,
    /// Taken by a test that stops it.
    pub server: Option<Server>,
    parked: Receiver<(Request, Answer)>,
    handled: Arc<AtomicUsize>,
}

/// Starts it with these caps.
pub fn space(caps: Caps) -> Space {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("cp-http-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_file(&path);
    let listener = Listener::Unix(sock::listen(&path).unwrap());
    let (park, parked) = crossbeam_channel::bounded(limits::PARKED);
    let handled = Arc::new(AtomicUsize::new(0));
    let count = handled.clone();
    let handler = move |request: Request, answer: Answer| {
        count.fetch_add(1, Ordering::SeqCst);
        handle(&park, request, answer);
    };
    let (jobs, work) = lanes::lanes();
    let pool = Pool::start(work, Arc::new(handler)).unwrap();
    let listens = vec![Listen { listener, door: Door::Control }];
    let front = front::start_with(listens, jobs, caps).unwrap();
    Space { path, server: Some(Server { front, pool }), parked, handled }
}

fn handle(park: &Sender<(Request, Answer)>, request: Request, answer: Answer) {
    match request.path.as_str() {
        "/park" => park.send((request, answer)).unwrap(),
        "/panic" => panic!("on purpose"),
        "/large" => answer.send(Reply::bytes(200, "text/plain", vec![b'x'; 50_000_000])),
        _ => answer.send(Reply::json(200, &json!({"got": request.body.len()}))),
    }
}

impl Space {
    /// A client that gives up after [`PATIENCE`]. It shares its descriptors with the server here:
    /// while that one holds the last of them for a moment, it tries again.
    pub fn connect(&self) -> UnixStream {
        let deadline = time::now() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(&self.path) {
                Err(e) if sock::is_out_of_descriptors(&e) && time::now() < deadline => {
                    std::thread::yield_now();
                }
                other => break other.unwrap(),
            }
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A client that comes now gets its reply.
    pub fn others_are_served(&self) {
        let mut stream = self.connect();
        stream.write_all(GET).unwrap();
        assert_eq!(status(&mut stream), 200);
    }

    /// Open connections.
    pub fn open(&self) -> usize {
        self.server.as_ref().unwrap().front.open()
    }

    /// Waits until the front has noticed that all but `count` clients are gone.
    pub fn settles_at(&self, count: usize) {
        let deadline = time::now() + PATIENCE;
        while self.open() != count && time::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(self.open(), count);
    }

    /// Requests that reached a handler.
    pub fn handled(&self) -> usize {
        self.handled.load(Ordering::SeqCst)
    }

    /// The next request for `/park`.
    pub fn parked(&self) -> (Request, Answer) {
        self.parked.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            while let Ok((_, answer)) = self.parked.try_recv() {
                answer.defuse();
            }
            server.shutdown(Duration::ZERO);
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Reads one reply whole.
pub fn reply(stream: &mut UnixStream) -> String {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.split("Content-Length: ").nth(1).and_then(|t| t.split("\r\n").next());
    let mut body = vec![0; length.map_or(0, |t| t.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

/// Reads one reply for its status.
pub fn status(stream: &mut UnixStream) -> u16 {
    reply(stream)[9..12].parse().unwrap()
}

/// The other side has closed: no more bytes, or a reset.
pub fn is_closed(stream: &mut UnixStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => rest.is_empty(),
        Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
    }
}
