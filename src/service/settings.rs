//! The daemon's settings: one table of keys, each checked before it is stored.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::call::Action;
use crate::policy::Policies;
use crate::policy::Policy;
use crate::policy::rule;
use crate::service::Service;
use crate::store::settings;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// One setting.
pub struct Setting {
    /// Its name in the API and on the command line.
    pub key: &'static str,
    /// What it does.
    pub about: &'static str,
    default: fn() -> Value,
    check: fn(&Value) -> Result<()>,
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "policy",
        about: "rules that decide tool calls: [{\"action\":\"deny\",\"tool\":\"Bash\",…}]",
        default: || json!([]),
        check: |value| rule::parse(value).map(drop),
    },
    Setting {
        key: "maxSessions",
        about: "sessions that may run at once",
        default: || json!(limits::SESSIONS_LIVE),
        check: |value| check_number("maxSessions", value, 1, limits::SESSIONS_MOST as u64),
    },
    Setting {
        key: "sessionLogBytes",
        about: "output kept of one session; counts from its next start",
        default: || json!(limits::LOG_BYTES),
        check: |value| check_number("sessionLogBytes", value, 2 * limits::SEGMENT_BYTES, 1 << 40),
    },
];

fn check_number(key: &str, value: &Value, least: u64, most: u64) -> Result<()> {
    match value.as_u64() {
        Some(number) if (least..=most).contains(&number) => Ok(()),
        _ => Err(Error::invalid(format!("{key} must be a whole number from {least} to {most}"))),
    }
}

impl Service {
    /// All settings with their values.
    pub fn settings(&self) -> Result<Map<String, Value>> {
        let stored = self.store().read(settings::all)?;
        let value = |s: &Setting| stored.get(s.key).cloned().unwrap_or_else(s.default);
        Ok(SETTINGS.iter().map(|s| (s.key.to_string(), value(s))).collect())
    }

    /// Changes settings, all of them or, if one is wrong, none.
    pub fn set(&self, changes: &Map<String, Value>) -> Result<Map<String, Value>> {
        for (key, value) in changes {
            let known = || {
                let keys: Vec<&str> = SETTINGS.iter().map(|s| s.key).collect();
                Error::invalid(format!("unknown setting {key:?}; known are {}", keys.join(", ")))
            };
            let setting = SETTINGS.iter().find(|s| s.key == key).ok_or_else(known)?;
            (setting.check)(value)?;
        }
        let store = changes.clone();
        self.store().write(move |tx| {
            store.iter().try_for_each(|(key, value)| settings::put(tx, key, value))
        })?;
        self.load_policy()?;
        self.settings()
    }

    /// A setting that is a number.
    pub fn number(&self, key: &str) -> u64 {
        let default = || {
            let setting = SETTINGS.iter().find(|s| s.key == key);
            setting.and_then(|s| (s.default)().as_u64()).unwrap_or_default()
        };
        let stored = self.store().read(|conn| settings::get(conn, key)).ok().flatten();
        stored.and_then(|value| value.as_u64()).unwrap_or_else(default)
    }

    /// The rules in force.
    pub fn policies(&self) -> Arc<Policies> {
        self.rules.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Reads the rules from the store. Without readable rules nothing matches, so every call asks.
    pub fn load_policy(&self) -> Result<()> {
        let stored = self.store().read(|conn| settings::get(conn, "policy"))?;
        let rules = stored.as_ref().map_or(Ok(Vec::new()), rule::parse)?;
        let policy = Policy { name: "settings".to_string(), priority: 0, rules };
        let policies = Policies { list: vec![policy], default: Action::Ask };
        *self.rules.lock().unwrap_or_else(|e| e.into_inner()) = Arc::new(policies);
        Ok(())
    }
}
