//! Tests of the built binary: each file holds one promise of the README to it.

mod bad_input;
mod crash;
mod floods;
mod bad_input;
mod clock;
mod damage;
mod attach;
mod cli;
mod help;
mod keeper;
mod large_input;
mod output;
mod peers;
mod states;
mod state_dir;
mod support;
mod systemd;
mod terminal;
