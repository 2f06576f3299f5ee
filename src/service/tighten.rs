//! The policy that a repository brings along, `.codepiper/policy`: it makes a session stricter, and
//! never milder.
//!
//! 1. Only its rules that deny or ask MUST count; the evaluator passes over the others.
//! 2. A file that is there and cannot be read or understood MUST NOT be passed over: what would be
//!    allowed is asked.
//! 3. Only a regular file that is really in the project MUST be read: no link is followed.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::call::Action;
use crate::policy::Policy;
use crate::policy::rule;
use crate::policy::rule::Rule;
use crate::policy::source;
use crate::service::effective::Effective;
use crate::sys::file;
use serde_json::json;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

/// Where it stands below the project; also what verdicts call it.
pub const NAME: &str = ".codepiper/policy";

/// What was read in the running sessions, until the file or what else decides changes.
#[derive(Default)]
pub struct Known(Mutex<HashMap<String, One>>);

struct One {
    stamp: file::Stamp,
    base: Arc<Effective>,
    both: Arc<Effective>,
}

impl Known {
    /// What decides in a session of `project`: `base`, and what the project brings.
    pub fn with(&self, session: &str, base: Arc<Effective>, project: &str) -> Arc<Effective> {
        let (file, stamp) = match open(project) {
            Ok(None) => return base,
            Ok(Some(opened)) => opened,
            Err(error) => return Arc::new(base.tightened(broken(&error).policy)),
        };
        let lock = || self.0.lock().unwrap_or_else(|e| e.into_inner());
        let same = |one: &&One| one.stamp == stamp && Arc::ptr_eq(&one.base, &base);
        if let Some(one) = lock().get(session).filter(same) {
            return one.both.clone();
        }
        let brought = understood(file);
        match &brought.problem {
            Some(why) => log::warn!("{why}"),
            None if brought.ignored() > 0 => {
                let ignored = brought.ignored();
                log::warn!("{NAME} has {ignored} rules that allow; a repository can only tighten");
            }
            None => {}
        }
        let both = Arc::new(base.tightened(brought.policy));
        let mut known = lock();
        if known.len() >= limits::gate::TIGHTENED_SESSIONS {
            known.clear();
        }
        known.insert(session.to_string(), One { stamp, base, both: both.clone() });
        both
    }
}

/// What a repository brings.
pub struct Brought {
    /// Its rules as they stand, or one that asks, where they are not understood.
    pub policy: Policy,
    /// Why they are not.
    pub problem: Option<String>,
}

impl Brought {
    /// How many of its rules allow, and so do not count.
    pub fn ignored(&self) -> usize {
        self.policy.rules.iter().filter(|rule| rule.action == Action::Allow).count()
    }
}

/// What `project` brings, where it brings something.
pub fn brought(project: &str) -> Option<Brought> {
    match open(project) {
        Ok(opened) => opened.map(|(file, _)| understood(file)),
        Err(error) => Some(broken(&error)),
    }
}

fn open(project: &str) -> Result<Option<(File, file::Stamp)>> {
    file::open_beneath(Path::new(project), &[".codepiper", "policy"])
}

fn understood(file: File) -> Brought {
    match read(file) {
        Ok(rules) => Brought { policy: policy(rules), problem: None },
        Err(error) => broken(&error),
    }
}

fn read(file: File) -> Result<Vec<Rule>> {
    let most = limits::gate::REPOSITORY_POLICY_BYTES;
    let mut bytes = Vec::new();
    let read = file.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::invalid(format!("{NAME}: {e}")))?;
    if bytes.len() > most {
        return Err(Error::invalid(format!("{NAME} has more than {most} bytes")));
    }
    source::rules_only(NAME, &bytes)
}

/// Stands for a file that is not understood.
fn broken(error: &Error) -> Brought {
    let why = format!("{}; mend it or take it away", error.message);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let why: String = why.chars().map(clean).take(limits::gate::REASON_CHARS).collect();
    let rules = json!([{"id": "unreadable", "action": "ask", "tool": "*", "reason": why}]);
    Brought { policy: policy(rule::parse(&rules).expect("a rule of ours")), problem: Some(why) }
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy { name: NAME.to_string(), priority: 0, version: None, rules }
}
