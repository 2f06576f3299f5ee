//! A server on loopback in the place of a webhook: keeps what it is sent, answers as it is told.

use crate::support::wait::SOON;
use serde_json::Value;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A request: its head and its body.
pub struct Asked {
    pub head: String,
    pub body: String,
}

impl Asked {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// See the file's head. It ends with the test's process.
pub struct Webhook {
    pub port: u16,
    asked: Receiver<Asked>,
}

impl Webhook {
    /// Answers every request with this head and an empty body; an empty one is no answer, and the
    /// connection stays open.
    pub fn saying(answer: &'static str) -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (told, asked) = channel();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                serve(&mut stream, answer, &told);
                kept.extend(answer.is_empty().then_some(stream));
            }
        });
        Webhook { port, asked }
    }

    pub fn new() -> Webhook {
        Webhook::saying("HTTP/1.1 200 OK")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The next request.
    #[track_caller]
    pub fn next(&self) -> Asked {
        self.asked.recv_timeout(SOON).expect("a request to the webhook")
    }

    /// No request has come that was not asked for.
    #[track_caller]
    pub fn is_silent(&self) {
        assert!(self.asked.try_recv().is_err(), "a request that should not be");
    }
}

fn serve(stream: &mut TcpStream, answer: &str, told: &Sender<Asked>) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = |line: &str| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
            };
            if body.len() >= head.lines().find_map(length).unwrap_or(0) {
                let asked = Asked { head: head.to_string(), body: body.to_string() };
                // The test may be at its end.
                let _ = told.send(asked);
                break;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    if !answer.is_empty() {
        let _ = stream.write_all(format!("{answer}\r\nContent-Length: 0\r\n\r\n").as_bytes());
    }
}
