//! The policy sets that come with the program: always there, never changed, never deleted.

use crate::base::json;
use crate::policy::Policy;
use crate::policy::rule;

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

const STANDARD: &str = r#"[
    {"id": "read-only", "action": "allow", "tool": ["Read", "Glob", "Grep", "LS"]},
    {"id": "todo", "action": "allow", "tool": "TodoWrite"}
]"#;

/// All of them.
pub fn sets() -> Vec<BuiltIn> {
    let rules = json::parse(STANDARD.as_bytes()).and_then(|value| rule::parse(&value));
    let rules = rules.expect("the rules of this file parse; a test says so");
    vec![BuiltIn {
        id: "standard",
        name: "standard",
        description: "read-only file tools and todo lists are allowed",
        policies: vec![Policy { name: "standard".into(), priority: 0, rules }],
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_this_file_parse_and_ids_differ() {
        let sets = sets();
        assert!(sets.iter().all(|set| !set.policies.is_empty()));
        let mut ids: Vec<&str> = sets.iter().map(|set| set.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), sets.len());
    }
}
