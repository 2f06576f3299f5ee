//! Which policy sets hold for a session: chosen at its start, applied to it and taken off, from its
//! next call on.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::session::Session;
use crate::service::Service;
use crate::service::policy_sets::SetView;
use crate::service::recorded;
use crate::service::records::session_event;
use crate::store::events;
use crate::store::policy_sets;
use crate::store::tx::Tx;
use serde_json::json;

impl Service {
    /// The sets that hold for a session.
    pub fn session_sets(&self, row: &Session) -> Result<Vec<SetView>> {
        let all = self.policy_sets()?;
        Ok(all.into_iter().filter(|view| view.sessions.contains(&row.id)).collect())
    }

    /// The sets that people mean for a session that is to start, each once.
    pub fn found_sets(&self, words: &[String]) -> Result<Vec<SetView>> {
        let most = limits::gate::POLICIES;
        if words.len() > most {
            return Err(Error::invalid(format!(
                "a session starts with at most {most} policy sets"
            )));
        }
        let mut found: Vec<SetView> = Vec::new();
        for word in words {
            let view = self.find_set(word)?;
            if !found.iter().any(|known| known.set.id == view.set.id) {
                found.push(view);
            }
        }
        Ok(found)
    }

    /// Lets a set hold for a session from its next tool call on; false where it did already.
    pub fn apply_set(&self, row: &Session, words: &str, by: &str) -> Result<bool> {
        let view = self.find_set(words)?;
        let (session, by) = (row.id.clone(), by.to_string());
        let _changing = self.rules.changing();
        let done = self.store().write(move |tx| {
            if !view.built_in {
                policy_sets::need(tx, &view.set.id)?;
            }
            let new = policy_sets::apply(tx, &session, &view.set.id)?;
            if new {
                let event = json!({"policySetId": view.set.id, "message": view.set.name});
                events::append(tx, &session_event(&session, "set applied", event))?;
                let name = &view.set.name;
                let details = json!({"id": view.set.id, "set": name, "sessionId": session});
                recorded::set(tx, &by, format!("policy set {name} applied to a session"), details)?;
            }
            Ok(new)
        });
        self.records.waits.notify(&row.id);
        done
    }

    /// Takes a set off a session. `NotFound` where it did not hold for it.
    pub fn unapply_set(&self, row: &Session, words: &str, by: &str) -> Result<()> {
        let set = self.find_set(words)?.set;
        let (session, by) = (row.id.clone(), by.to_string());
        let _changing = self.rules.changing();
        let done = self.store().write(move |tx| {
            if !policy_sets::unapply(tx, &session, &set.id)? {
                let text = format!("the policy set {} is not applied to {session}", set.name);
                return Err(Error::not_found(text));
            }
            let event = json!({"policySetId": set.id, "message": set.name});
            events::append(tx, &session_event(&session, "set taken off", event))?;
            let details = json!({"id": set.id, "set": set.name, "sessionId": session});
            recorded::set(tx, &by, format!("policy set {} taken off a session", set.name), details)
        });
        self.records.waits.notify(&row.id);
        done
    }
}

/// These sets hold for a new session from its first call on, where a person said so in place of the
/// default set.
pub(super) fn from_the_start(tx: &Tx<'_>, session: &str, sets: &[SetView]) -> Result<()> {
    for view in sets {
        // It may have gone since it was found by what it is called.
        if !view.built_in {
            policy_sets::need(tx, &view.set.id)?;
        }
        policy_sets::apply(tx, session, &view.set.id)?;
    }
    let names: Vec<&str> = sets.iter().map(|view| view.set.name.as_str()).collect();
    let ids: Vec<&str> = sets.iter().map(|view| view.set.id.as_str()).collect();
    recorded::started_under(tx, session, &names, &ids)
}
