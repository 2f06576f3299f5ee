//! What a person can start here: which agents are installed and how their gates stand, and which
//! cages this host has. Starts nothing.

use crate::base::error::Result;
use crate::cage::Level;
use crate::cage::refused;
use crate::model::session::Session;
use crate::provider;
use crate::provider::Provider;
use crate::service::Service;
use crate::service::proof::report;
use crate::service::sandbox::AUTO;
use crate::service::sandbox::SANDBOX;
use crate::service::sandbox_row::newest;
use crate::sys::proc;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// The ways to pay, as a start takes them.
const BILLING: [&str; 2] = ["subscription", "api"];

impl Service {
    /// The provider table, as the API shows it, with what is installed.
    pub fn offered_providers(&self) -> Vec<Value> {
        provider::PROVIDERS.iter().map(|provider| self.offered(provider)).collect()
    }

    fn offered(&self, provider: &Provider) -> Value {
        let mut out = provider.to_json();
        out["billingModes"] = json!(BILLING);
        out["apiKeys"] = json!(provider.keys);
        out["supportsProjectSettings"] = json!(provider.project_settings);
        let program = match self.find_agent(provider, Path::new("/"), &BTreeMap::new()) {
            Ok(Some(program)) => program,
            // The person names the program.
            Ok(None) => return out,
            Err(error) => {
                out["installed"] = json!(false);
                out["problem"] = json!(error.message);
                return out;
            }
        };
        out["installed"] = json!(true);
        out["program"] = json!(program);
        match self.facts(&program) {
            Ok(facts) => {
                out["version"] = json!(facts.version);
                out["gateProof"] = json!(self.proof_of(provider, &facts));
                if let Some(old) = report::too_old(provider, &facts.version) {
                    out["problem"] = json!(old);
                }
            }
            Err(error) => out["problem"] = json!(error.message),
        }
        out
    }

    /// `{levels: [{level, available, why?}], auto, setting}`: which cages this host has, as far as
    /// its settings and the sessions since its boot say; `auto` is what the newest session got that
    /// asked for no level, null where there was none.
    pub fn offered_levels(&self) -> Result<Value> {
        let newest = newest(&self.list()?, &self.boot_id);
        let why = no_namespaces(refused::way_out(Path::new("/proc"), proc::uid()), newest.as_ref());
        let levels = Level::ALL.map(|level| match &why {
            Some(why) if level >= Level::Guard => {
                json!({"level": level.word(), "available": false, "why": why})
            }
            _ => json!({"level": level.word(), "available": true}),
        });
        Ok(json!({
            "levels": levels,
            "auto": newest.map(|row| row.sandbox.held),
            "setting": self.word(SANDBOX),
        }))
    }
}

/// Why no cage of namespaces can be had, where that is known: a whole one that was had since the
/// boot proves that it can, a lesser one that it could not.
fn no_namespaces(way_out: Option<&str>, newest: Option<&Session>) -> Option<String> {
    let held = newest.and_then(|row| Level::from_word(row.sandbox.level()));
    match held {
        Some(level) if level >= Level::Guard => None,
        Some(level) => Some(way_out.map_or_else(
            || format!("{AUTO} got no more than {} on this host", level.word()),
            str::to_string,
        )),
        None => way_out.map(str::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::session::Sandbox;
    use crate::service::login::stand::Stand;

    #[test]
    fn what_a_session_got_says_more_than_the_hosts_settings() {
        let stand = Stand::new("offers");
        let row = |held: &str| Session {
            sandbox: Sandbox { asked: AUTO.into(), held: held.into(), ..Sandbox::default() },
            ..stand.service.blank("0123456789")
        };
        let why = |way_out, held: Option<&str>| no_namespaces(way_out, held.map(row).as_ref());
        assert_eq!(why(None, None), None);
        assert_eq!(why(Some("set it"), None).as_deref(), Some("set it"));
        assert_eq!(why(Some("set it"), Some("guard no-pidns")), None);
        assert_eq!(why(Some("set it"), Some("keys-only")).as_deref(), Some("set it"));
        assert!(why(None, Some("keys-only")).unwrap().contains("no more than keys-only"));
        let said = stand.service.offered_levels().unwrap();
        assert_eq!(said["levels"].as_array().unwrap().len(), Level::ALL.len());
        assert_eq!((&said["levels"][0]["available"], &said["auto"]), (&json!(true), &json!(null)));
    }

    #[test]
    fn each_provider_says_how_it_can_be_started() {
        let stand = Stand::new("offers-providers");
        let all = stand.service.offered_providers();
        assert_eq!(all.len(), provider::PROVIDERS.len());
        assert!(all[0].get("installed").is_none(), "the person names the program");
        for one in &all[1..] {
            assert!(one["installed"].is_boolean() && one["apiKeys"].is_array(), "{one}");
            assert_eq!(one["billingModes"], json!(BILLING));
            assert_eq!(one["installed"] == true, one["program"].is_string(), "{one}");
        }
    }
}
