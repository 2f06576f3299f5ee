//! The ends of approvals: a person's answer from anywhere, the end of the time, the end of the
//! call.
//!
//! 1. The answer MUST be stored together with its row in the audit log, or not at all.
//! 2. A late answer MUST be told what came before it, and MUST change nothing.

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::limits;
use crate::model::approval::Answer;
use crate::model::approval::Approval;
use crate::model::approval::Moment;
use crate::model::approval::Reach;
use crate::model::approval::Status;
use crate::model::audit::Decider;
use crate::model::audit::Kind;
use crate::model::audit::NewEntry;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::session::Change;
use crate::service::Service;
use crate::service::approvals::grants;
use crate::service::live::Live;
use crate::service::notices::raise;
use crate::service::records::session_event;
use crate::store::approvals;
use crate::store::audit;
use crate::store::events;
use crate::store::tx::Tx;
use crate::sys::proc;
use serde_json::json;
use std::sync::Arc;

/// A person's answer.
pub struct Reply {
    /// It may run.
    pub yes: bool,
    /// Words for the model and the log.
    pub reason: Option<String>,
    /// How far a yes reaches.
    pub reach: Reach,
    /// What the person was shown, as the digest that the approval is bound to.
    pub seen: Option<[u8; 32]>,
    /// Through which door and process.
    pub client: String,
}

impl Service {
    /// A person answers. `Conflict` where somebody or something was first, and where the session
    /// has ended: nothing runs then.
    pub fn reply(&self, id: i64, reply: Reply) -> Result<Approval> {
        let found = self.store().read(|conn| approvals::get(conn, id))?;
        let approval =
            found.ok_or_else(|| Error::not_found(format!("Approval not found: {id}")))?;
        if let Some(known) = &approval.answer {
            return Err(Error::conflict(told(id, known)));
        }
        if approval.status(time::unix_ms()) == Status::Expired {
            return Err(Error::conflict(format!("approval {id} has expired; nothing runs")));
        }
        if self.records.live(&approval.session).is_none() {
            let text = format!("the session of approval {id} has ended; nothing runs");
            return Err(Error::conflict(text));
        }
        if reply.seen.is_some_and(|seen| seen != approval.bound_sha256) {
            let text =
                format!("approval {id} is not about the call that you were shown; look again");
            return Err(Error::conflict(text));
        }
        let reason = match (&reply.reason, reply.yes) {
            (Some(words), _) => words.clone(),
            (None, true) => "approved by the person".to_string(),
            (None, false) => "denied by the person".to_string(),
        };
        let status = if reply.yes { Status::Approved } else { Status::Denied };
        let answer = self.ending(status, Decider::Person, &reason, Some(reply.client));
        let reach = Some(reply.reach).filter(|reach| reply.yes && !reach.is_once());
        self.end_approval(id, answer, reach)
    }

    fn ending(
        &self,
        status: Status,
        decider: Decider,
        reason: &str,
        client: Option<String>,
    ) -> Answer {
        Answer { status, at_ms: time::unix_ms(), decider, reason: reason.to_string(), client }
    }

    /// Stores an answer, and then lets everybody know.
    fn end_approval(&self, id: i64, answer: Answer, reach: Option<Reach>) -> Result<Approval> {
        let now = grants::moment(&self.boot_id);
        let session = self.store().read(|conn| approvals::get(conn, id))?.map(|a| a.session);
        let live = session.as_ref().and_then(|id| self.records.live(id));
        let epoch = live.as_ref().map_or(0, |live| live.row().epoch);
        // Of what happens in its own terminal the agent tells by itself.
        let goes_on = matches!(answer.decider, Decider::Person | Decider::Expiry);
        let settled = self.store().write(move |tx| store(tx, id, &answer, reach, epoch, &now))?;
        self.approvals.close(id);
        let last = |live: &Arc<Live>| goes_on && self.approvals.count(&live.id) == 0;
        if let Some(live) = live.filter(last) {
            self.records.transition(&live, Change::Works);
        }
        self.approvals_changed(&settled.session);
        self.notices_changed();
        Ok(settled)
    }

    /// An end that nobody chose. One that cannot be stored stays open and is tried again.
    fn end_or_retry(&self, id: i64, answer: Answer) {
        match self.end_approval(id, answer, None) {
            Ok(_) => {}
            // Somebody was first, or it went with its session.
            Err(error) if matches!(error.code, Code::Conflict | Code::NotFound) => {
                self.approvals.close(id);
            }
            Err(error) => {
                log::error!("approval {id} cannot be ended: {}", error.chain());
                self.approvals.put_off(id, limits::END_RETRY);
            }
        }
    }

    /// The time is over.
    pub(super) fn expire(&self, id: i64) {
        let reason = "nobody answered in time";
        self.end_or_retry(id, self.ending(Status::Expired, Decider::Expiry, reason, None));
    }

    /// Its hook is gone. Under an agent's open dialog that means a no there: on a yes the hook
    /// stays.
    pub(super) fn lose(&self, id: i64) {
        let Some((session, dialog)) = self.approvals.is_away(id) else { return };
        let runs = |live: &Live| {
            let row = live.row();
            !row.stop_wanted && row.pid.is_some_and(|pid| proc::stat(pid).is_some())
        };
        let runs = self.records.live(&session).is_some_and(|live| runs(&live));
        let (status, decider, reason) = match dialog && runs {
            true => (Status::Denied, Decider::Terminal, "answered no in the terminal"),
            false if runs => (Status::Withdrawn, Decider::Withdrawn, "the agent gave the call up"),
            false => (Status::Withdrawn, Decider::Withdrawn, "the agent has ended"),
        };
        self.end_or_retry(id, self.ending(status, decider, reason, None));
    }

    /// A conversation or a session has come to an end, and its questions with it.
    pub fn withdraw_all(&self, session: &str, reason: &str) {
        for id in self.approvals.in_session(session) {
            let ending = self.ending(Status::Withdrawn, Decider::Withdrawn, reason, None);
            self.end_or_retry(id, ending);
        }
    }

    /// A call has run: where its dialog stood open for us, it was answered there.
    pub fn answered_in_terminal(&self, live: &Live, call: &ToolCall) {
        let Some(call_id) = call.call_id.as_deref() else { return };
        if self.approvals.count(&live.id) == 0 {
            return;
        }
        match self.store().read(|conn| approvals::of_call(conn, &live.id, call_id)) {
            Ok(Some(known)) if known.answer.is_none() && self.approvals.is_dialog(known.id) => {
                let reason = "answered yes in the terminal";
                let ending = self.ending(Status::Approved, Decider::Terminal, reason, None);
                self.end_or_retry(known.id, ending);
            }
            Ok(_) => {}
            Err(error) => log::error!("session {}: {}", live.id, error.chain()),
        }
    }
}

/// Stores an answer, its row in the audit log, its event, and the grant that goes with it.
fn store(
    tx: &Tx<'_>,
    id: i64,
    answer: &Answer,
    reach: Option<Reach>,
    epoch: u32,
    now: &Moment,
) -> Result<Approval> {
    let found = approvals::get(tx, id)?;
    let approval = found.ok_or_else(|| Error::not_found(format!("Approval not found: {id}")))?;
    if let Some(known) = &approval.answer {
        return Err(Error::conflict(told(id, known)));
    }
    approvals::answer(tx, id, answer)?;
    raise::settled(tx, &approval, answer.status, answer.at_ms)?;
    let action = match answer.status {
        Status::Approved => Action::Allow,
        _ => Action::Deny,
    };
    let asked = audit::get(tx, approval.decision)?.map(|row| row.entry);
    let row = NewEntry {
        session: Some(approval.session.clone()),
        call: asked.as_ref().and_then(|asked| asked.call.clone()),
        input_sha256: Some(approval.input_sha256),
        effects: asked.map(|asked| asked.effects).unwrap_or_default(),
        decision: Some(action),
        client: answer.client.clone(),
        about: Some(approval.decision),
        ..NewEntry::new(Kind::Answer, answer.at_ms, answer.decider, answer.reason.clone())
    };
    audit::append(tx, &row)?;
    if let Some(reach) = &reach {
        grants::give(tx, &approval, epoch, reach, now, answer.client.as_deref())?;
    }
    let payload = json!({
        "approvalId": id,
        "status": answer.status.word(),
        "decider": answer.decider.word(),
        "reason": answer.reason,
    });
    events::append(tx, &session_event(&approval.session, "approval answered", payload))?;
    Ok(Approval { answer: Some(answer.clone()), ..approval })
}

/// What a late answer is told.
fn told(id: i64, known: &Answer) -> String {
    let status = known.status.word();
    let by = match known.decider {
        Decider::Terminal => " in the terminal".to_string(),
        Decider::Person => known.client.as_ref().map_or(String::new(), |c| format!(" by {c}")),
        _ => format!(" ({})", known.reason),
    };
    let at = time::rfc3339(known.at_ms);
    format!("approval {id} was {status}{by} at {at}; your answer changed nothing")
}
