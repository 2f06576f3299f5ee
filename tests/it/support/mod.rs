//! What the tests of the built binary stand on: a home of their own, a daemon in it, its clients,
//! terminals to look at, and the certainty that nothing is left running.

// Each test program uses another part of it.
#![allow(dead_code)]

pub mod cli;
pub mod daemon;
pub mod fake;
pub mod http;
pub mod inside;
pub mod pids;
pub mod socket;
pub mod space;
pub mod tmux;
pub mod wait;
pub mod webhook;
