//! Where the daemon's state lives and what the environment says about it.

pub mod origin;
pub mod paths;
pub mod web;
