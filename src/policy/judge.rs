//! The verdict: rules and parts in, the strictest answer out. Knows neither shells nor paths.
//!
//! 1. Each part, and each effect of it, MUST be judged by every rule: what is denied anywhere is
//!    denied, what is not allowed everywhere is not allowed.
//! 2. Of what is not understood, nothing MUST be allowed, whatever the rules say.
//! 3. What is protected ([`protect`]) MUST be judged before any rule is.
//! 4. Rules that only tighten MUST NOT make any answer milder, nor change one that is as strict.

use crate::limits;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::policy::Place;
use crate::policy::Policies;
use crate::policy::Policy;
use crate::policy::about::About;
use crate::policy::about::is_about_effects;
use crate::policy::effect;
use crate::policy::effect::Effect;
use crate::policy::effect::Kind;
use crate::policy::effect::Why;
use crate::policy::glob::Budget;
use crate::policy::glob::Glob;
use crate::policy::host;
use crate::policy::part;
use crate::policy::part::Part;
use crate::policy::path::Ground;
use crate::policy::path::Spot;
use crate::policy::pattern::Words;
use crate::policy::protect;
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
    /// The rule that gave it; without one it is the default's, or that of what is protected.
    pub found: Option<Found<'a>>,
    /// Why, where what is protected is touched.
    pub protected: Option<String>,
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

/// A call taken apart, or why it is not understood.
pub type Parts<'a> = Result<Vec<Part<'a>>, Why>;

/// Takes a call apart as far as these policies ask for it.
pub fn take_apart<'a>(policies: &Policies, call: &'a ToolCall, ground: &Ground<'_>) -> Parts<'a> {
    let mut parts = part::parts(call, ground, true)?;
    let mut rules = policies.list.iter().chain(&policies.tighten).flat_map(|policy| &policy.rules);
    if rules.any(|rule| rule.action != Action::Allow && !rule.host.is_empty()) {
        parts.iter_mut().for_each(Part::guess_hosts);
    }
    Ok(parts)
}

/// Judges a call; see [`crate::policy::evaluate`].
pub fn judge(policies: &Policies, call: &ToolCall, place: &Place<'_>) -> Verdict {
    let ground = Ground::new(place);
    verdict(policies, call, &take_apart(policies, call, &ground), &ground)
}

/// The verdict on a call that was taken apart.
pub fn verdict(
    policies: &Policies,
    call: &ToolCall,
    parts: &Parts<'_>,
    ground: &Ground<'_>,
) -> Verdict {
    let about = || About { ground, budget: Budget::new(limits::gate::POLICY_STEPS) };
    let bench = Bench {
        list: &policies.list,
        default: policies.default,
        tightens: false,
        protects: true,
        about: about(),
    };
    let mut verdict = bench.verdict(call, parts);
    if !policies.tighten.is_empty() {
        let list = &policies.tighten;
        let bench =
            Bench { list, default: Action::Allow, tightens: true, protects: false, about: about() };
        let other = bench.verdict(call, parts);
        if strictness(other.action) > strictness(verdict.action) {
            verdict = other;
        }
    }
    verdict.effects = effects(parts);
    verdict
}

/// Whether a rule alone says what it says of a call, protected or not: its examples are such calls.
pub fn says(policy: &Policy, call: &ToolCall, place: &Place<'_>) -> bool {
    let list = vec![policy.clone()];
    let policies = Policies { list, tighten: Vec::new(), default: Action::Ask };
    let ground = Ground::new(place);
    let parts = take_apart(&policies, call, &ground);
    let bench = Bench {
        list: &policies.list,
        default: Action::Ask,
        tightens: false,
        protects: false,
        about: About { ground: &ground, budget: Budget::new(limits::gate::POLICY_STEPS) },
    };
    bench.verdict(call, &parts).rule.is_some()
}

/// All that a call does, each once; nothing where it is not understood.
fn effects(parts: &Parts<'_>) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for line in parts.iter().flatten().flat_map(Part::shown) {
        if list.contains(&line) {
            continue;
        }
        if list.len() == limits::gate::EFFECTS {
            list.push("…".to_string());
            break;
        }
        list.push(line);
    }
    list
}

struct Bench<'a> {
    list: &'a [Policy],
    /// What becomes of a piece that no rule is about.
    default: Action,
    /// Only rules that deny or ask count.
    tightens: bool,
    /// What is protected is judged as well.
    protects: bool,
    about: About<'a>,
}

impl<'a> Bench<'a> {
    fn verdict(&self, call: &ToolCall, parts: &'a Parts<'_>) -> Verdict {
        let parts = match parts {
            Ok(parts) => parts,
            Err(why) => return self.not_understood(call, why),
        };
        let mut worst: Option<Answer<'_>> = None;
        for part in parts {
            self.part(part, &mut |answer| {
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
            Some(answer) if !self.about.budget.is_spent() || answer.action == Action::Deny => {
                reason::verdict(&answer, parts.len(), call)
            }
            _ => self.not_understood(call, "it takes too long to judge"),
        }
    }

    /// Gives all answers to a part: one to itself, one to each effect.
    fn part(&self, part: &'a Part<'_>, give: &mut dyn FnMut(Answer<'a>)) {
        let about = &self.about;
        if self.protects
            && let Some((action, why)) = protect::floor(part, about.ground, &about.budget)
        {
            let protected = Some(why);
            give(Answer { action, found: None, protected, part: part.name, effect: None });
        }
        let mut give = |action, found, effect| {
            give(Answer { action, found, protected: None, part: part.name, effect });
        };
        let own = self.strictest(|rule| !is_about_effects(rule) && about.fits(rule, part));
        let guessed = self.strictest(|rule| about.fits_guess(rule, part));
        let mut by_rules = part.only_effects && !part.effects.is_empty();
        for (at, effect) in part.effects.iter().enumerate() {
            let found = self.strictest(|rule| about.fits_effect(rule, part, effect));
            by_rules &= found.is_some_and(|f| f.rule.action == Action::Allow);
            let action = match (&found, &own) {
                (Some(found), _) => found.rule.action,
                (None, Some(own)) if takes_the_parts(own.rule, effect) => continue,
                (None, Some(own)) if at < part.said && says_it_all(own.rule, part) => continue,
                (None, None) if effect.spot().is_some_and(|spot| spot.is_inside) => continue,
                // To start something is what the rule about the tool is about.
                (None, _) if matches!(effect, Effect::Exec(_)) => continue,
                (None, _) => self.default,
            };
            give(action, found, Some(effect));
        }
        if let Some(found) = guessed {
            give(found.rule.action, guessed, None);
        }
        // A tool that only has effects is allowed by rules about all of them.
        if own.is_none() && by_rules {
            return;
        }
        give(own.map_or(self.default, |found| found.rule.action), own, None);
    }

    /// The strictest rule that fits: of several the one of the highest priority, and of those the
    /// first.
    fn strictest(&self, fits: impl Fn(&Rule) -> bool) -> Option<Found<'a>> {
        let mut best: Option<Found<'a>> = None;
        for policy in self.list {
            for (at, rule) in policy.rules.iter().enumerate() {
                if self.tightens && rule.action == Action::Allow {
                    continue;
                }
                let rank = (strictness(rule.action), policy.priority);
                let better = |b: &Found<'_>| rank > (strictness(b.rule.action), b.policy.priority);
                if best.as_ref().is_none_or(better) && fits(rule) {
                    best = Some(Found { policy, at, rule });
                }
            }
        }
        best
    }

    /// The answer to a call that has no parts: only a rule about the tool, about every command or
    /// about a host that stands somewhere in the call can say more than the default does.
    fn not_understood(&self, call: &ToolCall, why: &str) -> Verdict {
        let ground = self.about.ground;
        let about = About { ground, budget: Budget::new(limits::gate::POLICY_STEPS) };
        let start = ground.dir(&call.cwd);
        let shell = effect::tool(&call.tool).is_some_and(|tool| tool.kind == Kind::Shell);
        let mut hosts = Vec::new();
        part::strings(&call.input)
            .take(limits::gate::CALL_STRINGS)
            .for_each(|text| host::mentioned(text, &mut |host| hosts.push(host)));
        let fits = |rule: &Rule| {
            let budget = &about.budget;
            let tool = rule.tool.is_empty()
                || rule.tool.iter().any(|glob| glob.matches(&call.tool, budget));
            let any = rule.command.is_empty() || shell && rule.command.iter().any(Words::is_any);
            let here = |dir: &Spot| rule.cwd.iter().any(|p| p.catches(dir, ground, budget));
            let cwd = rule.cwd.is_empty() || start.as_ref().is_none_or(here);
            let named = |host: &String| rule.host.iter().any(|p| p.catches(host, budget));
            let effects = !is_about_effects(rule) || hosts.iter().any(named);
            let args = about.fits_args(rule, &call.input);
            rule.action != Action::Allow && effects && tool && any && cwd && args
        };
        let found = self.strictest(fits);
        let least = [Action::Ask, self.default].into_iter().max_by_key(|a| strictness(*a));
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
    match effect {
        Effect::Read(spot) => spot.is_inside && !spot.is_secret,
        Effect::Write(spot) => {
            spot.is_inside && !spot.is_secret && !spot.is_guarded && !own.tool.is_empty()
        }
        // Whoever names the tool means that there is a search; any other host has a name.
        Effect::Net(host) => host == host::SEARCH && own.tool.iter().any(Glob::is_literal),
        Effect::Exec(_) => true,
    }
}
