//! The limits of logging in: what may be tried how often, and what is kept how long.

use std::time::Duration;

// Passwords.

/// Characters of a password: a code is always asked besides.
pub const PASSWORD_CHARS: usize = 8;
/// Bytes of a password, looked at before it is hashed: a book would only cost time.
pub const PASSWORD_BYTES: usize = 1024;
/// Memory of one hash. With three passes some 170 ms, which a person does not mind and a thief of
/// the database does.
pub const HASH_KIB: u32 = 64 * 1024;
/// See [`HASH_KIB`].
pub const HASH_PASSES: u32 = 3;
/// Attempts that wait for the one that is being hashed. Full: 429, before anything is hashed.
pub const HASHES_WAITING: usize = 8;
/// Seconds that whoever finds them full is told to wait: all of them are done by then.
pub const HASH_RETRY: u32 = 2;

// Codes.

/// Seconds that a code of an authenticator app is for (RFC 6238).
pub const CODE_STEP: u64 = 30;
/// A code is taken so many steps early or late: clocks of telephones differ by that.
pub const CODE_SKEW: i64 = 1;
/// Codes for the day when the telephone is lost; a sheet of paper's worth.
pub const RECOVERY_CODES: usize = 10;
/// A new secret for an app is to be confirmed within this.
pub const PENDING: Duration = Duration::from_secs(10 * 60);
/// A bootstrap password is good for one reading of the terminal that it was printed to.
pub const BOOTSTRAP: Duration = Duration::from_secs(30 * 60);

// Web sessions.

/// A login ends after a week, used or not.
pub const SESSION: Duration = Duration::from_secs(7 * 24 * 3600);
/// An onboarding that nobody finished within a day begins anew.
pub const ONBOARDING: Duration = Duration::from_secs(24 * 3600);
/// Web sessions at once; the one that was used longest ago goes. One person has a few devices.
pub const WEB_SESSIONS: usize = 50;
/// When a session was last used is written this often, not at each request.
pub const USED_AGAIN: Duration = Duration::from_secs(60);
/// Characters of a browser's name for itself in lists and the log.
pub const AGENT_CHARS: usize = 200;

// Attempts.

/// Attempts of one address before it has to wait; a person mistypes a password and a code.
pub const FREE_TRIES: u32 = 5;
/// The same over all addresses.
pub const FREE_TRIES_ALL: u32 = 20;
/// Longest wait of one address from elsewhere.
pub const WAIT_MOST: Duration = Duration::from_secs(15 * 60);
/// Longest wait of all, and of loopback, where everybody behind a tunnel comes from: whoever tries
/// in bad faith must not be able to lock the person out.
pub const WAIT_MOST_ALL: Duration = Duration::from_secs(30);
/// An attempt is forgotten after this.
pub const FORGET: Duration = Duration::from_secs(15 * 60);
/// Addresses that are counted at once; the one that was heard of longest ago goes.
pub const ADDRESSES: usize = 10_000;
