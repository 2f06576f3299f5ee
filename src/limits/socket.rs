//! The capacities and time-outs of the dashboard's WebSocket.

use std::time::Duration;

/// Sockets over the web; the rest of [`super::WS_OPEN`] is left to the command line.
pub const WEB_OPEN: usize = 48;
/// Sockets of one login: a browser with a tab for each session.
pub const LOGIN_OPEN: usize = 20;
/// Frames of one message. Browsers send one; each costs work that no limit of bytes sees.
pub const FRAGMENTS: u32 = 64;
/// Bytes that may wait for a peer while its socket is full: a picture and what was said beside it.
pub const WAITING: usize = super::gate::WS_REPLY + super::WS_WRITE_BUFFER;
/// Messages of one peer that are taken before its subscriptions have their turn.
pub const TURN: usize = 64;
/// A login that has ended without a word (its time is over) is found out within this.
pub const LOGIN_CHECK: Duration = Duration::from_secs(30);

/// The time over which messages are counted.
pub const WINDOW: Duration = Duration::from_secs(10);
/// `hello`, `subscribe`, `unsubscribe` and whatever is not understood, in one [`WINDOW`].
pub const CONTROLS: u32 = 120;
/// `pty_input`: 60 a second is more than a key that repeats.
pub const INPUTS: u32 = 600;
/// `pty_key` and `resize`: dragging a window's edge makes many.
pub const KEYS: u32 = 2000;
/// `pty_paste`: a paste of [`PASTE_BYTES`] in small pieces.
pub const PASTES: u32 = 600;
/// Pings and pongs.
pub const PINGS: u32 = 120;

/// Subscriptions of one socket; an overview of every session has three for each.
pub const TOPICS: usize = 200;
/// Characters of a topic; the longest has an id in it.
pub const TOPIC_CHARS: usize = 100;
/// Characters of a `requestId`.
pub const REQUEST_CHARS: usize = 128;
/// Characters of a key's name.
pub const KEY_CHARS: usize = 128;
/// Bytes of one paste.
pub const PASTE_BYTES: usize = 2 * 1024 * 1024;
/// Pieces of one paste.
pub const PASTE_PIECES: u64 = 512;
/// Pastes that one socket has begun and not finished.
pub const PASTES_OPEN: usize = 8;
/// A paste whose next piece takes longer is given up.
pub const PASTE_WAIT: Duration = Duration::from_secs(30);
/// Answers about input on their way to one socket. No more input is under way than the rates allow
/// in [`super::INPUT_WAIT`]; full, an answer is dropped, and counts for one that says no.
pub const ANSWERS: usize = 2048;

/// A viewer this far behind is shown the screen as it is: more than the scrollback of a browser's
/// terminal would take minutes to read and be gone anyway.
pub const LAG: u64 = 4 * 1024 * 1024;
/// Events read at once for one subscription.
pub const EVENTS: usize = 100;
/// Names of sessions that have changed which are remembered; whoever looks less often reads all.
pub const NEWS: usize = 1024;
