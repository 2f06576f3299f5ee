//! The terminal, as values: bytes in, screen out. Knows no file descriptor, clock or thread.

pub mod agent;
mod answer;
pub mod cast;
pub mod escape;
mod feed;
pub mod keys;
mod modes;
pub mod overlay;
mod paint;
pub mod paste;
pub mod query;
mod question;
pub mod reply;
pub mod screen;
mod seq;
pub mod snapshot;
#[cfg(test)]
mod streams;
