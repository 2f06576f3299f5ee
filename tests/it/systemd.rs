//! Promise: under systemd the daemon says when it is ready, and its sessions are none of its unit.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use std::os::unix::net::UnixDatagram;

/// Stands in for systemd-run: writes down what it was asked, then does what `--scope` does.
const SYSTEMD_RUN: &str = r#"#!/bin/sh
printf '%s\n' "$@" >> "$(dirname "$0")/asked"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"#;

/// A systemd that refuses, as one without a user session does.
const REFUSING: &str = "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n";

fn under_systemd(systemd_run: &str) -> (Space, UnixDatagram) {
    let mut space = Space::new();
    space.write_program("fake/systemd-run", systemd_run);
    let ear = space.root.join("notify");
    let socket = UnixDatagram::bind(&ear).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let path = format!("{}:/usr/bin:/bin", path_text(&space.root.join("fake")));
    space.env.insert("PATH".to_string(), path);
    space.env.insert("NOTIFY_SOCKET".to_string(), path_text(&ear));
    (space, socket)
}

fn heard(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 100];
    let count = socket.recv(&mut buffer).expect("a word to systemd");
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[test]
fn systemd_hears_when_the_daemon_is_ready_and_when_it_stops() {
    let (space, socket) = under_systemd(SYSTEMD_RUN);
    let mut daemon = Daemon::start(&space);
    assert_eq!(heard(&socket), "READY=1");
    assert!(daemon.stop().success());
    assert_eq!(heard(&socket), "STOPPING=1");
}

#[test]
fn keepers_get_a_scope_of_their_own() {
    let (space, _socket) = under_systemd(SYSTEMD_RUN);
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let asked = std::fs::read_to_string(space.root.join("fake/asked")).unwrap();
    assert!(asked.contains("--scope"), "{asked}");
    assert!(asked.contains(&format!("--unit=codepiper-keeper-{id}-1")), "{asked}");
    assert_eq!(daemon.session(&id)["status"], "RUNNING");
    // A failed start is the program's fault, not systemd's: it is not tried a second time.
    let body = serde_json::json!({"provider": "command", "cwd": path_text(&space.project),
        "args": [path_text(&space.write("no-program", ""))]});
    let reply = daemon.request("POST", "/sessions", Some(&body));
    assert_eq!(reply.status, 422, "{}", reply.text());
}

#[test]
fn a_systemd_that_refuses_does_not_stop_sessions() {
    let (space, _socket) = under_systemd(REFUSING);
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    assert_eq!(daemon.session(&id)["status"], "RUNNING");
    let log = std::fs::read_to_string(space.root.join("daemon.out")).unwrap();
    assert!(log.contains("no systemd scope"), "{log}");
}
