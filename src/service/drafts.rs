//! Rules that nobody has stored yet: checked, explained on a call, tried on the past. Stores
//! nothing and decides nothing.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::call::ToolCall;
use crate::model::session::Session;
use crate::policy::Place;
use crate::policy::Policy;
use crate::policy::example;
use crate::policy::explain::Explanation;
use crate::policy::lines;
use crate::policy::review;
use crate::policy::review::Fault;
use crate::policy::rule;
use crate::policy::rule::Rule;
use crate::policy::source;
use crate::service::Service;
use crate::service::resolve;
use serde_json::Value;

/// What a draft is called where nobody has given it a name.
pub const NAME: &str = "draft";

/// Rules as they were typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What verdicts and errors call it.
    pub name: String,
    /// The rules.
    pub written: Written,
}

/// The forms of a draft.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// The text of a file, in either form.
    Text(String),
    /// A JSON list.
    Rules(Value),
}

impl Draft {
    /// The rules, their examples checked.
    pub fn rules(&self) -> Result<Vec<Rule>> {
        match &self.written {
            Written::Text(text) => source::rules(&self.name, text.as_bytes()),
            Written::Rules(list) => {
                rule::parse(list).and_then(|rules| example::check(&rules).map(|()| rules))
            }
        }
    }

    /// It as a policy, of no version.
    pub fn policy(&self) -> Result<Policy> {
        let rules = self.rules()?;
        Ok(Policy { name: self.name.clone(), priority: 0, version: None, rules })
    }
}

/// Rules that can be stored.
#[derive(Debug)]
pub struct Checked {
    /// In JSON.
    pub rules: Value,
    /// As lines.
    pub lines: String,
    /// Each rule's name, and what it is about in a line.
    pub about: Vec<(String, String)>,
    /// What their author may not have meant.
    pub warnings: Vec<String>,
}

/// Checks the text of a file of rules as the verbs of `policy` do.
pub fn check(name: &str, text: &str) -> std::result::Result<Checked, Fault> {
    let rules = source::rules(name, text.as_bytes()).map_err(|error| Fault::of(name, &error))?;
    let json = rule::to_json(&rules);
    let list = json.as_array().into_iter().flatten().take(limits::gate::EXPLAINED_RULES);
    let about = list.enumerate().map(|(at, one)| (review::name(&rules, at), review::line(one)));
    let about = about.collect();
    let mut warnings = review::warnings(&rules);
    warnings.truncate(limits::gate::EXPLAINED_RULES);
    Ok(Checked { about, lines: lines::print(&rules), warnings, rules: json })
}

/// Rules of a stored policy in the line form; `None` where they cannot be read.
pub fn lines_of(rules: &Value) -> Option<String> {
    rule::parse(rules).ok().map(|rules| lines::print(&rules))
}

impl Service {
    /// Why a call would be judged as it would be in a session, or in a new one, if the draft held:
    /// in place of the policy with the id `instead`, or beside all that holds.
    pub fn explain_draft(
        &self,
        session: Option<&Session>,
        call: &ToolCall,
        draft: &Draft,
        instead: Option<&str>,
    ) -> Result<Explanation> {
        let policy = draft.policy()?;
        let held = match session {
            Some(row) => self.effective(&row.id)?.as_ref().clone(),
            None => self.effective_by_default()?,
        };
        let held = match instead {
            None => held.with(policy),
            Some(words) => {
                let view = self.find_policy(words)?;
                if view.built_in || view.repository {
                    let id = view.policy.id;
                    return Err(Error::invalid(format!(
                        "the policy {id} cannot be changed, so no draft stands in its place; \
                         leave policyId out"
                    )));
                }
                let held = held.without(&view.policy);
                let (name, priority) = (view.policy.name, view.policy.priority);
                held.with(Policy { name, priority, ..policy })
            }
        };
        let project = session.map_or(&call.cwd, |row| &row.cwd);
        let home = &self.user_home;
        let place = Place { project, home, own: &self.own, resolve: &resolve::path };
        Ok(held.explain(call, &place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_is_checked_in_either_form_and_comes_back_in_both() {
        let lines = "allow shell cargo test ; id tests\ndeny tool WebFetch\n";
        let said = check(NAME, lines).unwrap();
        assert_eq!(said.lines, lines);
        let about = [("tests", "allow  [tests]  command cargo test"), ("rule 2", "deny ")];
        assert_eq!((said.about[0].0.as_str(), said.about[0].1.as_str()), about[0]);
        assert!(said.about[1].0 == about[1].0 && said.about[1].1.starts_with(about[1].1));
        let again = check(NAME, &said.rules.to_string()).unwrap();
        assert_eq!((again.lines, again.rules), (said.lines, said.rules));
        let fault = check(NAME, "allow shell ls\n  match: cat x\n").unwrap_err();
        assert_eq!(fault.at, Some((2, 10)), "{fault:?}");
        assert_eq!(lines_of(&json!([{"action": "smell"}])), None);
    }
}
