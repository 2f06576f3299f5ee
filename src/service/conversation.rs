//! The conversation that an agent goes on with when it starts.

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::model::session::Session;
use crate::provider::Provider;
use crate::service::Service;
use std::path::Path;

/// A conversation that an agent had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The agent's own id of it.
    pub id: String,
    /// It is left as it is, and goes on as a new one.
    pub fork: bool,
}

impl Service {
    /// A conversation must have one program at a time: both would write into it.
    pub fn check_conversation(&self, provider: &Provider, talk: &Conversation) -> Result<()> {
        let id = &talk.id;
        if !provider.capabilities.native_hooks {
            let provider = provider.id;
            return Err(Error::invalid(format!("a {provider} session has no conversations")));
        }
        if !id::is_uuid(id) {
            return Err(Error::invalid(format!("{id:?} is no conversation's id, which is a UUID")));
        }
        let rows = self.list()?;
        let has = |row: &&Session| row.agent_session.as_ref() == Some(id) && row.state.is_live();
        match rows.iter().find(has).filter(|_| !talk.fork) {
            Some(row) => Err(Error::conflict(format!(
                "session {} has this conversation at the moment; attach to it, or fork it",
                row.id
            ))),
            None => Ok(()),
        }
    }
}

/// What a session that ended goes on with. Claude keeps a conversation only once there was a prompt
/// in it, and ends with an error when it is asked for another: then it begins as it first did.
pub fn of(row: &Session) -> Option<Conversation> {
    let own = row.agent_session.as_deref() == Some(&row.id);
    let kept = |path: &String| Path::new(path).exists();
    let begun = !own || row.transcript_path.as_ref().is_none_or(kept);
    match (row.agent_session.clone().filter(|_| begun), row.forked_from.clone()) {
        (Some(id), _) => Some(Conversation { id, fork: false }),
        (None, Some(id)) => Some(Conversation { id, fork: true }),
        (None, None) => None,
    }
}
