//! How a person shows who they are: passwords, codes of an authenticator app, recovery codes,
//! tokens, and how often each may be tried. Values in, values out: it knows no clock, no database
//! and no network.

pub mod limiter;
pub mod password;
pub mod qr;
pub mod token;
pub mod totp;
pub mod words;
