//! The keeper: one small process per session that owns the terminal, the program and the output
//! log, so that they outlive the daemon. It knows nothing of policies, databases or escape
//! sequences, so that it has almost no reason to change.
//!
//! What it promises across daemon versions is written down in [`proto`] (the wire) and in
//! [`crate::output`] (the files). It has one thread and one poll loop ([`run`]).

pub mod client;
pub mod launch;
pub mod link;
pub mod peer;
pub mod proto;
pub mod run;

mod conn;
mod program;

/// What `ps` shows of every keeper. Descendants cannot change an ancestor's name, so it also marks
/// the border of a session for [`peer`].
pub const NAME: &str = "codepiper-keep";
