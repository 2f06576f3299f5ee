//! Tests of the built binary: each file holds one promise of the README to it.

mod crash;
mod floods;
mod bad_input;
mod clock;
mod damage;
mod attach;
mod cli;
mod help;
mod keeper;
mod output;
mod peers;
mod states;
mod state_dir;
mod support;
mod systemd;
mod terminal;
