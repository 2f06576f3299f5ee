//! The limits of the gate: policy, hooks, approvals, and the clients that wait for them.

use std::time::Duration;

// Policy.

/// Bytes of a shell command that is looked into; a longer one is asked.
pub const COMMAND_BYTES: usize = 64 * 1024;
/// Simple commands in it, each of which is judged by every rule.
pub const COMMAND_PARTS: usize = 128;
/// Words in all of them; each may be a path that is looked up.
pub const COMMAND_WORDS: usize = 2048;
/// Words that a word with braces may stand for.
pub const COMMAND_BRACES: usize = 32;
/// Wrappers around a command, as in `timeout 9 nice make`, and scripts within scripts.
pub const COMMAND_DEPTH: usize = 4;
/// Directories that a command may stand in after its `cd`s, as each may have failed.
pub const COMMAND_DIRS: usize = 16;
/// Bytes of a path in a call: the kernel takes no longer one.
pub const CALL_PATH_BYTES: usize = 4096;
/// Links that are followed in one path; the kernel gives up at the same.
pub const PATH_LINKS: usize = 40;
/// Bytes of a patch whose files are looked for.
pub const PATCH_BYTES: usize = 4 * 1024 * 1024;
/// Files that one patch may change; each is judged by every rule.
pub const PATCH_FILES: usize = 500;
/// Strings in the input of an unknown tool that are looked at as paths.
pub const CALL_STRINGS: usize = 256;
/// Effects of one call that are listed: a page of a dialog.
pub const EFFECTS: usize = 64;
/// Characters of each.
pub const EFFECT_CHARS: usize = 512;
/// Rules that an explanation lists; the rest is counted.
pub const EXPLAINED_RULES: usize = 1000;
/// Bytes of the policy that a repository brings.
pub const REPOSITORY_POLICY_BYTES: usize = 256 * 1024;
/// Sessions whose repository's policy is kept in memory; beyond that all are read again.
pub const TIGHTENED_SESSIONS: usize = 256;
/// Decisions that `policy replay` judges again, where nobody says how many: weeks of a busy agent.
pub const REPLAY_ROWS: u64 = 10_000;
/// Decisions that one replay may judge again: minutes of one core.
pub const REPLAY_MOST: u64 = 1_000_000;
/// A client waits for that this long.
pub const REPLAY_WAIT: Duration = Duration::from_secs(3600);
/// Different calls that it lists; the rest is counted.
pub const REPLAY_CALLS: usize = 1000;
/// Bytes of one case of `policy eval`: a rule and a command of the most that either may have.
pub const EVAL_LINE_BYTES: usize = 4 * 1024 * 1024;
/// Fields of a call's input that one rule may name.
pub const RULE_ARGS: usize = 64;
/// Examples below one rule.
pub const RULE_EXAMPLES: usize = 100;
/// Examples in all of a policy: each is judged when it is loaded.
pub const POLICY_EXAMPLES: usize = 2000;
/// Steps of comparing that one call may cost, some 30 ms; what is not judged by then is asked.
pub const POLICY_STEPS: u64 = 4_000_000;
/// Patterns in one field of a rule.
pub const PATTERNS: usize = 1000;
/// Bytes of one pattern: as long as a path may be.
pub const PATTERN_BYTES: usize = 4096;
/// Rules of one policy; all are looked at for every call.
pub const RULES: usize = 10_000;
/// Policies that are stored, and sets of them; each is a line of a list that people read.
pub const POLICIES: usize = 1000;
/// Bytes that the rules of all policies take together: a list of them is one reply.
pub const POLICY_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of an id that somebody chooses: a UUID and a word.
pub const POLICY_ID_BYTES: usize = 64;
/// Priorities go from minus this to this; every reader of JSON keeps such numbers exact.
pub const PRIORITY: i64 = 1_000_000;
/// Characters of a reason that a policy cannot be read: it goes where a rule's reason goes.
pub const PROBLEM_CHARS: usize = 300;
/// Characters of a rule's reason: it goes to the agent, the log and a dialog.
pub const REASON_CHARS: usize = 500;

// Hooks and clients.

/// Digests of program files kept at once: a few agents and builds, in a few versions each.
pub const DIGESTS: usize = 64;
/// An agent that has been working for this long without a word of its hooks runs ungated.
pub const GUARD_WAIT: Duration = Duration::from_secs(10);
/// `AGENT --version` takes some 20 ms, of a launcher on a cold, loaded machine some seconds.
pub const PROGRAM_PROBE: Duration = Duration::from_secs(20);
/// Bytes that are read of that.
pub const PROGRAM_PROBE_BYTES: usize = 64 * 1024;

/// Bytes of a hook's stdin.
pub const HOOK_STDIN_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that hook-forward reads at once: one page for a common call, a full pipe for a long one.
pub const HOOK_READ: std::ops::RangeInclusive<usize> = 4 * 1024..=64 * 1024;
/// Characters of an unknown event's name in the reason that blocks it.
pub const HOOK_EVENT_SHOWN: usize = 40;
/// hook-forward's own deadline at PreToolUse; the agent's is 30 s and fails open on some paths.
pub const HOOK_DEADLINE: Duration = Duration::from_secs(20);
/// How long a call is held where only codepiper's doors can answer it: without a terminal
/// interface, and where the agent shows no dialog of its own before its hook has ended.
pub const HOLD_GATE: Duration = Duration::from_secs(600);
/// How long a person can be away from an agent's open dialog; its own time-out is 24 h.
pub const HOLD_DIALOG: Duration = Duration::from_secs(23 * 3600);
/// What hook-forward waits longer than the daemon holds: the daemon's answer at the end of the time
/// has to arrive before either gives up.
pub const HOLD_SPARE: Duration = Duration::from_secs(15);
/// A hook that has not come back for this long, between two questions or after a restart of the
/// daemon, has gone: it asks again within a second.
pub const HOLD_LOST: Duration = Duration::from_secs(10);
/// Longest time of a grant, in seconds: a day.
pub const GRANT_SECONDS: i64 = 24 * 3600;
/// Most calls of a grant.
pub const GRANT_TIMES: i64 = 1000;
/// Open approvals that a new daemon takes up.
pub const APPROVALS: usize = 10_000;
/// News for the thread that ends approvals; full, it finds out by itself in time.
pub const RINGS: usize = 256;
/// Deadline for events that are only told, never asked.
pub const HOOK_TELL: Duration = Duration::from_secs(2);
/// Bytes of the daemon's whole reply to a hook: a verdict and its reason.
pub const HOOK_REPLY_BYTES: usize = 64 * 1024;
/// Bytes of a name, id or word in a hook's input; MCP tool names are the longest at some 130.
pub const HOOK_WORD_BYTES: usize = 512;
/// hook-forward looks this often whether its agent still lives: a killed agent leaves it orphaned.
pub const HOOK_PARENT: Duration = Duration::from_secs(1);
/// A listener that does not take a connection for this long has stopped.
pub const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// Pause before a client connects again.
pub const RECONNECT: Duration = Duration::from_millis(50);
/// Longest pause between two attempts of a client to reach a daemon that is away.
pub const RECONNECT_MAX: Duration = Duration::from_secs(1);
/// Bytes of one answer that a client takes: the index of a session that printed for a month.
pub const ANSWER_BYTES: usize = 512 * 1024 * 1024;
/// Bytes of one WebSocket message that a client takes: a repaint of the largest screen.
pub const WS_REPLY: usize = 16 * 1024 * 1024;
/// Bytes of the log that a client asks for at once: a screenful is found in the first piece.
pub const TAIL_PIECE: u64 = 64 * 1024;
/// Longest pause of a replay; nobody waits for a night to pass.
pub const REPLAY_IDLE: Duration = Duration::from_secs(3);
/// A client puts the terminal back within this, also one that takes no more bytes.
pub const LEAVE_WAIT: Duration = Duration::from_secs(1);
/// Pause between two looks at a daemon that is coming up or going down.
pub const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// A client's plain request.
pub const CLIENT_WAIT: Duration = Duration::from_secs(60);
/// What `attach` says over a program that goes on stays for so long: time to read it.
pub const BANNER_BRIEF: Duration = Duration::from_secs(6);
/// `attach` waits this long for a daemon that is being restarted before it says so and goes on.
pub const REATTACH_NOTE: Duration = Duration::from_secs(2);
/// `daemon --detach` and `make run`: from exec to a daemon that answers.
pub const DAEMON_READY: Duration = Duration::from_secs(10);
/// `daemon stop`: from SIGTERM to a free lock.
pub const DAEMON_STOP: Duration = Duration::from_secs(10);
/// A lock that a killed daemon held can outlive it for a moment: in a child of its own that has not
/// come to its exec yet.
pub const LOCK_WAIT: Duration = Duration::from_millis(500);
/// See [`LOCK_WAIT`].
pub const LOCK_RETRY: Duration = Duration::from_millis(5);
/// Replies on their way when the daemon stops get this long.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
/// Log lines kept in `daemon.log` before it moves to `daemon.log.1`.
pub const LOG_FILE_BYTES: u64 = 8 * 1024 * 1024;
