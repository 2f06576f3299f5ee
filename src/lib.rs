//! codepiper runs AI coding agents on your own server: sessions in terminals that outlive every
//! crash and upgrade, one gate for every tool call, and a log of what was decided.
//!
//! # Bird's eye
//!
//! ```text
//!  cli ──control socket──┐                                  ┌── keeper a ── PTY a ── program a
//!                        ├── daemon ── one socket each ─────┼── keeper b ── PTY b ── program b
//!  hook-forward ─hook────┘     │                            └── keeper c ── PTY c ── program c
//!  socket                      └── SQLite                          │
//!                                                                  └── output log (files)
//! ```
//!
//! One binary is three programs. A **keeper** per session owns the terminal, the program and the
//! output log; it has one thread and hardly a reason to change. The **daemon** is everything else,
//! and may be killed at any moment. **Clients** are every other verb: HTTP over a Unix socket.
//!
//! A byte of output: program → PTY → keeper → log file, and then, if the daemon keeps up, over the
//! keeper's socket → screen model and [`service::tail`] → viewers. Whoever does not keep up reads
//! the log from its own offset; that is also how a new daemon takes over ([`service::adopt`]). A
//! byte of input: viewer → [`service::input`] → keeper → PTY; `send` first waits in
//! [`service::held`] until the agent takes it. A tool call: agent → hook → hook socket →
//! [`service::gate`] → the session's policies, kept in memory until one of them changes
//! ([`service::effective`]) → [`policy::evaluate`] → one durable row → answer. What has run is
//! compared with what was decided ([`service::guard`]).
//!
//! What a person should hear of: change of a session → in the same transaction a row → the thread
//! `notices`, once it still holds → page by WebSocket, and a program or webhook of the person's
//! ([`service::notices`]).
//!
//! A secret: client → [`service::env_sets`] → sealed in a row; at a start [`service::environment`]
//! opens it, and it goes by [`keeper::launch`] to the program's environment and nowhere else; what
//! is written down passes [`model::redact`], which knows it for as long as the session runs.
//!
//! # Floors
//!
//! Each room may import only rooms above it in this list; `tests/tidy.rs` has the exact table.
//!
//! | room | what it is |
//! |---|---|
//! | [`limits`] | every capacity and time-out |
//! | [`base`] | errors, time, threads, log, JSON: what std leaves out |
//! | [`sys`] | the only `unsafe`: files, sockets, processes, terminals |
//! | [`auth`] | passwords, codes, tokens, and how often they may be tried |
//! | [`model`] | what codepiper is about: session, event, tool call, verdict |
//! | [`config`] | where everything lives on disk |
//! | [`term`] | bytes in, screen out; keys, pastes, recordings |
//! | [`policy`] | rules and a call in, a verdict out |
//! | [`provider`] | the table of agents: how each starts and how its hooks speak |
//! | [`secrets`] | the master key, and what is sealed under it |
//! | [`output`] | the output log's files |
//! | [`cage`] | what a session's program cannot see, reach or write |
//! | [`keeper`] | the process around one program, and its wire |
//! | [`store`] | SQLite: one writer thread, read-only readers; the only SQL |
//! | [`service`] | what codepiper does: sessions, the gate and its policies, waiting, settings |
//! | [`http`] | the API: front, routes, handlers, WebSocket; the dashboard's files |
//! | [`cli`] | the command line, a client like any other |
//! | [`daemon`] | builds the house |
//!
//! # Invariants
//!
//! 1. A program never waits for us: the keeper drains its terminal whether or not anybody watches,
//!    and a viewer has a place in the output, never a queue.
//! 2. `kill -9` of the daemon loses no byte of output, no stored event, no decision.
//! 3. A decision is a durable row before it is an answer; what cannot be stored is denied.
//! 4. Nothing is ever typed into a terminal as an answer to an agent's question, unless a person
//!    means it to be one.
//! 5. A process inside a session reaches the hook door of its own session and nothing else. Who is
//!    inside is decided by ancestry alone ([`keeper::peer`]).
//! 6. Keeper and policy know nothing of the rest; neither do store and keeper of each other: only
//!    service introduces them. The client never touches the store.
//! 7. All formats that outlive a process stand in one doc comment each: chain of the audit log
//!    ([`model::chain`]), wire of the keeper
//!    ([`keeper::proto`]), output log ([`output`]), state directory ([`config::paths`]), database
//!    (`schema.sql`), WebSocket of an attached terminal ([`http::viewer`]) and of the dashboard
//!    ([`http::socket`]), states of a session ([`model::session`]), API (`codepiper help api`).
//!
//! # Threads of the daemon
//!
//! | thread | how many | owns | its queue | when full |
//! |---|---|---|---|---|
//! | main | 1 | signals, start and stop order | | |
//! | front | 1 | HTTP connections, but for handlers | outcomes, 2 a connection | cannot be |
//! | http-N | 4 | one request at a time, as a value | jobs, one a connection | cannot be |
//! | ws-N | 1 a WebSocket, at most 64 | it, and places in logs | answers, 2048 | dropped |
//! | live-ID | 1 a session | connection to the keeper, screen, input | commands, 64 | `Busy` |
//! | db-writer | 1 | the writing connection | writes, 256 | wait 5 s, then `Busy` |
//! | watch | 1 | changes of the files that hooks stand on | the kernel's | looks at all |
//! | waits | 1 | deadlines of parked requests; sleeps while there are none | 256 | `Busy` |
//! | approvals | 1 | approvals that end by themselves; mostly asleep | news, 256 | looks in time |
//! | notices | 1 | notices and deliveries that are due; mostly asleep | a ring, 1 | looks anyway |
//! | notice-send | at most 3 | one try of one delivery | ends, 3 | cannot be |
//! | notice-test | at most 2 | tests of channels | none | `Busy` |
//! | proof | at most 1 | proofs of the gate ([`service::proof`]) | starts, 64 | `Busy` |
//! | proof-model | 1 a proof | a scripted model on loopback, 16 connections | none | dropped |
//! | replay, audit-check | at most 1 each | one long reading ([`service::alone`]) | none | `Busy` |
//! | download | at most 2 | a reply that is made while it is sent | none | `Busy` |
//! | look | at most 4 | a look at directories, perhaps of a slow file system | none | `Busy` |
//! | login | 1 | hashes of passwords, one after the other | attempts, 8 | 429 |
//! | adopt, adopt-ID, check | at start | old sessions; the database check | | |
//!
//! A panic ends one thread and is logged. Locks are held for a line, never over I/O or a send; the
//! three exceptions say so: the login shell's probe, the condition of a parked request, and the
//! hold on the master key ([`secrets::Keyring::hold`]).

#[cfg(not(target_os = "linux"))]
compile_error!("codepiper runs on Linux only: it stands on PTYs, pidfds and namespaces");

pub mod auth;
pub mod base;
pub mod cage;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod http;
pub mod keeper;
pub mod limits;
pub mod model;
pub mod output;
pub mod policy;
pub mod provider;
pub mod secrets;
pub mod service;
pub mod store;
pub mod sys;
pub mod term;

/// The name of this build: version and a hash over its sources.
pub const BUILD: &str = env!("CODEPIPER_BUILD");
