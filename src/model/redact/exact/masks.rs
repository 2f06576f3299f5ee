//! The secrets of all sessions that run, for whoever writes something down.

use crate::model::audit::NewEntry;
use crate::model::call::ToolCall;
use crate::model::redact::exact::Needles;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// What is known of them at the moment.
#[derive(Default)]
pub struct Masks {
    known: Mutex<(u64, BTreeMap<u64, Arc<Needles>>)>,
}

/// Keeps the secrets of one session known; they are forgotten when it is dropped.
pub struct Masked {
    masks: Arc<Masks>,
    number: u64,
    needles: Arc<Needles>,
}

impl Masked {
    /// The session's own.
    pub fn needles(&self) -> Arc<Needles> {
        self.needles.clone()
    }
}

impl Masks {
    /// Adds those of a session.
    pub fn add(self: &Arc<Masks>, needles: Needles) -> Masked {
        let needles = Arc::new(needles);
        let mut known = self.lock();
        known.0 += 1;
        let number = known.0;
        if !needles.is_empty() {
            known.1.insert(number, needles.clone());
        }
        drop(known);
        Masked { masks: self.clone(), number, needles }
    }

    /// Those of all sessions.
    pub fn all(&self) -> Vec<Arc<Needles>> {
        self.lock().1.values().cloned().collect()
    }

    /// A text without them.
    pub fn text(&self, text: &str) -> String {
        self.all().iter().fold(text.to_string(), |text, needles| needles.text(&text))
    }

    /// A value without them.
    pub fn value<'a>(&self, value: &'a Value) -> Cow<'a, Value> {
        self.all().iter().fold(Cow::Borrowed(value), |value, all| Cow::Owned(all.value(&value)))
    }

    /// A call without them, in its input and its directory.
    pub fn call(&self, call: &ToolCall) -> ToolCall {
        let input = self.value(&call.input).into_owned();
        ToolCall { input, cwd: self.text(&call.cwd), ..call.clone() }
    }

    /// A row of the audit log without them.
    pub fn entry<'a>(&self, entry: &'a NewEntry) -> Cow<'a, NewEntry> {
        if self.lock().1.is_empty() {
            return Cow::Borrowed(entry);
        }
        Cow::Owned(NewEntry {
            call: entry.call.as_ref().map(|call| self.call(call)),
            details: entry.details.as_ref().map(|details| self.value(details).into_owned()),
            effects: entry.effects.iter().map(|effect| self.text(effect)).collect(),
            reason: self.text(&entry.reason),
            ..entry.clone()
        })
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Arc<Needles>>)> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Drop for Masked {
    fn drop(&mut self) {
        self.masks.lock().1.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_known_while_their_session_lasts() {
        let masks = Arc::new(Masks::default());
        let needles = |name: &str, value: &str| {
            let pair = [(&name.to_string(), &value.to_string())];
            Needles::of(pair, |bytes| Box::new(bytes))
        };
        let one = masks.add(needles("ONE", "first-secret"));
        let two = masks.add(needles("TWO", "other-secret"));
        let text = "first-secret other-secret";
        assert_eq!(masks.text(text), "[secret ONE] [secret TWO]");
        drop(one);
        assert_eq!(masks.text(text), "first-secret [secret TWO]");
        let value = json!({"a": ["x other-secret"], "n": 1});
        assert_eq!(*masks.value(&value), json!({"a": ["x [secret TWO]"], "n": 1}));
        drop(two);
        assert!(masks.all().is_empty());
        assert_eq!(*masks.value(&value), value);
    }
}
