//! A session's output as it comes, every byte once, across restarts of the daemon.
//!
//! The bytes are those of the log. The WebSocket only says that there are more: what it carries is
//! meant for terminals and lacks the queries.

use crate::base::error::{Code, Error, Result};
use crate::cli::client::Client;
use crate::cli::link::Link;
use crate::cli::log::Log;
use crate::cli::message::Attach;
use crate::cli::message::From;
use crate::cli::message::Heard;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use std::time::Duration;

/// Hands `take` the output of session `id` from offset `from` on, until the session ends or nobody
/// reads standard output any more.
pub fn follow(
    client: &Client,
    id: &str,
    from: u64,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let log = Log::new(client, id);
    let mut at = from;
    let mut pause = Duration::ZERO;
    loop {
        let end = match visit(client, id, &log, &mut at, &mut take, &mut pause) {
            Ok(end) => end,
            Err(error) if matches!(error.code, Code::Unreachable | Code::Busy) => {
                if nobody_reads(None, Some(pause))? {
                    return Ok(());
                }
                pause = (pause * 2).clamp(limits::gate::RECONNECT, limits::gate::RECONNECT_MAX);
                continue;
            }
            Err(error) => return Err(error),
        };
        if end {
            return Ok(());
        }
    }
}

/// One connection; true when there is nothing more to come.
fn visit(
    client: &Client,
    id: &str,
    log: &Log<'_>,
    at: &mut u64,
    take: &mut impl FnMut(&[u8]) -> Result<()>,
    pause: &mut Duration,
) -> Result<bool> {
    let attach = Attach { id: id.to_string(), from: From::End, size: None, readonly: true };
    let mut link = Link::open(client, attach.message())?;
    loop {
        let (mut more, mut ended) = (false, false);
        while !ended && let Some(heard) = link.hear()? {
            match heard {
                Heard::Attached { .. } => {
                    *pause = Duration::ZERO;
                    more = true;
                }
                Heard::Output { .. } | Heard::Repaint { .. } => more = true,
                Heard::Ended(_) => ended = true,
                Heard::Failed(error) => return Err(error),
                Heard::State(_) | Heard::Resized(_) | Heard::Other => {}
            }
        }
        if more || ended {
            // Remembered piece by piece: a daemon killed in the middle is asked for the rest only.
            log.read(*at, u64::MAX, |offset, bytes| {
                take(bytes)?;
                *at = offset + bytes.len() as u64;
                Ok(())
            })?;
        }
        if ended || nobody_reads(Some(&link), None)? {
            return Ok(true);
        }
        if link.wants_write() {
            link.flush()?;
        }
    }
}

/// Waits for the link (or the time) and looks whether the reader of our output has gone: a program
/// that prints nothing would never let us notice.
fn nobody_reads(link: Option<&Link>, time: Option<Duration>) -> Result<bool> {
    let stdout = std::io::stdout();
    let mut watches = vec![Watch::new(&stdout, false, false)];
    if let Some(link) = link {
        watches.push(Watch::new(link.stream(), true, link.wants_write()));
    }
    poll::wait(&mut watches, time).map_err(|e| Error::internal(e.chain()))?;
    Ok(watches[0].hung_up())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::output;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;
    use tungstenite::Message;

    #[test]
    fn every_byte_comes_once_over_lost_connections_and_filtered_output() {
        const LOG: &[u8] = b"0123456789\x1b[6nabcdefXYZ";
        let (visits, kept) = (AtomicU32::new(0), Arc::new(AtomicUsize::new(4)));
        let fake = Fake::serve_many(move |stream| {
            let request = Fake::read_request(stream);
            if request.contains("/log?") {
                let kept = &LOG[..kept.load(Ordering::SeqCst)];
                return crate::cli::log::tests::answer(stream, &request, 0, kept);
            }
            let mut socket = Fake::upgrade(stream, &request);
            let asked = socket.read().unwrap().to_text().unwrap().to_string();
            assert!(asked.contains("\"readonly\":true"), "{asked}");
            if visits.fetch_add(1, Ordering::SeqCst) == 0 {
                kept.store(8, Ordering::SeqCst);
                socket.send(output(8, "4567")).unwrap();
                return; // as killed
            }
            kept.store(17, Ordering::SeqCst);
            socket.send(Message::text(r#"{"op":"attached","offset":14}"#)).unwrap();
            socket.send(output(17, "abc")).unwrap();
            kept.store(LOG.len(), Ordering::SeqCst);
            socket.send(Message::text(r#"{"op":"ended","session":{}}"#)).unwrap();
            let _ = socket.read();
        });
        let client = Client { path: fake.path.clone() };
        let mut got = Vec::new();
        let take = |bytes: &[u8]| {
            got.extend_from_slice(bytes);
            Ok(())
        };
        follow(&client, "x", 2, take).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&LOG[2..]));
    }

    #[test]
    fn a_refusal_ends_it() {
        let fake = Fake::serve_many(|stream| {
            let request = Fake::read_request(stream);
            let mut socket = Fake::upgrade(stream, &request);
            let refusal = r#"{"op":"error","error":"no","code":"denied"}"#;
            socket.send(Message::text(refusal)).unwrap();
            let _ = socket.read();
        });
        let client = Client { path: fake.path.clone() };
        assert_eq!(follow(&client, "x", 0, |_| Ok(())).unwrap_err().code, Code::Denied);
    }
}
