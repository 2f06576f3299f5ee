//! The only room where `unsafe` and `libc` may appear: system calls behind safe functions.
//!
//! Knows files, sockets, processes, terminals; has no idea what they are used for.

pub mod clock;
pub mod epoll;
pub mod file;
pub mod inotify;
pub mod landlock;
pub mod memory;
pub mod mount;
pub mod namespace;
pub mod place;
pub mod poll;
pub mod proc;
pub mod pty;
pub mod reach;
pub mod seccomp;
pub mod signal;
pub mod sock;
pub mod tcp;
pub mod tree;
pub mod tty;
pub mod user;
