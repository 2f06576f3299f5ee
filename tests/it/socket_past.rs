//! The promise: whoever scrolls back in a terminal gets the screen as it was there, and every byte
//! from there on, in the sizes that it was written for.

use crate::support::daemon::Daemon;
use crate::support::socket::GAP;
use crate::support::socket::OUTPUT;
use crate::support::socket::RESIZE;
use crate::support::socket::SNAPSHOT;
use crate::support::socket::Socket;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::json;

/// What a viewer of the past is shown.
struct Shown {
    /// Offset and bytes of the first picture.
    snapshot: (u64, Vec<u8>),
    /// The output behind it, up to `end`.
    output: Vec<u8>,
    /// Sizes, each with how much of the output came before it.
    sizes: Vec<(usize, [u8; 4])>,
}

/// All that comes from near `at` on, up to the offset `end`.
fn near(socket: &mut Socket, id: &str, at: u64, end: u64) -> Shown {
    let topic = format!("session:{id}:pty");
    let number = socket.subscribe_with(json!({"topic": topic, "from": {"near": at}}));
    let (mut output, mut sizes) = (Vec::new(), Vec::new());
    let first = socket.frame();
    assert_eq!((first.id, first.kind), (number, RESIZE));
    sizes.push((0, first.body.try_into().expect("four bytes")));
    let snapshot = socket.frame();
    assert_eq!((snapshot.id, snapshot.kind), (number, SNAPSHOT));
    let mut reached = snapshot.offset;
    while reached < end {
        let frame = socket.frame();
        match frame.kind {
            OUTPUT => output.extend(frame.body),
            RESIZE => sizes.push((output.len(), frame.body.try_into().expect("four bytes"))),
            kind => panic!("a frame of kind {kind}"),
        }
        reached = frame.offset;
    }
    Shown { snapshot: (snapshot.offset, snapshot.body), output, sizes }
}

fn lines(output: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(output).expect("plain text");
    text.lines().filter(|line| !line.is_empty()).collect()
}

#[test]
fn whoever_scrolls_back_to_the_beginning_gets_every_line() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let count = 50_000;
    let id = daemon.start_session(&["sh", "-c", &format!("seq {count}; echo end; exec cat")]);
    daemon.wait_screen(&id, "end");
    let log = daemon.log(&id);
    let shown = near(&mut Socket::hello(&space), &id, 0, log.len() as u64);
    assert_eq!(shown.snapshot.0, 0);
    assert_eq!(shown.output, log);
    let lines = lines(&shown.output);
    assert_eq!(lines.len(), count + 1);
    assert!(lines.iter().zip(1..=count).all(|(line, n)| *line == n.to_string()));
}

#[test]
fn the_middle_of_much_output_is_shown_from_the_screen_that_was_there() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let script = "yes 'a line that is some seventy bytes long, as many are in build logs' \
        | head -n 50000 | nl -w 8; echo end; exec cat";
    let id = daemon.start_session(&["sh", "-c", script]);
    daemon.wait_screen(&id, "end");
    let log = daemon.log(&id);
    let (end, middle) = (log.len() as u64, log.len() as u64 / 2);
    let check = |socket: &mut Socket| {
        let shown = near(socket, &id, middle, end);
        let (at, picture) = &shown.snapshot;
        assert!(*at <= middle && middle - at < 1_300_000, "{at} of {middle}");
        assert!(*at > 0);
        assert_eq!(shown.output, log[*at as usize..]);
        // The newest whole line before that place is on the picture.
        let before = lines(&log[..*at as usize]);
        let (number, _) = before[before.len() - 2].trim().split_once('\t').expect("a number");
        assert!(String::from_utf8_lossy(picture).contains(number), "{number}");
    };
    check(&mut Socket::hello(&space));
    // The same of one that has ended.
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    wait_until("the end", SOON, || daemon.session(&id)["endedAt"].is_string());
    check(&mut Socket::hello(&space));
}

#[test]
fn output_of_the_past_comes_in_the_sizes_that_it_was_written_for() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "stty -echo; echo ready; exec cat"]);
    daemon.wait_screen(&id, "ready");
    let step = |word: &str, cols: u16, rows: u16| {
        let size = json!({"cols": cols, "rows": rows});
        daemon.post(&format!("/sessions/{id}/resize"), &size);
        wait_until("the size", SOON, || daemon.session(&id)["ptyCols"] == cols);
        daemon.post(&format!("/sessions/{id}/send"), &json!({"text": word, "newline": true}));
        daemon.wait_screen(&id, word);
    };
    step("second", 90, 25);
    step("third", 70, 20);
    let log = daemon.log(&id);
    let place = |word: &str| {
        log.windows(word.len()).position(|part| part == word.as_bytes()).expect("the word")
    };
    let shown = near(&mut Socket::hello(&space), &id, 0, log.len() as u64);
    assert_eq!(shown.output, log);
    let sizes: Vec<[u8; 4]> = shown.sizes.iter().map(|(_, size)| *size).collect();
    assert_eq!(sizes, [[120, 0, 30, 0], [90, 0, 25, 0], [70, 0, 20, 0]]);
    assert!((place("ready") + 5..=place("second")).contains(&shown.sizes[1].0));
    assert!((place("second") + 6..=place("third")).contains(&shown.sizes[2].0));
    // What is not there yet is near the newest screen that is known: here, the first.
    let shown = near(&mut Socket::hello(&space), &id, u64::MAX, log.len() as u64);
    assert_eq!(shown.sizes[0].1, [120, 0, 30, 0]);
}

#[test]
fn what_comes_while_the_past_is_shown_follows_it() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "stty -echo; seq 1000; exec cat"]);
    daemon.wait_screen(&id, "1000");
    let mut socket = Socket::hello(&space);
    let log = daemon.log(&id);
    assert_eq!(near(&mut socket, &id, 0, log.len() as u64).output, log);
    socket.say(json!({"op": "pty_input", "sessionId": id, "data": "and now\r"}));
    let shown = socket.wait_text("and now");
    assert!(!shown.contains("1000"), "{shown}");
    // A place before the oldest output is where that begins, and no gap.
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    let much = "head -c 72000000 /dev/zero | tr '\\0' x; echo; echo done; exec cat";
    let id = daemon.start_session(&["sh", "-c", much]);
    let mut oldest = 0;
    wait_until("the oldest output to go", SOON * 3, || {
        let page = daemon.request("GET", &format!("/sessions/{id}/log?from=0"), None);
        oldest = page.header("X-CodePiper-From").and_then(|at| at.parse().ok()).unwrap_or(0);
        oldest > 0
    });
    daemon.wait_screen(&id, "done");
    let mut socket = Socket::hello(&space);
    socket.subscribe_with(json!({"topic": format!("session:{id}:pty"), "from": {"near": 0}}));
    let kinds: Vec<(u8, u64)> =
        (0..3).map(|_| socket.frame()).map(|f| (f.kind, f.offset)).collect();
    assert!(kinds.iter().all(|(kind, _)| *kind != GAP), "{kinds:?}");
    assert!(kinds[1].0 == SNAPSHOT && kinds[1].1 >= oldest, "{kinds:?}");
}
