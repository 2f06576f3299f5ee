//! The keys with which agents bill by token, as the daemon was started with them. They stay in this
//! process, and reach a session only where a person chose that billing.

use crate::model::session::Billing;
use crate::provider::PROVIDERS;
use crate::provider::Provider;
use std::collections::BTreeMap;

/// Keys by the variables that hold them. No `Debug`: it would show them.
pub struct Keys {
    known: BTreeMap<&'static str, String>,
}

impl Keys {
    /// Those in the daemon's own environment.
    pub fn read() -> Keys {
        let names = PROVIDERS.iter().flat_map(|provider| provider.keys);
        let known = names.filter_map(|name| Some((*name, std::env::var(name).ok()?)));
        Keys { known: known.filter(|(_, value)| !value.is_empty()).collect() }
    }

    /// The variables that a session of `provider` gets.
    pub fn of(&self, provider: &Provider, billing: Billing) -> BTreeMap<String, String> {
        let named = |name: &&str| provider.keys.contains(name) && billing == Billing::Api;
        let wanted = self.known.iter().filter(|(name, _)| named(name));
        wanted.map(|(name, value)| (name.to_string(), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider;

    #[test]
    fn a_key_goes_to_its_own_agent_and_only_where_it_pays() {
        let known = [("ANTHROPIC_API_KEY", "a"), ("OPENAI_API_KEY", "o")];
        let keys = Keys { known: known.map(|(n, v)| (n, v.to_string())).into() };
        let names = |provider: &str, billing| -> Vec<String> {
            keys.of(provider::find(provider).unwrap(), billing).into_keys().collect()
        };
        for provider in ["claude-code", "codex", "command"] {
            assert!(names(provider, Billing::Subscription).is_empty(), "{provider}");
        }
        assert_eq!(names("claude-code", Billing::Api), ["ANTHROPIC_API_KEY"]);
        assert_eq!(names("codex", Billing::Api), ["OPENAI_API_KEY"]);
        assert_eq!(names("command", Billing::Api), ["ANTHROPIC_API_KEY", "OPENAI_API_KEY"]);
    }
}
