//! Claude Code 2.1.330 under the gate.

pub mod agent;
mod approvals;
mod dialog;
mod driving;
mod failures;
mod gate;
mod headless;
mod hostile;
mod person;
pub mod script;
mod starts;
mod talk;
