//! The verdict: rules and parts in, the strictest answer out. Knows neither shells nor paths.
//!
//! 1. Each part, and each effect of it, MUST be judged by every rule: what is denied anywhere is
//!    denied, what is not allowed everywhere is not allowed.
//! 2. Of what is not understood, nothing MUST be allowed, whatever the rules say.

use crate::limits;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::policy::Place;
use crate::policy::Policies;
use crate::policy::Policy;
use crate::policy::effect;
use crate::policy::effect::Effect;
use crate::policy::effect::Kind;
use crate::policy::glob::Budget;
use crate::policy::part;
use crate::policy::part::Part;
use crate::policy::path::Ground;
use crate::policy::path::Spot;
use crate::policy::pattern::Paths;
use crate::policy::pattern::Words;
use crate::policy::reason;
use crate::policy::rule::Rule;

/// A rule that fits, and where it stands.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// Its policy.
    pub policy: &'a Policy,
    /// Its place in it, from 0.
    pub at: usize,
    /// The rule.
    pub rule: &'a Rule,
}

/// What is answered to one piece of a call, and why.
pub struct Answer<'a> {
    /// The answer.
    pub action: Action,
    /// The rule that gave it; without one it is the default's.
    pub found: Option<Found<'a>>,
    /// The part.
    pub part: &'a str,
    /// The effect that it is about, if not about the part itself.
    pub effect: Option<&'a Effect>,
}

/// How strict an action is.
pub fn strictness(action: Action) -> u8 {
    match action {
        Action::Allow => 0,
        Action::Ask => 1,
        Action::Deny => 2,
    }
}

/// Judges a call; see [`crate::policy::evaluate`].
pub fn judge(policies: &Policies, call: &ToolCall, place: &Place<'_>) -> Verdict {
    let ground = Ground::new(place);
    let rules = || policies.list.iter().flat_map(|policy| &policy.rules);
    let touches = rules().any(|r| r.action != Action::Allow && is_about_files(r));
    let bench = Bench { policies, ground: &ground, budget: Budget::new(limits::POLICY_STEPS) };
    let parts = match part::parts(call, &ground, touches) {
        Ok(parts) => parts,
        Err(why) => return bench.not_understood(call, &why),
    };
    let mut worst: Option<Answer<'_>> = None;
    for part in &parts {
        bench.part(part, &mut |answer| {
            let stricter = |w: &Answer<'_>| strictness(answer.action) > strictness(w.action);
            if worst.as_ref().is_none_or(stricter) {
                worst = Some(answer);
            }
        });
        if worst.as_ref().is_some_and(|w| w.action == Action::Deny) {
            break;
        }
    }
    match worst {
        // A rule that was found to deny does so, however much was not looked at.
        Some(answer) if !bench.budget.is_spent() || answer.action == Action::Deny => {
            reason::verdict(&answer, parts.len(), call)
        }
        _ => bench.not_understood(call, "it takes too long to judge"),
    }
}

fn is_about_files(rule: &Rule) -> bool {
    !rule.read.is_empty() || !rule.write.is_empty()
}

struct Bench<'a> {
    policies: &'a Policies,
    ground: &'a Ground<'a>,
    budget: Budget,
}

impl<'a> Bench<'a> {
    /// Gives all answers to a part: one to itself, one to each effect.
    fn part(&self, part: &'a Part<'_>, give: &mut dyn FnMut(Answer<'a>)) {
        let default = self.policies.default;
        let own = self.strictest(|rule| !is_about_files(rule) && self.fits(rule, part));
        let touched = self.strictest(|rule| self.might_touch(rule, part));
        let mut by_rules = part.only_effects && !part.effects.is_empty();
        for (at, effect) in part.effects.iter().enumerate() {
            let found = self.strictest(|rule| self.fits_effect(rule, part, effect));
            by_rules &= found.is_some_and(|f| f.rule.action == Action::Allow);
            let action = match (&found, &own) {
                (Some(found), _) => found.rule.action,
                (None, Some(own)) if takes_the_parts(own.rule, effect) => continue,
                (None, Some(own)) if at < part.said && says_it_all(own.rule, part) => continue,
                (None, None) if effect.spot().is_some_and(|spot| spot.is_inside) => continue,
                (None, _) => default,
            };
            give(Answer { action, found, part: part.name, effect: Some(effect) });
        }
        if let Some(found) = touched {
            let action = found.rule.action;
            give(Answer { action, found: touched, part: part.name, effect: None });
        }
        // A tool that only reads or writes files is allowed by rules about all these files.
        if own.is_none() && by_rules {
            return;
        }
        let action = own.map_or(default, |found| found.rule.action);
        give(Answer { action, found: own, part: part.name, effect: None });
    }

    /// The strictest rule that fits: of several the one of the highest priority, and of those the
    /// first.
    fn strictest(&self, fits: impl Fn(&Rule) -> bool) -> Option<Found<'a>> {
        let mut best: Option<Found<'a>> = None;
        for policy in &self.policies.list {
            for (at, rule) in policy.rules.iter().enumerate() {
                let rank = (strictness(rule.action), policy.priority);
                let better = |b: &Found<'_>| rank > (strictness(b.rule.action), b.policy.priority);
                if best.as_ref().is_none_or(better) && fits(rule) {
                    best = Some(Found { policy, at, rule });
                }
            }
        }
        best
    }

    /// Whether a rule is about the part itself.
    fn fits(&self, rule: &Rule, part: &Part<'_>) -> bool {
        self.fits_tool(rule, part) && self.fits_command(rule, part) && self.fits_cwd(rule, part)
    }

    fn fits_tool(&self, rule: &Rule, part: &Part<'_>) -> bool {
        let named = |name: &&str| rule.tool.iter().any(|glob| glob.matches(name, &self.budget));
        rule.tool.is_empty() || part.tools.iter().any(named)
    }

    fn fits_command(&self, rule: &Rule, part: &Part<'_>) -> bool {
        let any = |fits: &dyn Fn(&Words) -> bool| rule.command.iter().any(fits);
        if rule.command.is_empty() {
            return true;
        }
        let about_another = |p: &Words| part.program.is_some_and(|it| p.is_about_another(it));
        if rule.command.iter().all(about_another) {
            return false;
        }
        let words = part.words.as_deref().unwrap_or_default();
        if rule.action == Action::Allow {
            let covers = |p: &Words| {
                let (dirs, budget) = (&part.dirs, &self.budget);
                (!part.leaves || p.is_literal())
                    && (!part.is_fed || p.is_literal() || part.is_known)
                    && (p.covers(words, &part.inert, dirs, self.ground, budget)
                        || part.outer.iter().any(|w| p.covers(w, &[], dirs, self.ground, budget)))
            };
            return !words.is_empty() && any(&covers);
        }
        let catches = |words: &[String]| any(&|p| p.catches(words, &[], &self.budget));
        let mut tails = (1..words.len()).filter(|_| part.wraps).map(|from| &words[from..]);
        !words.is_empty() && any(&|p| p.catches(words, &part.many, &self.budget))
            || tails.any(catches)
            || part.might_run.iter().any(|words| catches(words))
    }

    fn fits_cwd(&self, rule: &Rule, part: &Part<'_>) -> bool {
        let dirs = &part.dirs;
        let any = |spot: &Spot, fits: fn(&Paths, &Spot, &Ground<'_>, &Budget) -> bool| {
            rule.cwd.iter().any(|paths| fits(paths, spot, self.ground, &self.budget))
        };
        match rule.action {
            // A command does what it does to where it stands.
            Action::Allow if rule.cwd.is_empty() => {
                let at_home = !dirs.is_empty() && dirs.iter().all(|dir| dir.is_inside);
                rule.command.is_empty() || at_home || part.leaves
            }
            Action::Allow => !dirs.is_empty() && dirs.iter().all(|dir| any(dir, Paths::covers)),
            Action::Deny | Action::Ask => {
                rule.cwd.is_empty()
                    || dirs.is_empty()
                    || dirs.iter().any(|dir| any(dir, Paths::catches))
            }
        }
    }

    fn fits_effect(&self, rule: &Rule, part: &Part<'_>, effect: &Effect) -> bool {
        let (list, spot) = match effect {
            Effect::Read(spot) => (&rule.read, spot),
            Effect::Write(spot) => (&rule.write, spot),
            Effect::Net(_) | Effect::Exec(_) => return false,
        };
        let named = |paths: &Paths| match rule.action {
            Action::Allow => paths.covers(spot, self.ground, &self.budget),
            Action::Deny | Action::Ask => paths.catches(spot, self.ground, &self.budget),
        };
        list.iter().any(named) && self.fits(rule, part)
    }

    fn might_touch(&self, rule: &Rule, part: &Part<'_>) -> bool {
        let strict = rule.action != Action::Allow && is_about_files(rule);
        let named = |paths: &Paths| {
            part.might_touch.iter().any(|spot| paths.catches(spot, self.ground, &self.budget))
                || part.might_meet.iter().any(|many| paths.meets(many, self.ground, &self.budget))
        };
        let writes = rule.write.iter().filter(|_| !part.only_reads);
        strict && rule.read.iter().chain(writes).any(named) && self.fits(rule, part)
    }

    /// The answer to a call that has no parts: only a rule about the tool, or about every command,
    /// can say more than the default does.
    fn not_understood(&self, call: &ToolCall, why: &str) -> Verdict {
        let budget = Budget::new(limits::POLICY_STEPS);
        let start = self.ground.dir(&call.cwd);
        let shell = effect::tool(&call.tool).is_some_and(|tool| tool.kind == Kind::Shell);
        let about = |rule: &Rule| {
            let tool = rule.tool.is_empty()
                || rule.tool.iter().any(|glob| glob.matches(&call.tool, &budget));
            let any = rule.command.is_empty() || shell && rule.command.iter().any(Words::is_any);
            let here = |dir: &Spot| rule.cwd.iter().any(|p| p.catches(dir, self.ground, &budget));
            let cwd = rule.cwd.is_empty() || start.as_ref().is_none_or(here);
            rule.action != Action::Allow && !is_about_files(rule) && tool && any && cwd
        };
        let found = self.strictest(about);
        let least = [Action::Ask, self.policies.default].into_iter().max_by_key(|a| strictness(*a));
        let least = least.unwrap_or(Action::Deny);
        let found = found.filter(|f| strictness(f.rule.action) >= strictness(least));
        reason::not_understood(found.as_ref(), least, call, why)
    }
}

/// Whether a rule names the command word for word, and with it what its words do.
fn says_it_all(own: &Rule, part: &Part<'_>) -> bool {
    let words = part.words.as_deref().unwrap_or_default();
    own.command.iter().any(|pattern| pattern.says(words))
}

/// Whether an effect that no rule names is part of what the rule about its tool says.
fn takes_the_parts(own: &Rule, effect: &Effect) -> bool {
    let Some(&Spot { is_inside, is_secret, is_guarded, .. }) = effect.spot() else { return false };
    let plain = is_inside && !is_secret;
    plain && (!effect.writes() || !is_guarded && !own.tool.is_empty())
}
