//! Text that must not be seen: a password, a key, a token, the values of variables.
//!
//! 1. `Debug` MUST NOT show it, and there MUST be no `Display`.
//! 2. Its memory MUST be overwritten when it is let go.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use zeroize::Zeroize;
use zeroize::Zeroizing;

/// A secret text. Whoever needs the text itself says so with [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text over.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text, for as long as it takes to use it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Variables by their names, whose values are secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Vars(BTreeMap<String, String>);

impl Vars {
    /// Sets one; the value that it had is overwritten.
    pub fn put(&mut self, name: impl Into<String>, value: impl Into<String>) {
        if let Some(mut before) = self.0.insert(name.into(), value.into()) {
            before.zeroize();
        }
    }

    /// Sets all of these.
    pub fn put_all(&mut self, others: &BTreeMap<String, String>) {
        others.iter().for_each(|(name, value)| self.put(name, value.as_str()));
    }

    /// Takes one away; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let gone = self.0.remove(name);
        gone.map(|mut value| value.zeroize()).is_some()
    }

    /// The pairs, for whoever goes on looking after them.
    pub fn into_pairs(mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0).into_iter().collect()
    }
}

impl Deref for Vars {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl From<BTreeMap<String, String>> for Vars {
    fn from(pairs: BTreeMap<String, String>) -> Vars {
        Vars(pairs)
    }
}

impl Drop for Vars {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Overwrites every text in a value, for one that held secrets.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_show_their_names_and_never_their_values() {
        let mut vars = Vars::default();
        vars.put("B", "old");
        vars.put_all(&BTreeMap::from([
            ("A".into(), "x=y".into()),
            ("B".into(), "hunter22".into()),
        ]));
        assert_eq!(format!("{vars:?}"), r#"{"A", "B"}"#);
        assert_eq!(vars["B"], "hunter22");
        assert!(vars.remove("A") && !vars.remove("A"));
        assert_eq!(vars.into_pairs(), [("B".to_string(), "hunter22".to_string())]);
    }

    #[test]
    fn a_wiped_value_holds_no_text() {
        let mut value = json!({"a": ["secret", {"b": "secret"}], "n": 3});
        wipe(&mut value);
        assert_eq!(value, json!({"a": ["", {"b": ""}], "n": 3}));
    }

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let secret = Secret::new("hunter22");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[secret] Some([secret])");
        assert_eq!(secret.clone().expose(), "hunter22");
    }
}
