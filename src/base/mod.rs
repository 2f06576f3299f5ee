//! What the standard library leaves out, with no idea what codepiper is about.

pub mod bytes;
pub mod error;
pub mod id;
pub mod json;
pub mod log;
pub mod plain;
pub mod secret;
#[cfg(test)]
pub mod seeded;
pub mod thread;
pub mod time;
