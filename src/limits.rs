//! Every capacity and time-out of the program, each with its reason.

pub mod gate;
pub mod login;
pub mod notices;
pub mod socket;

use std::time::Duration;

// Sessions.

/// Live sessions at once. Each costs a keeper process and a thread; a runaway script stops here.
pub const SESSIONS_LIVE: usize = 64;
/// The most that the setting may say: each session has a thread and a few descriptors.
pub const SESSIONS_MOST: usize = 512;
/// Terminal size limits: `vt100` keeps every cell, and 1000 × 1000 cells is already 32 MB.
pub const COLS_MAX: u16 = 1000;
/// See [`COLS_MAX`].
pub const ROWS_MAX: u16 = 500;
/// Size of a session's terminal until a viewer brings its own.
pub const DEFAULT_COLS: u16 = 120;
/// See [`DEFAULT_COLS`].
pub const DEFAULT_ROWS: u16 = 30;
/// Characters of a session's display name.
pub const NAME_CHARS: usize = 80;
/// Bytes of a working directory path (PATH_MAX).
pub const CWD_BYTES: usize = 4096;
/// Threads that look at directories for a person who types one; a file system that does not answer
/// keeps its own.
pub const LOOKS: usize = 4;
/// Such a look takes microseconds, on a network some milliseconds; nobody waits longer for a list.
pub const LOOK_WAIT: Duration = Duration::from_millis(1500);
/// Names of one directory that are read, and directories that are listed: a screenful.
pub const LOOK_ENTRIES: usize = 20_000;
/// See [`LOOK_ENTRIES`].
pub const LOOK_SHOWN: usize = 50;
/// Arguments of a session's program, and bytes of one.
pub const ARGS: usize = 100;
/// See [`ARGS`].
pub const ARG_BYTES: usize = 10 * 1024;
/// Variables given with a start request, and bytes of one value.
pub const ENV_VARS: usize = 1000;
/// See [`ENV_VARS`].
pub const ENV_VALUE_BYTES: usize = 64 * 1024;
/// Bytes of a variable's name.
pub const ENV_NAME_BYTES: usize = 256;
/// Characters of an env set's name.
pub const ENV_SET_NAME_CHARS: usize = 100;
/// Bytes of all names and values of an env set: exec takes some 2 MiB in all.
pub const ENV_SET_BYTES: usize = 1024 * 1024;
/// Env sets at once; a person has a handful.
pub const ENV_SETS: usize = 200;
/// Values that are sealed anew in one write, when the master key is changed.
pub const RESEAL_BATCH: usize = 16;
/// Bytes of the shortest value that is masked: shorter ones are words that turn up by chance.
pub const MASKED_BYTES: usize = 8;
/// Characters of text in one `send`.
pub const SEND_CHARS: usize = 1024 * 1024;
/// Keys in one `keys` request.
pub const KEYS: usize = 100;

/// A program that lives this long counts as started; one that fails earlier is a failed start and
/// its own output is the error message. Wrong options and missing logins show within it.
pub const START_SETTLE: Duration = Duration::from_millis(100);
/// The same for an agent, which reads its settings and looks at its home first: one that cannot
/// start says so within half a second. One that is up says so itself, mostly sooner.
pub const AGENT_SETTLE: Duration = Duration::from_secs(1);
/// An agent's hooks report within a second of its start, on a loaded machine within several. After
/// this a person should look what keeps it.
pub const AGENT_HELLO: Duration = Duration::from_secs(15);
/// A request for a session that is just being adopted waits this long.
pub const ADOPT_WAIT: Duration = Duration::from_secs(2);
/// From spawning a keeper to its hello; a loaded machine needs a second or two.
pub const KEEPER_READY: Duration = Duration::from_secs(10);
/// `stop` asks nicely (SIGHUP, SIGTERM) for this long before it kills.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
/// Between two looks whether a keeper that has nothing more to do is gone.
pub const KEEPER_GONE: Duration = Duration::from_millis(2);
/// After SIGKILL a process is gone within this, or it hangs in the kernel.
pub const KILL_GRACE: Duration = Duration::from_secs(5);
/// A tree of processes stands still within this, or does not: milliseconds on a quiet machine.
pub const FREEZE_WAIT: Duration = Duration::from_secs(3);
/// So many walks stop parents before their children; a tree that is deeper by then is stopped as it
/// comes.
pub const FREEZE_ROUNDS: u32 = 8;
/// Between two looks whether a process that was told to stop has.
pub const FREEZE_LOOK: Duration = Duration::from_millis(1);
/// A client waits for the session's thread so long: it may be reading a backlog.
pub const FREEZE_ANSWER: Duration = Duration::from_secs(10);
/// Dangerous mode, where nobody says how long.
pub const DANGEROUS_FOR: Duration = Duration::from_secs(30 * 60);
/// Dangerous mode at most: a person says it anew each day.
pub const DANGEROUS_MOST: Duration = Duration::from_secs(24 * 3600);
/// How long `send` waits for a program that does not read its terminal.
pub const INPUT_WAIT: Duration = Duration::from_secs(10);
/// How long a person's keystrokes wait for room in their session's queue, which its thread empties
/// in each of its turns.
pub const INPUT_TAKEN: Duration = Duration::from_secs(1);
/// Pause between a pasted text and its Enter: agents take `text CR` in one read as one paste.
pub const PASTE_TO_ENTER: Duration = Duration::from_millis(150);
/// Input of programs that one session holds until its agent takes it. Full: `Busy`.
pub const HELD: usize = 64;
/// From the start of an agent until it takes prompts: a cold start of 400 MB, or a dialog that
/// nobody answers.
pub const AGENT_UP: Duration = Duration::from_secs(60);
/// An agent rests when it has said so for this long: some flap while they start, and a prompt that
/// was typed while one worked begins its turn right behind the last.
pub const REST_SETTLES: Duration = Duration::from_millis(300);
/// From an agent's word that it needs a person until its turn, too, is known to be over: two ways,
/// a hook and the terminal, in any order.
pub const STUCK_SETTLES: Duration = Duration::from_secs(2);
/// From an answer until the agent's terminal says so too: its next frame, but for the load.
pub const REDRAWN: Duration = Duration::from_secs(1);
/// From a prompt's Enter until its agent says that it works: at once, but for the machine's load.
/// One that is silent for longer had nothing to do.
pub const TURN_BEGINS: Duration = Duration::from_secs(5);
/// Characters of a command to an agent (`/name args`); longer ones are taken for a paste.
pub const SLASH_CHARS: usize = 500;
/// Bytes of a model's name; the longest are addresses of cloud services.
pub const MODEL_BYTES: usize = 200;
/// The newest hooks of a kind that are looked through for a model: not each names it.
pub const MODEL_EVENTS: usize = 20;
/// The login shell's environment probe; a start-up file may ask the network.
pub const SHELL_PROBE: Duration = Duration::from_secs(10);
/// A probe's result is used this long, so that edits of start-up files are seen the same day.
pub const SHELL_PROBE_FRESH: Duration = Duration::from_secs(600);
/// Bytes read from the shell probe before it is taken for broken.
pub const SHELL_PROBE_BYTES: usize = 1024 * 1024;

// Keeper and output log.

/// Bytes of one keeper frame's body. Larger than any chunk either side sends.
pub const FRAME_BYTES: usize = 256 * 1024;
/// One read from the PTY master; the kernel hands out at most 4 KiB, so this collects several.
pub const PTY_CHUNK: usize = 64 * 1024;
/// Input the keeper holds for a program that does not read. The daemon never has more in flight.
pub const INPUT_QUEUE: usize = 64 * 1024;
/// Input one session's queue holds in the daemon: a whole `send` and some keystrokes.
pub const INPUT_WAITING: usize = 8 * 1024 * 1024;
/// Relayed output the keeper holds for a daemon that reads slowly; beyond it relaying stops.
pub const RELAY_QUEUE: usize = 256 * 1024;
/// A daemon this far behind is brought up by the keeper itself; further back it reads the log.
pub const FOLLOW_GAP: u64 = 128 * 1024;
/// One segment file of the output log.
pub const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Output kept of one session; the oldest segment goes first.
pub const LOG_BYTES: u64 = 64 * 1024 * 1024;
/// Time ticks in the index come at most this often.
pub const TICK: Duration = Duration::from_millis(100);
/// Output between two screen checkpoints: at most this much is parsed again after a restart.
pub const CHECKPOINT_BYTES: u64 = 1024 * 1024;
/// Output still in the terminal when the program has ended: drained until silent for this long.
pub const DRAIN_QUIET: Duration = Duration::from_millis(200);
/// Longest such wait: something the program left behind may print for ever.
pub const DRAIN_MOST: Duration = Duration::from_secs(2);
/// Descendants left behind by an ended program get this long between SIGHUP and SIGKILL.
pub const STRAGGLER_GRACE: Duration = Duration::from_millis(500);
/// A program that left its terminal may come back to it: looked at this often.
pub const HUNG_RETRY: Duration = Duration::from_secs(1);
/// While the disk is full the keeper tries again this often.
pub const DISK_RETRY: Duration = Duration::from_secs(1);
/// An end that the store refused is offered again this often; the keeper holds it meanwhile.
pub const END_RETRY: Duration = Duration::from_secs(5);
/// Newest output a session keeps in memory for its viewers; older bytes come from the log.
pub const TAIL_BYTES: usize = 128 * 1024;
/// Commands waiting for one session's thread. Full: the caller is told that the session is busy.
pub const SESSION_QUEUE: usize = 64;
/// An application that never ends its synchronized update is painted after this.
pub const SYNC_UPDATE: Duration = Duration::from_millis(150);

/// How long a reader of the screen waits while a session's thread reads a backlog.
pub const PICTURE_WAIT: Duration = Duration::from_secs(5);

/// Refused attempts at one door of one session that are recorded in [`REFUSALS_AGAIN`].
pub const REFUSALS: usize = 20;
/// See [`REFUSALS`].
pub const REFUSALS_AGAIN: Duration = Duration::from_secs(60);

// Terminal model.

/// Narrowest screen the model keeps: in one column `vt100` panics on an emoji that turns wide.
pub const COLS_MIN: u16 = 2;
/// Characters kept of a window title; it is shown in lists and sent with every repaint.
pub const TITLE_CHARS: usize = 256;
/// Bytes of one OSC given to the model. The parser buffers it whole, and nothing we read is longer.
pub const OSC_BYTES: usize = 64 * 1024;
/// Bytes kept of an escape sequence that is still coming in, so that a repaint can end with it.
pub const SEQUENCE_BYTES: usize = 4 * 1024;
/// Answers to terminal queries waiting to be typed; a flood of queries gets no more than this.
pub const REPLY_BYTES: usize = 4 * 1024;
/// Pushed kitty keyboard flags; terminals keep about this many and drop the oldest.
pub const KITTY_STACK: usize = 8;
/// Bytes a viewer's query filter holds back. 256 colours set in one OSC 4 still fit; a longer
/// candidate is nothing a terminal needs and is dropped.
pub const QUERY_HOLD: usize = 8 * 1024;

// Store.

/// Writes waiting for the writer thread. Full: callers wait up to [`WRITE_WAIT`], then `Busy`.
pub const WRITE_QUEUE: usize = 256;
/// Writes committed together, so that one fdatasync serves many callers.
pub const WRITE_BATCH: usize = 256;
/// See [`WRITE_QUEUE`].
pub const WRITE_WAIT: Duration = Duration::from_secs(5);
/// Idle read-only connections kept open.
pub const READERS: usize = 4;
/// Page cache of one database connection; its rows are small and the kernel caches the file anyway.
pub const DB_CACHE_KIB: usize = 256;
/// Another process (a backup) may hold the database lock this long.
pub const DB_BUSY: Duration = Duration::from_secs(5);

/// Bytes of an event's payload; a hook may bring megabytes of tool output.
pub const EVENT_PAYLOAD: usize = 16 * 1024;
/// Characters of a command in an event; the decision's row has the whole.
pub const EVENT_COMMAND: usize = 300;

/// Bytes of a call's input in a row of the audit log: a long command is whole, of a written file
/// the beginning; the whole's SHA-256 stands beside it.
pub const AUDIT_ARGS: usize = 16 * 1024;
/// The daemon's log names the end of the audit log this often, if it has moved.
pub const AUDIT_TOLD: Duration = Duration::from_secs(3600);
/// Rows of the audit log that one page of a search looks into: a third of a second, where each has
/// a kilobyte of arguments.
pub const AUDIT_SCAN: usize = 50_000;
/// Characters that are searched for: a path, a sentence.
pub const AUDIT_TEXT: usize = 200;
/// Exports of the audit log at a time; each may wait for a slow client.
pub const EXPORTS: usize = 2;
/// Rows behind the end of a log that a check looks for in its key's file: a tail longer than this
/// is told as one of unknown length. A check takes 20 ms for them.
pub const AUDIT_AHEAD: i64 = 100_000;
/// Bytes of the longest secret that is recognised whole where a text is cut; a key file is some 3.
pub const SECRET_BYTES: usize = 4 * 1024;

// HTTP.

/// Bytes of a request head.
pub const HEAD_BYTES: usize = 16 * 1024;
/// Header fields of a request.
pub const HEAD_FIELDS: usize = 64;
/// Bytes of a request target.
pub const TARGET_BYTES: usize = 4 * 1024;
/// Bytes of a JSON body. `send` takes 1 Mi characters, which JSON may escape to more.
pub const BODY_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a request body from a browser: the largest is a policy.
pub const WEB_BODY_BYTES: usize = 1024 * 1024;
/// Characters kept of what a browser calls itself.
pub const AGENT_CHARS: usize = 200;
/// Bytes of a hook body: the hook's whole stdin plus our envelope.
pub const HOOK_BODY_BYTES: usize = gate::HOOK_STDIN_BYTES + 64 * 1024;
/// From accept to a whole head.
pub const HEAD_WAIT: Duration = Duration::from_secs(5);
/// From head to a whole body.
pub const BODY_WAIT: Duration = Duration::from_secs(15);
/// From a ready reply to its last byte taken by the client.
pub const REPLY_WAIT: Duration = Duration::from_secs(30);
/// An idle keep-alive connection.
pub const IDLE_WAIT: Duration = Duration::from_secs(10);
/// Open HTTP connections over all doors; above it the one that has waited longest for its first
/// whole request goes, so that a flood of silent peers cannot shut out a new one.
pub const CONNECTIONS: usize = 512;
/// Of them, those over TCP: however many come, the person's own programs get in.
pub const CONNECTIONS_WEB: usize = 384;
/// Open connections of one peer: a process, or an address that is not a loopback one.
pub const CONNECTIONS_PER_PEER: usize = 64;
/// After a closing reply the client gets this long to read it before the connection is cut.
pub const LINGER_WAIT: Duration = Duration::from_secs(1);
/// Bytes a client may still be sending then; they are thrown away. Enough for what is in flight.
pub const LINGER_BYTES: usize = 256 * 1024;
/// Bytes of request bodies and replies held over all connections; above it large ones get 503.
pub const FRONT_BYTES: usize = 128 * 1024 * 1024;
/// A connection that holds no more than this is served even then: `ls` works under any load.
pub const FRONT_SMALL: usize = 64 * 1024;
/// One connection's share of a turn of the front thread, in each direction.
pub const TURN_BYTES: usize = 256 * 1024;
/// Connections accepted in one turn, so that a flood leaves time for those that are there.
pub const ACCEPT_TURN: usize = 32;
/// Pause after an accept that failed for the machine's reasons; the listener stays ready.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// A warning that a flood of peers can cause is logged once in this time.
pub const WARN_AGAIN: Duration = Duration::from_secs(10);
/// Threads that run handlers.
pub const WORKERS: usize = 4;
/// Further requests of peers that have one under way; a connection has one at a time, so that none
/// is turned away: behind a loopback address, which is one peer, there are many.
pub const JOBS: usize = CONNECTIONS;
/// Paths of one request that a cookie may stand under: each is a header of the reply that clears
/// it.
pub const COOKIE_PATHS: usize = 16;
/// Requests parked until something happens (a state, an event, a person).
pub const PARKED: usize = 256;
/// Longest wait of one `wait` or `events` request; clients ask again.
pub const PARK_WAIT: Duration = Duration::from_secs(3600);
/// JSON nesting.
pub const JSON_DEPTH: usize = 32;

/// Bytes of raw output in one reply.
pub const LOG_PIECE: u64 = 1024 * 1024;
/// Events or decisions in one reply.
pub const PAGE: u64 = 1000;

// WebSocket.

/// Bytes of one message from a client.
pub const WS_MESSAGE: usize = 64 * 1024;
/// Output handed to the socket at once.
pub const WS_CHUNK: usize = 32 * 1024;
/// Bytes buffered for a client that reads slowly; its place in the log is kept, not its bytes.
pub const WS_WRITE_BUFFER: usize = 256 * 1024;
/// Open WebSockets.
pub const WS_OPEN: usize = 64;
/// Silence after which a peer is pinged, and then dropped.
pub const WS_PING: Duration = Duration::from_secs(30);
/// From the upgrade to the client's first message.
pub const WS_FIRST: Duration = Duration::from_secs(5);

// The proof of the gate.

/// One run of an agent in a proof. A start takes about a second, on a loaded machine ten; a start
/// that waits for it must still be answered within [`CLIENT_WAIT`].
pub const PROOF_WAIT: Duration = Duration::from_secs(30);
/// `doctor --prove`: two agents that both hang, one after the other.
pub const PROVE_WAIT: Duration = Duration::from_secs(150);
/// Starts that wait for a proof. Full: the next is told to try again.
pub const PROOF_WAITING: usize = 64;
/// Connections that the scripted model holds at once; agents open one or two.
pub const PROOF_CONNECTIONS: usize = 16;
/// Connections that it takes altogether, one request each; the play has three.
pub const PROOF_REQUESTS: usize = 64;
/// Bytes of one request to it; agents send some 50 KiB of instructions and tools.
pub const PROOF_REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// Characters of the last words of a failed run that its proof keeps.
pub const PROOF_WORDS: usize = 200;
/// Programs whose digests are remembered; there are two agents, each in a few versions.
pub const PROGRAMS_KNOWN: usize = 16;
/// Directories above a script in which its package's description is looked for.
pub const PACKAGE_LEVELS: usize = 3;
/// Read at once when a program is hashed.
pub const HASH_PIECE: usize = 64 * 1024;
/// How long the program of `sandbox check` may take: it makes two dozen tries.
pub const SANDBOX_CHECK: Duration = Duration::from_secs(30);
