//! Tests of the built binary: each file holds one promise of the README to it.

mod attach;
mod bad_input;
mod cli;
mod clock;
mod crash;
mod damage;
mod driving;
mod floods;
mod guard;
mod help;
mod hook_calls;
mod hook_ends;
mod hook_failures;
mod hook_gate;
mod hook_script;
mod hook_secret;
mod keeper;
mod large_input;
mod output;
mod peers;
mod state_dir;
mod states;
mod support;
mod systemd;
mod terminal;
