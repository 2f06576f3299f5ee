//! What handlers and well-behaved clients can rely on, over real sockets.

use crate::base::thread;
use crate::http::message::Reply;
use crate::http::space::GET;
use crate::http::space::PATIENCE;
use crate::http::space::WIDE;
use crate::http::space::is_closed;
use crate::http::space::reply;
use crate::http::space::space;
use crate::http::space::status;
use crate::http::stream::Stream;
use crate::limits;
use serde_json::json;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

#[test]
fn a_parked_request_is_answered_late_or_learns_of_a_hang_up() {
    let space = space(WIDE);
    let post = b"POST /park HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    let (mut stays, mut goes) = (space.connect(), space.connect());
    stays.write_all(post).unwrap();
    let (request, kept) = space.parked();
    assert_eq!(request.body[..], *b"hi");
    assert_eq!(request.peer.pid, std::process::id() as i32);
    goes.write_all(post).unwrap();
    let (_, lost) = space.parked();
    let (tell, told) = crossbeam_channel::bounded(1);
    lost.on_gone(move || tell.send(()).unwrap());
    assert!(!lost.is_gone());
    drop(goes);
    told.recv_timeout(PATIENCE).unwrap();
    assert!(lost.is_gone());
    lost.send(Reply::json(200, &json!({})));
    // A client that has only stopped sending still waits.
    stays.shutdown(Shutdown::Write).unwrap();
    space.others_are_served();
    assert!(!kept.is_gone());
    kept.send(Reply::json(200, &json!({})));
    assert_eq!(status(&mut stays), 200);
}

#[test]
fn a_panicking_handler_costs_one_500() {
    let space = space(WIDE);
    let mut stream = space.connect();
    for _ in 0..2 * limits::WORKERS {
        stream.write_all(b"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(status(&mut stream), 500);
    }
    stream.write_all(GET).unwrap();
    assert_eq!(status(&mut stream), 200, "on the same connection");
}

#[test]
fn an_upgraded_connection_leaves_with_what_was_sent_ahead() {
    let space = space(WIDE);
    let mut stream = space.connect();
    let head =
        b"GET /park HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(&[head, &b"ahead"[..]].concat()).unwrap();
    let (request, answer) = space.parked();
    assert!(request.upgrade);
    let (give, given) = crossbeam_channel::bounded(1);
    let take = Box::new(move |stream, leftover| give.send((stream, leftover)).unwrap());
    answer.upgrade(b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec(), take);
    assert!(reply(&mut stream).starts_with("HTTP/1.1 101 "));
    let (mut ours, leftover): (Stream, Vec<u8>) = given.recv_timeout(PATIENCE).unwrap();
    assert_eq!(leftover, b"ahead");
    assert_eq!(space.open(), 0);
    ours.write_all(b"theirs now").unwrap();
    let mut bytes = [0; 10];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"theirs now");
}

#[test]
fn shutdown_gives_replies_on_their_way_time_and_parked_ones_an_end() {
    let mut space = space(WIDE);
    let (mut idle, mut parked) = (space.connect(), space.connect());
    idle.write_all(GET).unwrap();
    assert_eq!(status(&mut idle), 200);
    parked.write_all(b"GET /park HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (_, answer) = space.parked();
    let server = space.server.take().unwrap();
    let (tell, told) = crossbeam_channel::bounded(1);
    let stopping = thread::spawn("t-stop", move || {
        server.shutdown(PATIENCE);
        tell.send(()).unwrap();
    });
    assert!(is_closed(&mut idle), "idle ones end at once");
    assert!(UnixStream::connect(&space.path).is_err(), "nobody new gets in");
    answer.send(Reply::json(200, &json!({})));
    assert_eq!(status(&mut parked), 200);
    told.recv_timeout(PATIENCE).unwrap();
    stopping.unwrap().join().unwrap();
}
