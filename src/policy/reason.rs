//! Verdicts in words that a person understands. Decides nothing.

use crate::limits;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::policy::judge::Answer;
use crate::policy::judge::Found;
use crate::policy::protect;
use crate::policy::visible;

/// Characters of a command, tool or path in a reason: what matters stands at its front, and the
/// policy and the rule must still have their place.
const NAME: usize = 160;

/// The verdict that an answer is, for a call of so many parts.
pub fn verdict(answer: &Answer<'_>, parts: usize, call: &ToolCall) -> Verdict {
    if let Some(why) = &answer.protected {
        let verdict = Verdict::new(answer.action, visible::shown(why, limits::gate::REASON_CHARS));
        let (policy, rule) = protect::SOURCE;
        return Verdict { policy: Some(policy.into()), rule: Some(rule.into()), ..verdict };
    }
    let subject = subject(answer, call);
    let words = match (&answer.found, answer.effect) {
        (Some(found), _) if answer.action == Action::Allow && parts > 1 => {
            format!("all {parts} commands are allowed, {subject} by {}", source(found))
        }
        (Some(found), _) => format!("{subject} is {} by {}", done(answer.action), source(found)),
        (None, Some(effect)) => {
            let what = match effect.spot() {
                None => "something that needs a rule of its own",
                Some(spot) if !spot.is_inside => "outside of the project",
                Some(spot) if spot.is_secret => "a name that secrets have",
                Some(spot) if spot.is_guarded => "a name that decides what runs",
                Some(_) => "more than the rule about the command says",
            };
            format!("{subject} is {what}, and no rule names it")
        }
        (None, None) => format!("no rule covers {subject}"),
    };
    finish(answer.action, answer.found.as_ref(), &words)
}

/// The verdict on a call that is not understood.
pub fn not_understood(
    found: Option<&Found<'_>>,
    least: Action,
    call: &ToolCall,
    why: &str,
) -> Verdict {
    let tool = visible::shown(&call.tool, NAME);
    let words = match found {
        Some(found) => {
            format!("{tool} is {} by {}", done(found.rule.action), source(found))
        }
        None => {
            format!("this call of {tool} is not understood, because {why}; no rule can allow it")
        }
    };
    finish(found.map_or(least, |f| f.rule.action), found, &words)
}

fn finish(action: Action, found: Option<&Found<'_>>, words: &str) -> Verdict {
    let own = found.and_then(|found| found.rule.reason.clone());
    Verdict {
        action,
        policy: found.map(|found| found.policy.name.clone()),
        rule: found.map(rule_name),
        version: found.and_then(|found| found.policy.version),
        reason: own.unwrap_or_else(|| visible::shown(words, limits::gate::REASON_CHARS)),
        effects: Vec::new(),
    }
}

fn subject(answer: &Answer<'_>, call: &ToolCall) -> String {
    match answer.effect {
        Some(effect) => {
            let whom = effect.spot().map_or(effect.words().1, |spot| &spot.written);
            format!("{} {}", effect.verb(), visible::shown(whom, NAME))
        }
        None if answer.part == call.tool => visible::shown(&call.tool, NAME),
        None => format!("`{}`", visible::shown(answer.part, NAME)),
    }
}

fn source(found: &Found<'_>) -> String {
    format!("{} ({})", visible::shown(&found.policy.name, NAME), rule_name(found))
}

/// What a rule is called: its id, else its number.
pub fn rule_name(found: &Found<'_>) -> String {
    found.rule.id.clone().unwrap_or_else(|| format!("rule {}", found.at + 1))
}

fn done(action: Action) -> &'static str {
    match action {
        Action::Allow => "allowed",
        Action::Deny => "denied",
        Action::Ask => "to be asked",
    }
}
