//! The capacities and time-outs of notices and of the channels that carry them away.

use std::time::Duration;

/// Notices that are kept; the oldest go first. Weeks of a busy person, and a list that loads at
/// once.
pub const KEPT: i64 = 1000;
/// Notices in one reply.
pub const PAGE: u64 = 200;
/// Seconds that a state must hold before it makes a notice, where the setting says nothing: what a
/// person answers at once is no news to them.
pub const DWELL_SECONDS: u64 = 5;
/// The most that the setting may say.
pub const DWELL_SECONDS_MOST: u64 = 600;
/// Notices of one session and kind that come within this are one with a count.
pub const GROUPED: Duration = Duration::from_secs(60);
/// Characters of a notice's body: a line of a telephone's lock screen, and the words of an alarm.
pub const BODY_CHARS: usize = 300;
/// Characters of the word that says where a notice was read.
pub const SOURCE_CHARS: usize = 64;
/// Notices that a dashboard is told of before its other subscriptions have their turn.
pub const TOLD: usize = 50;

/// Channels; a person has a handful.
pub const CHANNELS: usize = 20;
/// Characters of a channel's name.
pub const NAME_CHARS: usize = 60;
/// Bytes of a channel's URL.
pub const URL_BYTES: usize = 2048;
/// Bytes of its token.
pub const TOKEN_BYTES: usize = 4096;
/// Arguments of its program.
pub const ARGS: usize = 32;
/// Bytes of one of them.
pub const ARG_BYTES: usize = 4096;
/// Longest time after which a question goes to the next channel: a day.
pub const AFTER: Duration = Duration::from_secs(24 * 3600);

/// Deliveries under way at once: one that hangs delays no other, and three programs are no load.
pub const SENDERS: usize = 3;
/// Deliveries of a test under way at once. Full: `Busy`.
pub const TESTS: usize = 2;
/// `notify test` waits this long: all channels, one after the other, each with its longest wait.
pub const TEST_WAIT: Duration = Duration::from_secs(60 * CHANNELS as u64);
/// Ends of deliveries on their way to the thread that notes them; no more can be under way.
pub const ENDS: usize = SENDERS;
/// Pauses before a delivery is tried again; after the last it has failed. An outage of a service is
/// over within the hour, and a question of an hour ago is no news.
pub const RETRIES: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
];
/// A user's program gets this long; one that calls a slow service needs some of it.
pub const COMMAND_WAIT: Duration = Duration::from_secs(30);
/// The same of `curl`, from name to answer.
pub const WEBHOOK_WAIT: Duration = Duration::from_secs(20);
/// Of that, until there is a connection.
pub const WEBHOOK_CONNECT: Duration = Duration::from_secs(10);
/// How long the system may take to find a host's addresses.
pub const RESOLVE_WAIT: Duration = Duration::from_secs(10);
/// Addresses of one host that `curl` is given; it tries a few.
pub const ADDRESSES: usize = 8;
/// Links that are followed on the way to a program, as many as the kernel does.
pub const LINKS: usize = 40;
/// Bytes that are read of what a user's program or `curl` prints; the rest is thrown away.
pub const PRINTED_BYTES: usize = 64 * 1024;
/// Characters of its end that a receipt keeps.
pub const DETAIL_CHARS: usize = 300;
/// What cannot be stored or read is tried again after this: a full disk.
pub const STORE_RETRY: Duration = Duration::from_secs(5);
/// How late a wall clock that was set may make the end of quiet hours known.
pub const QUIET_LOOK: Duration = Duration::from_secs(15 * 60);
