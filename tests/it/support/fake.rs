//! A listener in the place of the daemon's hook socket, that does with each request what a test
//! says.

use crate::support::wait::SOON;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::channel;
use std::thread;

/// See the file's head; it ends when dropped.
pub struct Fake {
    /// Its socket.
    pub path: PathBuf,
    asked: Receiver<()>,
    stop: Arc<AtomicBool>,
    accepts: Option<thread::JoinHandle<()>>,
}

impl Fake {
    /// Listens at `path`. Each request is read whole; then `act` has the connection.
    pub fn start(path: PathBuf, act: impl Fn(&mut UnixStream) + Send + Sync + 'static) -> Fake {
        let listener = UnixListener::bind(&path).expect("a socket of the test's own");
        let (told, asked) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, act) = (Arc::clone(&stop), Arc::new(act));
        let accepts = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (mut stream, told, act) = (stream.expect("a peer"), told.clone(), act.clone());
                thread::spawn(move || {
                    read_request(&mut stream);
                    let _ = told.send(());
                    act(&mut stream);
                });
            }
        });
        Fake { path, asked, stop, accepts: Some(accepts) }
    }

    /// Answers every request with these bytes and closes.
    pub fn saying(path: PathBuf, bytes: Vec<u8>) -> Fake {
        Fake::start(path, move |stream| drop(stream.write_all(&bytes)))
    }

    /// Answers nothing; the connection stays until the client goes.
    pub fn silent(path: PathBuf) -> Fake {
        Fake::start(path, hold)
    }

    /// Returns when a request has come that was not waited for yet.
    #[track_caller]
    pub fn wait_asked(&self) {
        self.asked.recv_timeout(SOON).expect("a request");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _wakes_accept = UnixStream::connect(&self.path);
        let _ = self.accepts.take().map(thread::JoinHandle::join);
        let _ = std::fs::remove_file(Path::new(&self.path));
    }
}

/// Until the client goes.
pub fn hold(stream: &mut UnixStream) {
    while stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
}

/// A whole reply of the daemon's.
pub fn reply(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn read_request(stream: &mut UnixStream) {
    let (mut got, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
    let mut whole = usize::MAX;
    while got.len() < whole {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => got.extend_from_slice(&chunk[..count]),
        }
        let head = got.windows(4).position(|w| w == b"\r\n\r\n").filter(|_| whole == usize::MAX);
        if let Some(end) = head {
            let text = String::from_utf8_lossy(&got[..end]).into_owned();
            let length = text.split("Content-Length: ").nth(1).and_then(|t| t.lines().next());
            whole = end + 4 + length.and_then(|l| l.parse::<usize>().ok()).expect("a length");
        }
    }
}
