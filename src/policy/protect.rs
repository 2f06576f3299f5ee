//! What no rule opens to a call: our own files, and those that decide what runs without anybody
//! asking. Knows no rules.
//!
//! 1. What is protected MUST NOT depend on rules, sets or modes.
//! 2. A path MUST be looked at as it is written and as it truly is, in any case, existing or not.
//! 3. What only might be a write MUST at least be asked.

use crate::model::call::Action;
use crate::policy::effect::Effect;
use crate::policy::glob::Budget;
use crate::policy::glob::Glob;
use crate::policy::part::Part;
use crate::policy::path;
use crate::policy::path::Ground;
use crate::policy::path::Many;
use crate::policy::path::Spot;
use crate::policy::pattern::Paths;
use crate::policy::visible;
use std::sync::LazyLock;

/// Characters of a path or word in a reason.
const NAME: usize = 160;

/// What verdicts name as the policy and as the rule.
pub const SOURCE: (&str, &str) = ("built-in", "self-protection");

/// The least that is said to a part, whatever the rules say, and why.
pub fn floor(part: &Part<'_>, ground: &Ground<'_>, budget: &Budget) -> Option<(Action, String)> {
    let look = Look { ground, low: ground.folded(), budget };
    part.effects.iter().find_map(|effect| look.effect(effect)).or_else(|| look.guess(part))
}

struct Look<'a> {
    ground: &'a Ground<'a>,
    low: Ground<'a>,
    budget: &'a Budget,
}

impl Look<'_> {
    fn effect(&self, effect: &Effect) -> Option<(Action, String)> {
        let spot = effect.spot()?;
        let shown = visible::shown(&spot.written, NAME);
        if self.is_ours(spot) {
            return Some((Action::Deny, ours(&shown)));
        }
        let why = format!(
            "writing {shown} is denied: what stands there decides what runs without anybody \
             asking, and no rule opens it; change it yourself, outside of the session"
        );
        (effect.writes() && self.is_kept(spot)).then_some((Action::Deny, why))
    }

    /// What a part might do beside its effects.
    fn guess(&self, part: &Part<'_>) -> Option<(Action, String)> {
        if let Some(spot) = part.might_touch.iter().find(|spot| self.is_ours(spot)) {
            return Some((Action::Deny, ours(&visible::shown(&spot.written, NAME))));
        }
        let words = part.words.as_deref().unwrap_or_default();
        let ask = |what: String| Some((Action::Ask, format!("{what}, which no rule can allow")));
        let shown = visible::shown(part.name, NAME);
        let first = part.might_run.iter().filter_map(|words| words.first());
        let mut programs = words.iter().take(if part.wraps { words.len() } else { 1 }).chain(first);
        if programs.any(|program| any(&TABLE.run, program.rsplit('/').next(), self.budget)) {
            return ask(format!("`{shown}` starts an agent or codepiper itself"));
        }
        let meets = |rows: &[Paths], many: &Many| {
            rows.iter().any(|row| row.meets(many, &self.low, self.budget))
        };
        let mut many = part.might_meet.iter();
        if many.clone().any(|many| self.is_ours(&many.base) || meets(&TABLE.ours, many)) {
            return ask(format!("`{shown}` might read or write what belongs to codepiper"));
        }
        if part.only_reads {
            return None;
        }
        if many.any(|many| self.is_kept(&many.base) || meets(&TABLE.kept, many)) {
            return ask(format!("`{shown}` might write where it is decided what runs"));
        }
        // To run a program is not to write it.
        let program = words.first().filter(|program| !words[1..].contains(program));
        let run = |spot: &Spot| {
            let at = |dir: &Spot| self.ground.spot(program?, &dir.written);
            part.dirs.iter().filter_map(at).any(|own| own.written == spot.written)
        };
        let kept = |spot: &&Spot| self.is_kept(spot) && !run(spot);
        if let Some(spot) = part.might_touch.iter().find(kept) {
            let name = visible::shown(&spot.written, NAME);
            return ask(format!("`{shown}` might write {name}, where it is decided what runs"));
        }
        let mut all = words.iter().chain(part.might_run.iter().flatten());
        if all.any(|word| self.is_about_us(word, part)) {
            return ask(format!("`{shown}` names codepiper"));
        }
        None
    }

    fn is_ours(&self, spot: &Spot) -> bool {
        let low = [spot.written.to_ascii_lowercase(), spot.real.to_ascii_lowercase()];
        let below = |dir: &String| low.iter().any(|path| path::below(path, dir).is_some());
        self.low.own.iter().any(below) || self.fits(&TABLE.ours, spot)
    }

    fn is_kept(&self, spot: &Spot) -> bool {
        let free = || spot.written == spot.real && self.fits(&TABLE.free, spot);
        self.fits(&TABLE.kept, spot) && !free()
    }

    fn fits(&self, rows: &[Paths], spot: &Spot) -> bool {
        let spot = Spot {
            written: spot.written.to_ascii_lowercase(),
            real: spot.real.to_ascii_lowercase(),
            ..*spot
        };
        // With the budget spent the call is asked, whatever is found here.
        rows.iter().any(|row| self.budget.step() && row.catches(&spot, &self.low, self.budget))
    }

    /// Whether a word names us, and not only a file of the project.
    fn is_about_us(&self, word: &str, part: &Part<'_>) -> bool {
        let low = word.to_ascii_lowercase();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let named = low.split(|c| !is_part(c)).any(|p| any(&TABLE.name, Some(p), self.budget));
        let inside =
            |dir: &Spot| self.ground.spot(word, &dir.written).is_some_and(|spot| spot.is_inside);
        // A bare name is not taken for a file: it could as well be a package or a process; and code
        // that has slashes in it is no path at all.
        let plain = |c: char| is_part(c) || c == '/';
        let path = word.contains('/') && low.chars().all(plain);
        let file = || path && !part.dirs.is_empty() && part.dirs.iter().all(inside);
        any(&TABLE.text, Some(&low), self.budget) || named && !file()
    }
}

fn ours(shown: &str) -> String {
    format!(
        "{shown} belongs to codepiper itself and no call may touch it; use the codepiper command, \
         outside of the session"
    )
}

fn any(globs: &[Glob], text: Option<&str>, budget: &Budget) -> bool {
    text.is_some_and(|text| globs.iter().any(|glob| glob.matches(text, budget)))
}

#[derive(Default)]
struct Table {
    ours: Vec<Paths>,
    kept: Vec<Paths>,
    free: Vec<Paths>,
    name: Vec<Glob>,
    text: Vec<Glob>,
    run: Vec<Glob>,
}

/// The table is part of the program: a broken line is found by the tests.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::default();
    let lines = include_str!("protected.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (kind, pattern) = line.split_once(' ').expect("KIND PATTERN in protected.txt");
        let paths = || Paths::parse(pattern).expect(line);
        let glob = || Glob::parse(pattern).expect(line);
        match kind {
            "ours" => table.ours.push(paths()),
            "kept" => table.kept.push(paths()),
            "free" => table.free.push(paths()),
            "name" => table.name.push(glob()),
            "text" => table.text.push(glob()),
            "run" => table.run.push(glob()),
            other => panic!("unknown kind {other} in protected.txt"),
        }
    }
    table
});
