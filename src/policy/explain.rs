//! Why a call is judged as it is: its parts and effects, and what each rule is about in it. Decides
//! nothing: the verdict is the one that [`crate::policy::evaluate`] gives.

use crate::limits;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::policy::Place;
use crate::policy::Policies;
use crate::policy::Policy;
use crate::policy::about::About;
use crate::policy::about::is_about_effects;
use crate::policy::glob::Budget;
use crate::policy::judge;
use crate::policy::judge::Found;
use crate::policy::part::Part;
use crate::policy::path::Ground;
use crate::policy::reason;
use crate::policy::rule::Rule;
use crate::policy::visible;
use serde_json::Value;
use serde_json::json;

/// Characters of a part, and of a directory, as they are shown.
const SHOWN: usize = 400;

/// All that led to a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The verdict, its effects included.
    pub verdict: Verdict,
    /// Why the call is not understood, where that is so; then it has no parts.
    pub not_understood: Option<String>,
    /// What the call was taken apart into.
    pub parts: Vec<Piece>,
    /// The rules: those that are about something first.
    pub rules: Vec<Considered>,
    /// So many more rules are about nothing in the call, and not listed.
    pub left_out: usize,
    /// What becomes of a piece that no rule is about.
    pub default: Action,
}

/// A part of a call, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The command, or the tool.
    pub name: String,
    /// Where it may run; none: nobody knows.
    pub dirs: Vec<String>,
    /// What it is known to do.
    pub effects: Vec<String>,
}

/// A rule, and what it has to do with the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// Its policy.
    pub policy: String,
    /// Its id or number.
    pub rule: String,
    /// What it says.
    pub action: Action,
    /// It stands in a policy that can only tighten.
    pub tightens: bool,
    /// The verdict names it.
    pub decides: bool,
    /// The parts and effects that it is about.
    pub about: Vec<String>,
    /// Why it is about nothing, where that is so.
    pub why_not: Option<String>,
}

/// Explains what is said to a call.
pub fn explain(policies: &Policies, call: &ToolCall, place: &Place<'_>) -> Explanation {
    let ground = Ground::new(place);
    let parts = judge::take_apart(policies, call, &ground);
    let verdict = judge::verdict(policies, call, &parts, &ground);
    let about = About { ground: &ground, budget: Budget::new(limits::gate::POLICY_STEPS) };
    let list = policies.list.iter().map(|policy| (policy, false));
    let all = list.chain(policies.tighten.iter().map(|policy| (policy, true)));
    let known = parts.as_deref().unwrap_or_default();
    let (mut hits, mut misses, mut left_out) = (Vec::new(), Vec::new(), 0);
    for (policy, tightens) in all {
        for (at, rule) in policy.rules.iter().enumerate() {
            let one = consider(policy, at, rule, tightens, known, &about, &verdict);
            let list = if one.about.is_empty() && !one.decides { &mut misses } else { &mut hits };
            match list.len() < limits::gate::EXPLAINED_RULES {
                true => list.push(one),
                false => left_out += 1,
            }
        }
    }
    let room = limits::gate::EXPLAINED_RULES - hits.len();
    left_out += misses.len().saturating_sub(room);
    hits.extend(misses.into_iter().take(room));
    Explanation {
        verdict,
        parts: known.iter().map(piece).collect(),
        rules: hits,
        left_out,
        default: policies.default,
        not_understood: parts.err(),
    }
}

fn piece(part: &Part<'_>) -> Piece {
    Piece {
        name: visible::shown(part.name, SHOWN),
        dirs: part.dirs.iter().map(|dir| visible::shown(&dir.real, SHOWN)).collect(),
        effects: part.shown().take(limits::gate::EFFECTS).collect(),
    }
}

fn consider(
    policy: &Policy,
    at: usize,
    rule: &Rule,
    tightens: bool,
    parts: &[Part<'_>],
    about: &About<'_>,
    verdict: &Verdict,
) -> Considered {
    let name = reason::rule_name(&Found { policy, at, rule });
    let same = verdict.policy.as_ref() == Some(&policy.name);
    let decides = same && verdict.rule.as_ref() == Some(&name);
    let mut found = Vec::new();
    for part in parts {
        let shown = visible::shown(part.name, SHOWN);
        if !is_about_effects(rule) {
            found.extend(about.fits(rule, part).then_some(shown));
            continue;
        }
        for effect in part.effects.iter().filter(|e| about.fits_effect(rule, part, e)) {
            let (verb, what) = effect.words();
            found.push(format!("{verb} {}", visible::shown(what, limits::gate::EFFECT_CHARS)));
        }
        if about.fits_guess(rule, part) {
            found.push(format!("what `{shown}` might touch"));
        }
    }
    found.dedup();
    found.truncate(limits::gate::EFFECTS);
    let why_not = match () {
        () if !found.is_empty() => None,
        () if tightens && rule.action == Action::Allow => {
            Some("a policy of the repository cannot allow anything".to_string())
        }
        () if parts.is_empty() => Some("the call is not understood".to_string()),
        () => Some(why_not(rule, parts, about)),
    };
    let (policy, action) = (policy.name.clone(), rule.action);
    Considered { policy, rule: name, action, tightens, decides, about: found, why_not }
}

/// The field that keeps the rule from the part that it is nearest to.
fn why_not(rule: &Rule, parts: &[Part<'_>], about: &About<'_>) -> String {
    const ORDER: [&str; 4] = ["tool", "command", "args", "cwd"];
    let far = |field: &Option<&str>| ORDER.iter().position(|o| Some(*o) == *field).unwrap_or(9);
    match parts.iter().map(|part| about.misses(rule, part)).max_by_key(far).flatten() {
        Some("cwd") if rule.cwd.is_empty() => {
            "it does not run below the project, and the rule has no \"cwd\"".to_string()
        }
        Some(field) => format!("its {field:?} is about something else"),
        None => "no file and no host of the call is one of its".to_string(),
    }
}

impl Explanation {
    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let Verdict { action, policy, rule, version, reason, effects } = &self.verdict;
        let piece = |p: &Piece| json!({"name": p.name, "dirs": p.dirs, "effects": p.effects});
        let rule_of = |r: &Considered| {
            json!({
                "policy": r.policy,
                "rule": r.rule,
                "action": r.action.word(),
                "tightens": r.tightens,
                "decides": r.decides,
                "about": r.about,
                "whyNot": r.why_not,
            })
        };
        json!({
            "decision": action.word(),
            "policy": policy,
            "rule": rule,
            "version": version,
            "reason": reason,
            "effects": effects,
            "notUnderstood": self.not_understood,
            "default": self.default.word(),
            "parts": self.parts.iter().map(piece).collect::<Vec<_>>(),
            "rules": self.rules.iter().map(rule_of).collect::<Vec<_>>(),
            "leftOut": self.left_out,
        })
    }
}
