//! The client: one verb a file; what the CLI prints and how it exits.

pub mod hook;
