//! Hostile and broken clients on real sockets: each gets its status or its end, and meanwhile
//! another client's request is answered.

use crate::http::connections::Caps;
use crate::http::doors::Listen;
use crate::http::front;
use crate::http::lanes;
use crate::http::message::Door;
use crate::http::message::Reply;
use crate::http::space::GET;
use crate::http::space::PATIENCE;
use crate::http::space::WIDE;
use crate::http::space::is_closed;
use crate::http::space::reply;
use crate::http::space::space;
use crate::http::space::status;
use crate::http::stream::Listener;
use crate::limits;
use crate::sys::sock;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

#[test]
fn broken_requests_get_their_status_and_the_end() {
    let space = space(WIDE);
    let post = "POST /a HTTP/1.1\r\nHost: x\r\n";
    let cases = [
        (413, format!("{post}Content-Length: 100000000000\r\n\r\n")),
        (413, format!("{post}Content-Length: 18446744073709551615\r\n\r\n")),
        (400, format!("{post}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello")),
        (400, format!("{post}Content-Length: +5\r\n\r\nhello")),
        (400, format!("{post}Content-Length: 5,5\r\n\r\nhello")),
        (501, format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        (505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n".to_string()),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nX: a\nSet-Cookie: evil\r\n\r\n".to_string()),
        (400, "GET / HTTP/1.1\r\n\r\n".to_string()),
        (400, "GET /%2e%2e/x HTTP/1.1\r\nHost: x\r\n\r\n".to_string()),
        (400, "\u{1}\u{2}junk".to_string()),
    ];
    for (want, text) in cases {
        let mut stream = space.connect();
        stream.write_all(text.as_bytes()).unwrap();
        stream.write_all(GET).unwrap();
        let reply = reply(&mut stream);
        assert!(reply.starts_with(&format!("HTTP/1.1 {want} ")), "{text:?}: {reply}");
        assert!(reply.contains("Connection: close") && reply.contains("\"code\":\"invalid\""));
        assert!(is_closed(&mut stream), "{text:?}");
    }
    assert_eq!(space.handled(), 0, "none came through");
    space.others_are_served();
}

#[test]
fn a_header_line_of_any_length_is_cut_at_the_limit() {
    let space = space(WIDE);
    let mut stream = space.connect();
    let start = b"GET / HTTP/1.1\r\nHost: x\r\nX: ";
    stream.write_all(start).unwrap();
    let chunk = vec![b'y'; 64 * 1024];
    let mut sent = 0;
    while sent < 200_000_000 && stream.write_all(&chunk).is_ok() {
        sent += chunk.len();
    }
    assert!(sent < 4_000_000, "{sent} bytes were taken");
    assert_eq!(status(&mut stream), 431);
    space.others_are_served();
}

#[test]
fn clients_that_vanish_behind_their_request_leave_nothing() {
    let space = space(WIDE);
    for _ in 0..500 {
        let mut stream = space.connect();
        stream.write_all(GET).unwrap();
    }
    space.others_are_served();
    space.settles_at(0);
}

#[test]
fn those_that_never_read_hold_nobody_up() {
    let space = space(WIDE);
    let mut greedy: Vec<UnixStream> = (0..8).map(|_| space.connect()).collect();
    greedy.iter_mut().for_each(|s| s.write_all(GET_LARGE).unwrap());
    let statuses: Vec<u16> = greedy.iter_mut().map(status_line).collect();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert!((1..8).contains(&refused), "replies held stay below the limit: {statuses:?}");
    space.others_are_served();
    // Requests sent ahead without reading fill the client's own socket and nothing else.
    let mut pipeline = space.connect();
    pipeline.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let many = GET.repeat(2000);
    let mut sent = 0;
    while sent < 64_000_000 {
        match pipeline.write(&many) {
            Ok(count) => sent += count,
            Err(_) => break,
        }
    }
    assert!(sent < 4_000_000, "{sent} bytes were taken");
    space.others_are_served();
}

const GET_LARGE: &[u8] = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n";

fn status_line(stream: &mut UnixStream) -> u16 {
    let mut bytes = [0; 12];
    stream.read_exact(&mut bytes).unwrap();
    std::str::from_utf8(&bytes[9..]).unwrap().parse().unwrap()
}

#[test]
fn a_flood_of_silent_peers_cannot_shut_out_a_newcomer() {
    let space = space(WIDE);
    let mut first = space.connect();
    first.write_all(b"POST /park HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (_, answer) = space.parked();
    let mut silent = Vec::new();
    for number in 0..2000 {
        let mut stream = space.connect();
        if number % 3 == 0 {
            // Half a request counts as none. The eviction may already have come.
            let _ = stream.write_all(&GET[..20]);
        }
        silent.push(stream);
        if number % 500 == 0 {
            space.others_are_served();
        }
    }
    space.others_are_served();
    assert!(space.open() <= limits::CONNECTIONS);
    answer.send(Reply::json(200, &json!({})));
    assert_eq!(status(&mut first), 200, "one at work is never evicted");
    assert!(is_closed(&mut silent[0]), "the oldest went first");
}

#[test]
fn one_process_has_its_share_and_no_more() {
    let space = space(Caps { all: 8, web: 4, per_peer: 4 });
    let mut streams: Vec<UnixStream> = (0..4).map(|_| space.connect()).collect();
    let mut at_work = Vec::new();
    for stream in &mut streams[1..] {
        stream.write_all(b"GET /park HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        at_work.push(space.parked().1);
    }
    let mut newer = space.connect();
    newer.write_all(b"GET /park HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    at_work.push(space.parked().1);
    assert!(is_closed(&mut streams[0]), "its own idle one goes for it");
    let mut refused = space.connect();
    assert_eq!(status(&mut refused), 503);
    assert!(is_closed(&mut refused));
    at_work.into_iter().for_each(|answer| answer.send(Reply::json(200, &json!({}))));
    for stream in streams[1..].iter_mut().chain([&mut newer]) {
        assert_eq!(status(stream), 200, "those that are at work stay in");
    }
}

#[test]
fn slow_heads_are_told_and_silent_connections_just_end() {
    let space = space(WIDE);
    let (mut slow, mut silent) = (space.connect(), space.connect());
    slow.write_all(&GET[..20]).unwrap();
    assert_eq!(status(&mut slow), 408);
    assert!(is_closed(&mut slow) && is_closed(&mut silent));
    space.others_are_served();
}

#[test]
fn half_sent_bodies_are_held_up_to_the_limit_and_small_ones_get_through() {
    let space = space(WIDE);
    let length = limits::BODY_BYTES;
    let head = format!("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    let part = vec![b'x'; length - 1];
    let fit = limits::FRONT_BYTES / length;
    let mut streams = Vec::new();
    let mut refused = 0;
    for _ in 0..fit + 3 {
        let mut stream = space.connect();
        stream.write_all(head.as_bytes()).unwrap();
        // The one that is refused may find the connection closed under its hands.
        if stream.write_all(&part).is_err() || streams.len() >= fit {
            assert_eq!(status(&mut stream), 503);
            refused += 1;
        }
        streams.push(stream);
    }
    assert_eq!(refused, 3);
    let mut small = space.connect();
    small.write_all(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    assert_eq!(status(&mut small), 200);
    streams[0].write_all(b"x").unwrap();
    assert_eq!(status(&mut streams[0]), 200, "those that fit are served");
}

/// Runs itself again under a small limit, which a process can only set for all of its threads.
#[test]
fn running_out_of_descriptors_never_ends_accepting() {
    if std::env::var_os("CODEPIPER_TEST_DESCRIPTORS").is_some() {
        return without_descriptors();
    }
    let name = "http::attacks::running_out_of_descriptors_never_ends_accepting";
    let run = "ulimit -n 64 && exec \"$0\" --exact \"$1\" --nocapture";
    let mut again = Command::new("sh");
    again.args(["-c", run]).arg(std::env::current_exe().unwrap()).arg(name);
    let output = again.env("CODEPIPER_TEST_DESCRIPTORS", "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
}

fn without_descriptors() {
    let space = space(WIDE);
    let mut files = Vec::new();
    fill(&mut files);
    assert!(is_closed(&mut space.connect()), "nobody can make room: the newcomer is dropped");
    assert!(is_closed(&mut space.connect()), "and the next one too");
    files.clear();
    space.others_are_served();
    let mut silent = space.connect();
    silent.write_all(&GET[..5]).unwrap();
    space.others_are_served();
    space.settles_at(1);
    fill(&mut files);
    space.others_are_served();
    assert!(is_closed(&mut silent), "the silent one made room for it");
}

/// Takes every descriptor but one, which is for the client's own side.
fn fill(files: &mut Vec<File>) {
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    files.pop();
}

#[test]
fn requests_beyond_the_queue_are_told_to_come_back() {
    let path = std::env::temp_dir().join(format!("cp-http-queue-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listens =
        vec![Listen { listener: Listener::Unix(sock::listen(&path).unwrap()), door: Door::Hook }];
    let (jobs, work) = lanes::lanes_of(1, 1);
    let front = front::start(listens, jobs).unwrap();
    let connect = || {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(GET).unwrap();
        stream
    };
    let (mut first, mut second, mut third) = (connect(), connect(), connect());
    assert_eq!(status(&mut third), 503);
    for served in [&mut first, &mut second] {
        work.next().unwrap().answer.send(Reply::json(200, &json!({})));
        assert_eq!(status(served), 200);
    }
    front.shutdown(Duration::ZERO);
    std::fs::remove_file(&path).unwrap();
}
