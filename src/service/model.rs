//! The model of an agent: which one it has, and another one by starting it again.
//!
//! 1. A switch MUST NOT open a dialog that nobody sees: Claude's own `/model` asks where the
//!    conversation is cached, does not say so, and the next Enter would answer. It also becomes the
//!    person's default. Started again with `--model` it does neither.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::event::Page;
use crate::model::session::Session;
use crate::provider;
use crate::provider::option;
use crate::service::Service;
use crate::service::start::ResumeRequest;
use crate::store::events;
use serde_json::Value;

impl Service {
    /// The model of a session as its hooks told last since it started, else as its arguments ask
    /// for, else as told before: an agent that goes on with a conversation may not name it.
    pub fn model(&self, row: &Session) -> Result<Option<String>> {
        let newest = |kind: &str, field: Option<&str>| -> Result<Option<(i64, String)>> {
            let kind = Some(kind.to_string());
            let limit = limits::MODEL_EVENTS;
            let page = Page { kind, newest_first: true, ..Page::newest(&row.id, limit) };
            let found = self.store().read(move |conn| events::page(conn, &page))?;
            Ok(found.events.into_iter().find_map(|event| {
                let named = |field: &str| event.event.payload[field].as_str();
                let model = field.map_or(Some(""), named)?;
                Some((event.id, model.to_string()))
            }))
        };
        let start = newest("SessionStart", Some("model"))?;
        let told = start.max(newest("PostModelSwitch", Some("to_model"))?);
        let began = newest("resumed", None)?.map_or(0, |(id, _)| id);
        let (now, before) = match told {
            Some((id, model)) if id > began => (Some(model), None),
            told => (None, told.map(|(_, model)| model)),
        };
        let asked = option::model_of(&row.args).map(str::to_string);
        Ok(now.or(asked).or(before))
    }

    /// What starts a running session again with another model, once it is stopped. Refused unless
    /// its agent is at rest: the work of a turn would be lost.
    pub fn plan_switch(&self, row: &Session, model: &str) -> Result<ResumeRequest> {
        let provider = provider::find(&row.provider)?;
        if !provider.capabilities.model_switch {
            let id = &row.id;
            return Err(Error::conflict(format!(
                "the model of a {} session is changed in its own terminal: codepiper attach {id}",
                provider.id
            )));
        }
        check_name(model)?;
        let live = self.need_live(row)?;
        if !live.view().is_at_rest() {
            let id = &row.id;
            return Err(Error::conflict(format!(
                "the agent is not at rest, and starts again with the model; \
                 wait for it: codepiper wait --for idle {id}"
            )));
        }
        let env = live.given();
        if let Some(lost) = row.given.iter().find(|name| !env.contains_key(*name)) {
            let id = &row.id;
            return Err(Error::conflict(format!(
                "the session was given {lost}, and this daemon does not know its value; \
                 codepiper stop {id}, then codepiper resume {id} --env {lost} -- --model {model}"
            )));
        }
        let args = Some(option::with_model(&row.args, model));
        Ok(ResumeRequest { env, args, ..ResumeRequest::default() })
    }
}

/// Names and addresses of models; nothing that an agent could read as an option.
fn check_name(model: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@[]".contains(c);
    let starts_well = model.starts_with(|c: char| c.is_ascii_alphanumeric());
    match starts_well && model.chars().all(plain) && model.len() <= limits::MODEL_BYTES {
        true => Ok(()),
        false => Err(Error::invalid(format!("{model:?} is no model's name, such as opus"))),
    }
}

/// What the API shows of a model.
pub fn shown(row: &Session, model: Option<String>) -> Value {
    let switch = provider::find(&row.provider).is_ok_and(|p| p.capabilities.model_switch);
    let mut out = serde_json::json!({"provider": row.provider, "supportsModelSwitch": switch});
    if let Some(model) = model {
        out["model"] = model.into();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_is_no_option_and_no_line() {
        for fine in ["opus", "claude-opus-5-5", "opus[1m]", "arn:aws:bedrock:us:1:x/claude.v2:0"] {
            check_name(fine).unwrap();
        }
        let long = "x".repeat(limits::MODEL_BYTES + 1);
        for bad in ["", "--bare", "-m", "opus haiku", "opus\n", "opus\u{1b}", "$HOME", &long] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
