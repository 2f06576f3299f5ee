//! The names that a session would get as its environment, where each comes from, and why others do
//! not. The order of its layers is the one of `prepare`; a test holds both together.
//!
//! 1. A value MUST NOT be in what is told, and no set MUST be opened for it.

use crate::base::error::Result;
use crate::model::env_set::EnvSet;
use crate::model::session::Billing;
use crate::model::session::Session;
use crate::provider;
use crate::provider::LaunchRequest;
use crate::provider::Provider;
use crate::provider::env;
use crate::service::Service;
use crate::service::start::StartRequest;
use std::collections::BTreeMap;

/// Who sets what nobody else does.
const OURS: &str = "codepiper";
const LOGIN: &str = "login shell";
const DAEMON: &str = "the daemon's environment";
const GIVEN: &str = "--env";
const BY_TOKEN: &str = "it bills by token, and the session is billed by subscription";

/// A variable that stays out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub from: String,
    /// Why it does not pass.
    pub why: String,
}

/// What would pass, name by name with where it is from, and what would not.
#[derive(Debug, Default)]
pub struct ShownEnv {
    /// By name.
    pub passed: BTreeMap<String, String>,
    /// By name, then by where they are.
    pub left: Vec<Left>,
}

impl ShownEnv {
    /// The next layer: it wins over those before.
    fn layer<'a>(&mut self, from: &str, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            if let Some(before) = self.passed.insert(name.to_string(), from.to_string())
                && before != OURS
            {
                self.leave(name, &before, &format!("the one of {from} wins"));
            }
        }
    }

    fn leave(&mut self, name: &str, from: &str, why: &str) {
        let (name, from, why) = (name.to_string(), from.to_string(), why.to_string());
        self.left.push(Left { name, from, why });
    }
}

impl Service {
    /// What a start would pass. Nothing is started.
    pub fn show_env(&self, request: &StartRequest) -> Result<ShownEnv> {
        let provider = provider::find(&request.provider)?;
        env::check_billing(request.billing, provider.keys, &request.env)?;
        let row = Session {
            provider: provider.id.to_string(),
            billing: request.billing,
            env_sets: self.env_set_ids(&request.env_sets)?,
            ..self.blank("")
        };
        let (sets, login) = (self.sets_of(&row)?, self.login_env.get());
        let by_token =
            |name: &str| request.billing == Billing::Subscription && provider.keys.contains(&name);
        let mut shown = ShownEnv::default();
        for name in self.keys.of(provider, Billing::Api).keys() {
            match by_token(name) {
                true => shown.leave(name, DAEMON, BY_TOKEN),
                false => shown.layer(DAEMON, [name.as_str()]),
            }
        }
        shown
            .layer(OURS, env::base(&BTreeMap::new(), &BTreeMap::new())?.keys().map(String::as_str));
        for name in login.keys() {
            match env::left_out(name) {
                Some(why) => shown.leave(name, LOGIN, why),
                None if env::is_terminals(name) => {
                    shown.leave(name, LOGIN, "the one of codepiper wins")
                }
                None => shown.layer(LOGIN, [name.as_str()]),
            }
        }
        for set in &sets {
            let from = format!("env set {}", set.name);
            for name in &set.names {
                match by_token(name) {
                    true => shown.leave(name, &from, BY_TOKEN),
                    false => shown.layer(&from, [name.as_str()]),
                }
            }
        }
        shown.layer(GIVEN, request.env.keys().map(String::as_str));
        let own = self.own_names(provider, request, &sets)?;
        shown.layer(OURS, own);
        shown.left.sort_by(|a, b| (&a.name, &a.from).cmp(&(&b.name, &b.from)));
        Ok(shown)
    }

    /// The variables that the gate itself needs in a session.
    fn own_names(
        &self,
        provider: &Provider,
        request: &StartRequest,
        sets: &[EnvSet],
    ) -> Result<Vec<&'static str>> {
        let mut given = BTreeMap::clone(&request.env);
        for name in sets.iter().flat_map(|set| &set.names) {
            given.entry(name.clone()).or_default();
        }
        // Which program it would be does not matter for this.
        let (any, place) = (vec!["sh".to_string()], self.paths.home().to_string_lossy());
        let planned = provider::launch(
            provider,
            &LaunchRequest {
                session: "",
                args: if request.args.is_empty() && provider.program.is_none() {
                    &any
                } else {
                    &request.args
                },
                given: &given,
                hook_program: &place,
                hook_socket: &place,
                secret: "",
                dir: &place,
                resume: None,
                fork: false,
                cwd: &request.cwd,
                project_settings: request.project_settings,
            },
        )?;
        Ok(planned.env.into_iter().map(|(name, _)| name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_layer_wins_and_the_earlier_one_is_told() {
        let mut shown = ShownEnv::default();
        shown.layer(OURS, ["PATH"]);
        shown.layer(LOGIN, ["PATH", "LANG"]);
        shown.layer("env set a", ["LANG", "TOKEN"]);
        shown.layer(GIVEN, ["TOKEN"]);
        let from = |name: &str| shown.passed[name].as_str();
        assert_eq!((from("PATH"), from("LANG"), from("TOKEN")), (LOGIN, "env set a", GIVEN));
        let left: Vec<(&str, &str)> =
            shown.left.iter().map(|one| (one.name.as_str(), one.why.as_str())).collect();
        assert_eq!(
            left,
            [("LANG", "the one of env set a wins"), ("TOKEN", "the one of --env wins")]
        );
    }
}
