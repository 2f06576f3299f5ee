//! A daemon of a few lines for tests: answers on a socket of its own and remembers what it was
//! asked.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use tungstenite::Message;
use tungstenite::WebSocket;

/// A listening socket with a script; the socket file goes when this does.
pub struct Fake {
    /// The socket.
    pub path: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static ASKED: std::cell::RefCell<Option<Arc<Mutex<Vec<String>>>>> =
        const { std::cell::RefCell::new(None) };
}

impl Fake {
    /// A socket path that no other test has.
    pub fn path() -> PathBuf {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        std::env::temp_dir().join(format!("cp-cli-{}-{number}.sock", std::process::id()))
    }

    /// Runs `script` for each connection, one after the other.
    pub fn serve(script: impl FnMut(&mut UnixStream) + Send + 'static) -> Fake {
        let script = Mutex::new(script);
        Fake::serve_many(move |stream| (script.lock().unwrap())(stream))
    }

    /// Runs `script` for all connections at once.
    pub fn serve_many(script: impl Fn(&mut UnixStream) + Send + Sync + 'static) -> Fake {
        Fake::serve_at(Fake::path(), script)
    }

    /// The same at a path of the caller's.
    pub fn serve_at(
        path: PathBuf,
        script: impl Fn(&mut UnixStream) + Send + Sync + 'static,
    ) -> Fake {
        let _ = std::fs::remove_file(&path);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (theirs, script) = (Arc::clone(&asked), Arc::new(script));
        let accept = move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let (theirs, script) = (Arc::clone(&theirs), Arc::clone(&script));
                let one = move || {
                    ASKED.with(|slot| *slot.borrow_mut() = Some(theirs));
                    script(&mut stream);
                };
                crate::base::thread::spawn("t-fake-one", one).unwrap();
            }
        };
        crate::base::thread::spawn("t-fake", accept).unwrap();
        Fake { path, asked }
    }

    /// Answers a request for the WebSocket, and goes on as one.
    pub fn upgrade(stream: &mut UnixStream, request: &str) -> WebSocket<UnixStream> {
        let key = request.split_once("Sec-WebSocket-Key: ").unwrap().1.lines().next().unwrap();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        std::io::Write::write_all(stream, head.as_bytes()).unwrap();
        let role = tungstenite::protocol::Role::Server;
        WebSocket::from_raw_socket(stream.try_clone().unwrap(), role, None)
    }

    /// Answers every request with what `answer` makes of its line and body.
    pub fn api(mut answer: impl FnMut(&str, &str) -> (u16, String) + Send + 'static) -> Fake {
        Fake::serve(move |stream| {
            let request = Fake::read_request(stream);
            let line = request.lines().next().unwrap_or("").to_string();
            let line = line.trim_end_matches(" HTTP/1.1");
            let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let (status, reply) = answer(line, body);
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", reply.len());
            let _ = std::io::Write::write_all(stream, (head + &reply).as_bytes());
        })
    }

    /// Reads one whole request and remembers it.
    pub fn read_request(stream: &mut UnixStream) -> String {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: "));
                if body.len() >= length.map_or(0, |l| l.parse().unwrap()) {
                    ASKED.with(|asked| {
                        let asked = asked.borrow();
                        asked.as_ref().unwrap().lock().unwrap().push(text.clone());
                    });
                    return text;
                }
            }
            match stream.read(&mut chunk) {
                Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
                _ => return text,
            }
        }
    }

    /// The last request.
    pub fn request(&self) -> String {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// First lines of all requests, without the protocol.
    pub fn lines(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let first = asked.iter().map(|r| r.lines().next().unwrap_or("").to_string());
        first.map(|line| line.trim_end_matches(" HTTP/1.1").to_string()).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Output as the server sends it; the log goes on at `next`.
pub fn output(next: u64, text: &str) -> Message {
    framed(1, next, text)
}

/// A repaint as the server sends it; the log goes on at `next`.
pub fn repaint(next: u64, text: &str) -> Message {
    framed(2, next, text)
}

fn framed(kind: u8, next: u64, text: &str) -> Message {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&next.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    Message::binary(bytes)
}

/// A command line as the parser reads it, with this daemon behind it.
pub fn invocation(fake: &Fake, line: &[&str]) -> crate::cli::Invocation<'static> {
    use crate::cli::command::Parsed;
    const OUTSIDE: &crate::cli::Outside<'static> = &crate::cli::Outside {
        api_table: "",
        serve: |_| 0,
        hook_forward: || 0,
        keeper: || 0,
        verify: |_, _| Ok(Default::default()),
        build: "b1",
        version: "0.0.1",
    };
    let words = line.iter().map(std::ffi::OsString::from).collect();
    let Ok(Parsed::Run(_, args)) = crate::cli::command::parse(crate::cli::TABLES, words) else {
        panic!("{line:?} does not parse");
    };
    let out = crate::cli::out::Out { json: args.has("--json"), color: false, terminal: false };
    let client = crate::cli::client::Client { path: fake.path.clone() };
    crate::cli::Invocation { args, client, out, outside: OUTSIDE }
}
