//! The daemon's settings: one table of keys, each checked before it is stored.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::audit::Kind;
use crate::model::call::Action;
use crate::service::Service;
use crate::service::notices::raise;
use crate::service::policy_sets::is_built_in;
use crate::service::proof;
use crate::service::recorded;
use crate::service::sandbox;
use crate::service::sandbox::SANDBOX;
use crate::store::policy_sets;
use crate::store::settings;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// What becomes of a tool call that no rule is about.
pub const DEFAULT_ACTION: &str = "defaultPolicyAction";
/// The set that new sessions get.
pub const DEFAULT_SET: &str = "defaultPolicySet";
/// How long a call is held for an approval, in seconds.
pub const HOLD: &str = "holdSeconds";
/// Whether viewers are shown secrets of the session that its output holds.
pub const MASK_OUTPUT: &str = "maskOutput";
/// Whether the dashboard shows notices outside of its page; the browser acts on it.
pub const SYSTEM_NOTICES: &str = "systemNotificationsEnabled";
/// What [`DEFAULT_SET`] is until somebody says otherwise.
const STANDARD_SET: &str = "standard";

/// One setting.
pub struct Setting {
    /// Its name in the API and on the command line.
    pub key: &'static str,
    /// What it does.
    pub about: &'static str,
    default: fn() -> Value,
    check: fn(&Value) -> Result<()>,
    /// `null` is a value of its own; otherwise it brings the default back.
    nullable: bool,
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: DEFAULT_ACTION,
        about: "what becomes of a tool call that no rule is about: ask or deny",
        default: || json!(Action::Ask.word()),
        check: |value| match value.as_str() {
            Some("ask" | "deny") => Ok(()),
            _ => Err(Error::invalid(format!("{DEFAULT_ACTION} is ask or deny, not {value}"))),
        },
        nullable: false,
    },
    Setting {
        key: DEFAULT_SET,
        about: "policy set that new sessions get, by id or name; null for none",
        default: || json!(STANDARD_SET),
        check: |value| match value.is_string() || value.is_null() {
            true => Ok(()),
            false => Err(Error::invalid(format!("{DEFAULT_SET} is a policy set or null"))),
        },
        nullable: true,
    },
    Setting {
        key: HOLD,
        about: "seconds that a call waits for its approval where the agent has no dialog",
        default: || json!(limits::gate::HOLD_GATE.as_secs()),
        check: |value| check_number(HOLD, value, 1, limits::gate::HOLD_GATE.as_secs()),
        nullable: false,
    },
    Setting {
        key: MASK_OUTPUT,
        about: "viewers see [secret NAME] for what a session got from its env sets or by --env",
        default: || json!(false),
        check: |value| check_flag(MASK_OUTPUT, value),
        nullable: false,
    },
    Setting {
        key: SANDBOX,
        about: "cage of sessions that name none: auto, guard, workspace, strict, keys-only or off",
        default: || json!(sandbox::AUTO),
        check: |value| match value.as_str() {
            Some(word) => sandbox::check_level(word),
            None => Err(Error::invalid(format!("{SANDBOX} is a level, not {value}"))),
        },
        nullable: false,
    },
    Setting {
        key: "maxSessions",
        about: "sessions that may run at once",
        default: || json!(limits::SESSIONS_LIVE),
        check: |value| check_number("maxSessions", value, 1, limits::SESSIONS_MOST as u64),
        nullable: false,
    },
    Setting {
        key: raise::ENABLED,
        about: "whether there are notifications at all",
        default: || json!(true),
        check: |value| check_flag(raise::ENABLED, value),
        nullable: false,
    },
    Setting {
        key: SYSTEM_NOTICES,
        about: "the dashboard shows notifications as the system's own too",
        default: || json!(false),
        check: |value| check_flag(SYSTEM_NOTICES, value),
        nullable: false,
    },
    Setting {
        key: raise::EVENTS,
        about: "what there are notifications of: {\"session.ended\": false, ...}",
        default: raise::all_events,
        check: raise::check_events,
        nullable: false,
    },
    Setting {
        key: raise::QUIET,
        about: "channels wait then, but for crashes and alarms: {\"from\": \"22:00\", \"to\": ...}",
        default: || Value::Null,
        check: raise::check_quiet,
        nullable: true,
    },
    Setting {
        key: raise::DWELL,
        about: "seconds that a question must stand before there is a notification of it",
        default: || json!(limits::notices::DWELL_SECONDS),
        check: |value| check_number(raise::DWELL, value, 0, limits::notices::DWELL_SECONDS_MOST),
        nullable: false,
    },
    Setting {
        key: "sessionLogBytes",
        about: "output kept of one session; counts from its next start",
        default: || json!(limits::LOG_BYTES),
        check: |value| check_number("sessionLogBytes", value, 2 * limits::SEGMENT_BYTES, 1 << 40),
        nullable: false,
    },
    Setting {
        key: proof::SETTING,
        about: "an agent's program is started only after its gate was proven or tried on it",
        default: || json!(true),
        check: |value| check_flag(proof::SETTING, value),
        nullable: false,
    },
];

fn check_flag(key: &str, value: &Value) -> Result<()> {
    match value.is_boolean() {
        true => Ok(()),
        false => Err(Error::invalid(format!("{key} must be true or false"))),
    }
}

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

    /// Changes settings, all of them or, if one is wrong, none. `null` brings a default back, or
    /// is a value where the setting says so.
    pub fn set(&self, changes: &Map<String, Value>, by: &str) -> Result<Map<String, Value>> {
        let mut store = Vec::with_capacity(changes.len());
        for (key, value) in changes {
            let known = || {
                let keys: Vec<&str> = SETTINGS.iter().map(|s| s.key).collect();
                Error::invalid(format!("unknown setting {key:?}; known are {}", keys.join(", ")))
            };
            let setting = SETTINGS.iter().find(|s| s.key == key).ok_or_else(known)?;
            if !value.is_null() || setting.nullable {
                (setting.check)(value)?;
            }
            store.push((setting, self.as_stored(setting, value)?));
        }
        let by = by.to_string();
        let _changing = self.rules.changing();
        self.store().write(move |tx| {
            for (setting, value) in &store {
                let was = settings::get(tx, setting.key)?;
                let details = json!({"setting": setting.key, "was": was, "is": value});
                let reason = format!("setting {} changed", setting.key);
                recorded::changed(tx, Kind::Setting, &by, reason, details)?;
            }
            store.iter().try_for_each(|(setting, value)| match value {
                Value::Null if setting.nullable => settings::put_null(tx, setting.key),
                // It may have gone since it was found by what it is called.
                Value::String(id) if setting.key == DEFAULT_SET && !is_built_in(id) => {
                    policy_sets::need(tx, id)?;
                    settings::put(tx, setting.key, value)
                }
                _ => settings::put(tx, setting.key, value),
            })
        })?;
        // Quiet hours may be over by that.
        self.records.notices.ring();
        self.settings()
    }

    /// A policy set's id for whatever a person calls it; of kinds of notices those that are not
    /// named as they are.
    fn as_stored(&self, setting: &Setting, value: &Value) -> Result<Value> {
        match value {
            Value::String(words) if setting.key == DEFAULT_SET => {
                Ok(json!(self.find_set(words)?.set.id))
            }
            Value::Object(named) if setting.key == raise::EVENTS => {
                let mut all = self.setting(raise::EVENTS)?;
                named.iter().for_each(|(word, on)| all[word] = on.clone());
                Ok(all)
            }
            _ => Ok(value.clone()),
        }
    }

    /// A setting as it is.
    pub fn setting(&self, key: &str) -> Result<Value> {
        let setting = SETTINGS.iter().find(|s| s.key == key);
        let stored = self.store().read(|conn| settings::get(conn, key))?;
        Ok(stored.unwrap_or_else(|| setting.map_or(Value::Null, |s| (s.default)())))
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

    /// A setting that is a word.
    pub fn word(&self, key: &str) -> String {
        let setting = SETTINGS.iter().find(|s| s.key == key);
        let default = || setting.map_or(Value::Null, |s| (s.default)());
        let stored = self.store().read(|conn| settings::get(conn, key)).ok().flatten();
        stored.unwrap_or_else(default).as_str().unwrap_or_default().to_string()
    }

    /// A setting that is on or off.
    pub fn flag(&self, key: &str) -> bool {
        let default = || {
            let setting = SETTINGS.iter().find(|s| s.key == key);
            setting.and_then(|s| (s.default)().as_bool()).unwrap_or_default()
        };
        let stored = self.store().read(|conn| settings::get(conn, key)).ok().flatten();
        stored.and_then(|value| value.as_bool()).unwrap_or_else(default)
    }
}

/// The default action that is stored. What cannot be read is the stricter one.
pub fn default_action(stored: Option<&Value>) -> Action {
    match stored.map(|value| value.as_str().and_then(Action::from_word)) {
        None | Some(Some(Action::Ask)) => Action::Ask,
        Some(_) => Action::Deny,
    }
}

/// The set that new sessions get, as it is stored; `None` for none.
pub fn default_set(stored: Option<&Value>) -> Option<String> {
    match stored {
        None => Some(STANDARD_SET.to_string()),
        Some(value) => value.as_str().map(str::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_action_that_is_none_is_the_stricter_one() {
        assert_eq!(default_action(None), Action::Ask);
        for (stored, action) in [
            (json!("ask"), Action::Ask),
            (json!("deny"), Action::Deny),
            (json!("allow"), Action::Deny),
            (json!("Ask"), Action::Deny),
            (json!(null), Action::Deny),
            (json!(["ask"]), Action::Deny),
        ] {
            assert_eq!(default_action(Some(&stored)), action, "{stored}");
        }
    }

    #[test]
    fn no_set_is_a_choice_and_the_standard_one_the_default() {
        assert_eq!(default_set(None).as_deref(), Some("standard"));
        assert_eq!(default_set(Some(&json!(null))), None);
        assert_eq!(default_set(Some(&json!("mine"))).as_deref(), Some("mine"));
    }
}
