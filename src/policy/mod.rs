//! Policy: from rules and a tool call to a verdict. Pure: no files, no clock, no threads.
//!
//! 1. The verdict MUST NOT depend on the order of rules: deny beats ask, ask beats allow.
//! 2. A call that no rule is about MUST be asked, never allowed.
//! 3. A call that is not understood to its last piece MUST NOT be allowed by any rule.
//!
//! A call is taken apart ([`part`]) into commands ([`shell`]) and effects ([`effect`]); each piece
//! is judged ([`judge`]) by rules ([`rule`]) and their patterns ([`pattern`]). What programs
//! ([`program`]), tools and names mean stands in the text files beside this one, not in code.

pub mod about;
pub mod built_in;
pub mod effect;
pub mod example;
pub mod explain;
pub mod glob;
pub mod host;
pub mod inert;
pub mod judge;
pub mod lines;
pub mod part;
pub mod patch;
pub mod path;
pub mod pattern;
pub mod program;
pub mod protect;
pub mod reason;
pub mod review;
pub mod rule;
pub mod shell;
pub mod source;
pub mod visible;

use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::policy::rule::Rule;

/// A named list of rules, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What verdicts and logs call it.
    pub name: String,
    /// Only picks which of several rules that say the same is named: the highest.
    pub priority: i64,
    /// Which of its versions; one that comes with the program has none.
    pub version: Option<i64>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// All that decides for one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// The policies in force, in any order.
    pub list: Vec<Policy>,
    /// Policies that can only tighten, as those of a repository: what of them would allow is
    /// passed over.
    pub tighten: Vec<Policy>,
    /// What becomes of a call that no rule is about: `ask`, or `deny` where nobody can answer.
    pub default: Action,
}

/// Where a session works, as far as rules speak of it.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The session's directory, absolute.
    pub project: &'a str,
    /// The user's home, absolute.
    pub home: &'a str,
    /// The daemon's own directories and sockets, absolute: no rule opens them to a call.
    pub own: &'a [String],
    /// What an absolute path truly is, with its links resolved as the kernel would; of a path that
    /// does not exist, as much of it as does. It may have `..` in it.
    pub resolve: &'a dyn Fn(&str) -> String,
}

/// Judges a call.
///
/// It has parts: each simple command of a shell call, otherwise the call itself; and parts have
/// effects on files. Rules with `read` or `write` judge effects, others judge parts, and the
/// strictest answer of all is the verdict, in whatever order rules stand. What no rule is about
/// takes the default; but a read below the project takes its part's answer, and so does a write by
/// a tool that the part's rule names, unless a secret or something that decides what runs is
/// touched. Of several rules that say the same, the first of the highest priority is named.
pub fn evaluate(policies: &Policies, call: &ToolCall, place: &Place<'_>) -> Verdict {
    judge::judge(policies, call, place)
}

#[cfg(test)]
mod tests;
