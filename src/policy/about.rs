//! Whether a rule is about a part of a call or about one of its effects, field by field. Decides
//! nothing.

use crate::model::call::Action;
use crate::policy::effect::Effect;
use crate::policy::glob::Budget;
use crate::policy::glob::Glob;
use crate::policy::part::Part;
use crate::policy::path::Ground;
use crate::policy::path::Spot;
use crate::policy::pattern::Paths;
use crate::policy::pattern::Words;
use crate::policy::rule::Rule;
use serde_json::Value;

/// The place that is judged, and what may still be spent on it.
pub struct About<'a> {
    /// Where the session works.
    pub ground: &'a Ground<'a>,
    /// Steps of comparing that are left.
    pub budget: Budget,
}

/// Whether a rule speaks of effects, and so not of the tool or command itself.
pub fn is_about_effects(rule: &Rule) -> bool {
    !rule.read.is_empty() || !rule.write.is_empty() || !rule.host.is_empty()
}

impl About<'_> {
    /// The first field that is not about the part itself; `None` where the rule is.
    pub fn misses(&self, rule: &Rule, part: &Part<'_>) -> Option<&'static str> {
        if !self.fits_tool(rule, part) {
            Some("tool")
        } else if !self.fits_command(rule, part) {
            Some("command")
        } else if !self.fits_args(rule, part.input) {
            Some("args")
        } else if !self.fits_cwd(rule, part) {
            Some("cwd")
        } else {
            None
        }
    }

    /// Whether a rule is about the part itself.
    pub fn fits(&self, rule: &Rule, part: &Part<'_>) -> bool {
        self.misses(rule, part).is_none()
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

    /// Whether each field that the rule names is in the input and fits. A rule that denies or asks
    /// looks into lists and objects as well, and takes an input that has no fields for any.
    pub fn fits_args(&self, rule: &Rule, input: &Value) -> bool {
        let allows = rule.action == Action::Allow;
        if !input.is_object() {
            return rule.args.is_empty() || !allows;
        }
        rule.args.iter().all(|(name, globs)| match input.get(name) {
            None => false,
            Some(value) if allows => self.fits_text(globs, value),
            Some(value) => self.fits_within(globs, value),
        })
    }

    fn fits_text(&self, globs: &[Glob], value: &Value) -> bool {
        let any = |text: &str| globs.iter().any(|glob| glob.matches(text, &self.budget));
        value.as_str().map_or_else(|| any(&value.to_string()), any)
    }

    fn fits_within(&self, globs: &[Glob], value: &Value) -> bool {
        let mut open = vec![value];
        while let Some(value) = open.pop().filter(|_| self.budget.step()) {
            if self.fits_text(globs, value) {
                return true;
            }
            match value {
                Value::Array(list) => open.extend(list),
                Value::Object(map) => open.extend(map.values()),
                _ => {}
            }
        }
        false
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

    /// Whether a rule is about an effect of the part.
    pub fn fits_effect(&self, rule: &Rule, part: &Part<'_>, effect: &Effect) -> bool {
        let allows = rule.action == Action::Allow;
        let paths = |list: &[Paths], spot: &Spot| {
            list.iter().any(|paths| match allows {
                true => paths.covers(spot, self.ground, &self.budget),
                false => paths.catches(spot, self.ground, &self.budget),
            })
        };
        let named = match effect {
            Effect::Read(spot) => paths(&rule.read, spot),
            Effect::Write(spot) => paths(&rule.write, spot),
            Effect::Net(host) => rule.host.iter().any(|hosts| match allows {
                true => hosts.covers(host, &self.budget),
                false => hosts.catches(host, &self.budget),
            }),
            Effect::Exec(_) => false,
        };
        named && self.fits(rule, part)
    }

    /// Whether a rule that denies or asks could be about what the part only might do.
    pub fn fits_guess(&self, rule: &Rule, part: &Part<'_>) -> bool {
        let named = |paths: &Paths| {
            part.might_touch.iter().any(|spot| paths.catches(spot, self.ground, &self.budget))
                || part.might_meet.iter().any(|many| paths.meets(many, self.ground, &self.budget))
        };
        let writes = rule.write.iter().filter(|_| !part.only_reads);
        let reached = || {
            let caught = |host: &String| rule.host.iter().any(|p| p.catches(host, &self.budget));
            part.might_reach.iter().any(caught)
        };
        rule.action != Action::Allow
            && is_about_effects(rule)
            && (rule.read.iter().chain(writes).any(named) || reached())
            && self.fits(rule, part)
    }
}
