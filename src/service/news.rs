//! What has changed since somebody looked, by the names of sessions. Knows nothing of what changed:
//! whoever is told reads the newest state, so that a slow reader costs a number and never a queue.

use crate::limits::socket::NEWS;
use crate::sys::poll::Waker;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::Weak;

/// The changes and those who watch them.
#[derive(Default)]
pub struct News {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    revision: u64,
    /// When each name has changed last.
    changed: HashMap<String, u64>,
    /// Changes up to this one are not known by name any more.
    forgotten: u64,
    watchers: Vec<Weak<Waker>>,
}

/// What has changed since a revision.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed {
    /// These names, each once, in no order.
    These(Vec<String>),
    /// Perhaps everything.
    Anything,
}

impl Changed {
    /// Whether this name is among them.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Changed::These(names) => names.iter().any(|known| known == name),
            Changed::Anything => true,
        }
    }
}

impl News {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Something about `name` has changed, and can be read by now.
    pub fn tell(&self, name: &str) {
        let mut inner = self.lock();
        inner.revision += 1;
        let revision = inner.revision;
        if inner.changed.len() >= NEWS && !inner.changed.contains_key(name) {
            inner.changed.clear();
            inner.forgotten = revision - 1;
        }
        inner.changed.insert(name.to_string(), revision);
        inner.watchers.iter().filter_map(Weak::upgrade).for_each(|w| w.wake());
    }

    /// Wakes `waker` at every change, for as long as it lives. Returns the revision as it is now.
    pub fn watch(&self, waker: &Arc<Waker>) -> u64 {
        let mut inner = self.lock();
        inner.watchers.retain(|w| w.strong_count() > 0);
        inner.watchers.push(Arc::downgrade(waker));
        inner.revision
    }

    /// What has changed since revision `seen`, which becomes the newest; `None` where nothing has.
    pub fn since(&self, seen: &mut u64) -> Option<Changed> {
        let inner = self.lock();
        let before = std::mem::replace(seen, inner.revision);
        if before == inner.revision {
            return None;
        }
        if before < inner.forgotten {
            return Some(Changed::Anything);
        }
        let newer = inner.changed.iter().filter(|(_, at)| **at > before);
        Some(Changed::These(newer.map(|(name, _)| name.clone()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(changed: Option<Changed>) -> Vec<String> {
        let Some(Changed::These(mut names)) = changed else { panic!("{changed:?}") };
        names.sort();
        names
    }

    #[test]
    fn a_reader_is_told_each_changed_name_once_however_late_it_looks() {
        let news = News::default();
        news.tell("before");
        let waker = Arc::new(Waker::new().unwrap());
        let mut seen = news.watch(&waker);
        assert_eq!(news.since(&mut seen), None);
        for name in ["a", "b", "a", "a"] {
            news.tell(name);
        }
        assert_eq!(names(news.since(&mut seen)), ["a", "b"]);
        assert_eq!(news.since(&mut seen), None);
        news.tell("b");
        assert_eq!(names(news.since(&mut seen)), ["b"]);
    }

    #[test]
    fn memory_is_bounded_and_who_looks_too_late_is_told_to_read_everything() {
        let news = News::default();
        let (mut early, mut late) = (0, 0);
        for number in 0..NEWS {
            news.tell(&number.to_string());
        }
        assert_eq!(names(news.since(&mut late)).len(), NEWS);
        news.tell("one more");
        assert_eq!(news.since(&mut early), Some(Changed::Anything));
        assert_eq!(names(news.since(&mut late)), ["one more"]);
        assert!(news.lock().changed.len() <= NEWS);
    }

    #[test]
    fn nobody_who_has_gone_is_remembered() {
        let news = News::default();
        for _ in 0..10 {
            let waker = Arc::new(Waker::new().unwrap());
            news.watch(&waker);
        }
        news.watch(&Arc::new(Waker::new().unwrap()));
        assert_eq!(news.lock().watchers.len(), 1);
    }
}
