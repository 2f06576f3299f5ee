//! Tests of the built binary: each file holds one promise of the README to it.

mod help;
mod support;
mod systemd;
