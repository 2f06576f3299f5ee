//! What codepiper is about: sessions, events, tool calls, policies and verdicts, with no idea how
//! they are stored, shown or carried out.

pub mod approval;
pub mod audit;
pub mod audit_table;
pub mod call;
pub mod chain;
pub mod channel;
pub mod env_set;
pub mod event;
pub mod login;
pub mod notice;
pub mod policy;
pub mod proof;
pub mod redact;
pub mod session;
