//! The view of a cage while it is planned: the steps so far, and what can be seen after them.

use crate::cage::plan::pins;
use crate::cage::step::Step;
use std::path::Path;
use std::path::PathBuf;

/// See the head of this file.
#[derive(Debug, Default)]
pub struct View {
    steps: Vec<Step>,
}

impl View {
    /// Adds a step as it is.
    pub fn add(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// All steps.
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// The steps so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a path leads where it led before: the last cover above it has it shown again.
    pub fn is_visible(&self, path: &Path) -> bool {
        let mut visible = true;
        for step in &self.steps {
            match step {
                Step::Hide(dir) | Step::Own(dir, _) if path.starts_with(dir) => visible = false,
                Step::Show(dir) if path.starts_with(dir) => visible = true,
                _ => {}
            }
        }
        visible
    }

    /// Covers a directory by one of the session's own, where it can be seen.
    pub fn own(&mut self, dir: &Path, mode: u32) {
        if self.is_visible(dir) {
            self.add(Step::Own(dir.to_path_buf(), mode));
        }
    }

    /// Covers a path by nothing, where it can be seen.
    pub fn hide(&mut self, path: &Path) {
        if self.is_visible(path) {
            self.add(Step::Hide(path.to_path_buf()));
        }
    }

    /// Shows a path, where it cannot be seen.
    pub fn show(&mut self, path: &Path) {
        if !self.is_visible(path) {
            self.add(Step::Show(path.to_path_buf()));
        }
    }

    /// Keeps what lies between `top` and `path`, both included for `top`, from being moved away.
    pub fn pin_below(&mut self, path: &Path, top: &Path) {
        let above = path.ancestors().skip(1).take_while(|dir| dir.starts_with(top));
        let mut dirs: Vec<PathBuf> = above.map(Path::to_path_buf).collect();
        dirs.reverse();
        dirs.into_iter().for_each(|dir| self.pin(dir));
    }

    /// Keeps everything above `path` that could be moved from being moved.
    pub fn pin_above(&mut self, path: &Path, top: &Path) {
        pins(path, top).into_iter().for_each(|dir| self.pin(dir));
    }

    fn pin(&mut self, dir: PathBuf) {
        let pinned = self.steps.iter().any(|step| *step == Step::Pin(dir.clone()));
        if !pinned && self.is_visible(&dir) {
            self.add(Step::Pin(dir));
        }
    }

    /// The directory by which a path is covered; `None` where it can be seen.
    pub fn cover(&self, path: &Path) -> Option<&Path> {
        let mut covers = self.steps.iter().rev().filter_map(|step| match step {
            Step::Hide(dir) | Step::Own(dir, _) if path.starts_with(dir) => Some(dir.as_path()),
            _ => None,
        });
        covers.next().filter(|_| !self.is_visible(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_covered_is_seen_again_once_it_is_shown() {
        let mut view = View::default();
        let path = Path::new;
        view.own(path("/tmp"), 0o1777);
        assert!(!view.is_visible(path("/tmp/a/b")) && view.is_visible(path("/tmpx")));
        view.hide(path("/tmp/a"));
        assert_eq!(view.steps().len(), 1, "there is nothing to hide");
        view.show(path("/tmp/a"));
        view.show(path("/tmp/a/b"));
        assert_eq!(view.steps().len(), 2, "it is shown already");
        view.hide(path("/tmp/a/b/c"));
        assert_eq!(view.cover(path("/tmp/a/b/c/d")), Some(path("/tmp/a/b/c")));
        assert_eq!(view.cover(path("/tmp/a/b/x")), None);
        view.pin_below(path("/tmp/a/p/.git/hooks"), path("/tmp/a/p"));
        view.pin_below(path("/tmp/a/p/.git/config"), path("/tmp/a/p"));
        let pins: Vec<&Step> = view.steps()[3..].iter().collect();
        let pin = |path: &str| Step::Pin(path.into());
        assert_eq!(pins, [&pin("/tmp/a/p"), &pin("/tmp/a/p/.git")]);
    }
}
