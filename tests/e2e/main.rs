//! The gate, shown with the real agents against scripted models: what policy allows runs, what it
//! denies does not, whatever happens to the daemon, the hooks or the repository in between.

mod beside;
mod browser;
mod claude;
mod codex;
mod codex_gate;
mod codex_repository;
mod level;
mod model;
mod nested;
mod proof;
mod sshd;
#[path = "../it/support/mod.rs"]
mod support;
mod tools;
mod work;
