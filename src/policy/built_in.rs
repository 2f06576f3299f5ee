//! The policy sets that come with the program: always there, never changed, never deleted.

use crate::base::json;
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
    /// Its policies.
    pub policies: Vec<Policy>,
}

/// All of them.
pub fn sets() -> Vec<BuiltIn> {
    vec![BuiltIn {
        id: "standard",
        name: "standard",
        description: "reading in the project and to-do lists are allowed; all else is asked",
        policies: vec![standard()],
    }]
}

/// What a fresh install goes by: reading in the project, and what does nothing at all.
pub fn standard() -> Policy {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        let text = include_bytes!("standard.json");
        json::parse(text).and_then(|value| rule::parse(&value)).expect("rules of ours")
    });
    Policy { name: "standard".to_string(), priority: 0, version: None, rules: RULES.clone() }
}
