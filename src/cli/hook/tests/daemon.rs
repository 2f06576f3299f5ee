//! A daemon for tests: does with each request what it was told to do.

use crate::base::thread;
use crate::sys::poll;
use crate::sys::poll::Waker;
use crate::sys::sock;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

/// What the daemon does with one request. The last of a list is done over and over.
pub enum Act {
    /// Sends this, byte for byte, and closes.
    Say(String),
    /// Holds the connection until the client goes.
    Hang,
    /// The same, after ringing.
    Ring(Arc<Waker>),
    /// The same, after raising a flag.
    Raise(Arc<AtomicBool>),
}

/// A daemon at `path` that keeps what it was asked; it ends when dropped.
pub struct Daemon {
    pub path: PathBuf,
    stop: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<Option<()>>>,
}

impl Daemon {
    pub fn start(path: PathBuf, acts: Vec<Act>) -> Daemon {
        let listener = sock::listen(&path).unwrap();
        poll::set_nonblocking(&listener, false).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (stopped, seen) = (Arc::clone(&stop), Arc::clone(&requests));
        let serve = move || {
            for at in 0.. {
                let (mut stream, _) = listener.accept().unwrap();
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let request = read_request(&mut stream);
                seen.lock().unwrap().push(request);
                act(&acts[at.min(acts.len() - 1)], stream);
            }
        };
        let thread = Some(thread::spawn("t-daemon", serve).unwrap());
        Daemon { path, stop, requests, thread }
    }

    pub fn saying(text: impl Into<String>) -> Daemon {
        Daemon::start(free_path(), vec![Act::Say(text.into())])
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _wakes_accept = UnixStream::connect(&self.path);
        let _ = self.thread.take().map(JoinHandle::join);
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The request, or as much of it as the client cared to send.
fn read_request(stream: &mut UnixStream) -> String {
    let (mut got, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        let length = text.split("Content-Length: ").nth(1).and_then(|t| t.split("\r\n").next());
        let length: usize = length.and_then(|l| l.parse().ok()).unwrap_or(usize::MAX);
        if text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length) {
            return text;
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return text,
            Ok(count) => got.extend_from_slice(&chunk[..count]),
        }
    }
}

fn act(act: &Act, mut stream: UnixStream) {
    match act {
        Act::Say(text) => return drop(stream.write_all(text.as_bytes())),
        Act::Hang => {}
        Act::Ring(waker) => waker.wake(),
        Act::Raise(flag) => flag.store(true, Ordering::SeqCst),
    }
    // Until the client goes away.
    while stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
}

/// A path of its own for each test's socket.
pub fn free_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let path = std::env::temp_dir().join(format!("cp-fwd-{}-{number}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}
