//! The policy sets that come with the program: always there, never changed, never deleted.

use crate::base::json;
use crate::model::call::Action;
use crate::policy::Policy;
use crate::policy::rule;
use crate::policy::rule::Rule;
use std::sync::LazyLock;

/// A set of policies that is part of the program.
pub struct BuiltIn {
    /// Its id.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What becomes of a call that no rule is about, where that is stricter than what else holds.
    pub default: Action,
    /// Its policies.
    pub policies: Vec<Policy>,
}

/// All of them.
pub fn sets() -> Vec<BuiltIn> {
    vec![
        BuiltIn {
            id: "standard",
            name: "standard",
            description: "reading in the project and to-do lists are allowed; all else is asked",
            default: Action::Ask,
            policies: vec![standard()],
        },
        BuiltIn {
            id: "read-only",
            name: "read-only",
            description: "reading in the project is allowed; all else is denied, asked by nobody",
            default: Action::Deny,
            policies: vec![policy("read-only", &READ_ONLY)],
        },
        BuiltIn {
            id: "locked-down",
            name: "locked-down",
            description: "everything is asked; the net, secrets and what lies outside are denied",
            default: Action::Deny,
            policies: vec![policy("locked-down", &LOCKED_DOWN)],
        },
    ]
}

/// What a fresh install goes by: reading in the project, and what does nothing at all.
pub fn standard() -> Policy {
    policy("standard", &STANDARD)
}

static STANDARD: LazyLock<Vec<Rule>> = LazyLock::new(|| read(include_bytes!("standard.json")));
// What the standard set allows, and denials on top.
static READ_ONLY: LazyLock<Vec<Rule>> =
    LazyLock::new(|| [STANDARD.to_vec(), read(include_bytes!("read_only.json"))].concat());
static LOCKED_DOWN: LazyLock<Vec<Rule>> =
    LazyLock::new(|| read(include_bytes!("locked_down.json")));

fn policy(name: &str, rules: &LazyLock<Vec<Rule>>) -> Policy {
    Policy { name: name.to_string(), priority: 0, version: None, rules: rules.to_vec() }
}

fn read(text: &[u8]) -> Vec<Rule> {
    json::parse(text).and_then(|value| rule::parse(&value)).expect("rules of ours")
}
