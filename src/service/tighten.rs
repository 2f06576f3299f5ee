//! The policy that a repository brings along, `.codepiper/policy`: it makes a session stricter, and
//! never milder.
//!
//! 1. Only its rules that deny or ask MUST count; the evaluator passes over the others.
//! 2. A file that is there and cannot be read or understood MUST NOT be passed over: what would be
//!    allowed is asked.
//! 3. Only a regular file that is really in the project MUST be read: no link is followed.

use crate::base::error::Error;
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
        let opened = file::open_beneath(Path::new(project), &[".codepiper", "policy"]);
        let (file, stamp) = match opened {
            Ok(None) => return base,
            Ok(Some(opened)) => opened,
            Err(error) => return Arc::new(base.tightened(broken(&error))),
        };
        let lock = || self.0.lock().unwrap_or_else(|e| e.into_inner());
        let same = |one: &&One| one.stamp == stamp && Arc::ptr_eq(&one.base, &base);
        if let Some(one) = lock().get(session).filter(same) {
            return one.both.clone();
        }
        let both = Arc::new(base.tightened(read(file).unwrap_or_else(|error| broken(&error))));
        let mut known = lock();
        if known.len() >= limits::gate::TIGHTENED_SESSIONS {
            known.clear();
        }
        known.insert(session.to_string(), One { stamp, base, both: both.clone() });
        both
    }
}

fn read(file: std::fs::File) -> Result<Policy, Error> {
    let most = limits::gate::REPOSITORY_POLICY_BYTES;
    let mut bytes = Vec::new();
    let read = file.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::invalid(format!("{NAME}: {e}")))?;
    if bytes.len() > most {
        return Err(Error::invalid(format!("{NAME} has more than {most} bytes")));
    }
    let rules = source::rules_only(NAME, &bytes)?;
    let ignored = rules.iter().filter(|rule| rule.action == Action::Allow).count();
    if ignored > 0 {
        log::warn!("{NAME} has {ignored} rules that allow; a repository can only tighten");
    }
    Ok(policy(rules))
}

/// Stands for a file that is not understood.
fn broken(error: &Error) -> Policy {
    let why = format!("{}; mend it or take it away", error.message);
    log::warn!("{why}");
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let reason: String = why.chars().map(clean).take(limits::gate::REASON_CHARS).collect();
    let rules = json!([{"id": "unreadable", "action": "ask", "tool": "*", "reason": reason}]);
    policy(rule::parse(&rules).expect("a rule of ours"))
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy { name: NAME.to_string(), priority: 0, version: None, rules }
}
