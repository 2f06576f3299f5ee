//! Questions to the person as they come up: before a call runs, or with the agent's own dialog.
//!
//! 1. An answer MUST be bound to the exact call: another byte of input, another directory or
//!    another call id is another question.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::limits;
use crate::model::approval::Approval;
use crate::model::approval::Status;
use crate::model::audit::Decider;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::provider;
use crate::provider::Provider;
use crate::provider::canonical;
use crate::service::Service;
use crate::service::approvals::grants;
use crate::service::gate::HookAnswer;
use crate::service::gate::HookCall;
use crate::service::gate::Said;
use crate::service::live::Live;
use crate::service::notices::raise;
use crate::service::records::session_event;
use crate::store::approvals;
use crate::store::audit;
use crate::store::events;
use serde_json::json;
use std::time::Duration;

/// What is to be asked.
pub struct Question<'a> {
    /// The session.
    pub session: &'a str,
    /// The hook's request, which carries the answer back.
    pub request: &'a str,
    /// The call is to run outside of the agent's own sandbox.
    pub outside: bool,
    /// The call.
    pub call: &'a ToolCall,
}

impl Question<'_> {
    /// The approval, pending, not stored yet and with no decision named.
    pub fn approval(&self, now_ms: i64, hold: Duration) -> Approval {
        let ToolCall { tool, input, cwd, call_id, agent_id } = self.call;
        let bound = json!([self.session, agent_id, call_id, tool, input, cwd]);
        let hold = i64::try_from(hold.as_millis()).unwrap_or(i64::MAX);
        Approval {
            id: 0,
            session: self.session.to_string(),
            decision: 0,
            holder: self.request.to_string(),
            bound_sha256: canonical::sha256(&bound),
            grant_sha256: grants::key(self.session, self.call, self.outside),
            tool: tool.clone(),
            call_id: call_id.clone(),
            agent_id: agent_id.clone(),
            input_sha256: canonical::sha256(input),
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(hold),
            answer: None,
        }
    }
}

impl Service {
    /// An agent asks its person: its dialog stands, or will. Where we asked for that, our answer
    /// may come first.
    pub fn at_dialog(
        &self,
        live: &Live,
        provider: &Provider,
        asked: &HookCall<'_>,
        call: &ToolCall,
    ) -> Result<HookAnswer> {
        let (session, request) = (live.id.clone(), asked.request.to_string());
        let known = self.store().read(|conn| approvals::of_holder(conn, &session, &request))?;
        if let Some(approval) = known {
            if approval.input_sha256 != canonical::sha256(&call.input) {
                return Err(Error::denied("this request id was used for another call"));
            }
            let stands = provider.opens_dialog(&live.row().args);
            return self.asked_again(&approval, call, stands, true);
        }
        if !provider.capabilities.native_hooks {
            return Ok(HookAnswer::Say(Said::no_opinion()));
        }
        if !provider.opens_dialog(&live.row().args) {
            let (answer, _) = self.decide(live, provider, asked, call)?;
            return Ok(match answer {
                HookAnswer::Say(said) => HookAnswer::Say(dialog_words(&said)),
                HookAnswer::Wait { session, approval, .. } => {
                    HookAnswer::Wait { session, approval, dialog: true }
                }
                HookAnswer::Hold => HookAnswer::Hold,
            });
        }
        let input = canonical::sha256(&call.input);
        let decided = self.store().read(|conn| {
            audit::of_input(conn, &session, call.agent_id.as_deref(), &call.tool, &input)
        })?;
        let Some(decided) = decided else { return Ok(HookAnswer::Say(Said::no_opinion())) };
        match decided.entry.decision {
            Some(Action::Ask) => {}
            Some(Action::Deny) => {
                return Ok(HookAnswer::Say(Said::in_dialog(false, &decided.entry.reason)));
            }
            // The person's own settings ask although the policy allows: theirs to answer.
            _ => {
                let why = json!({"tool": call.tool, "reason": "asked by your own agent settings"});
                self.records.event(session_event(&live.id, "own dialog", why));
                return Ok(HookAnswer::Say(Said::no_opinion()));
            }
        }
        let call_id = decided.entry.call.as_ref().and_then(|known| known.call_id.clone());
        let whole = ToolCall { call_id, ..call.clone() };
        let question =
            Question { session: &session, request: &request, outside: false, call: &whole };
        let approval = Approval {
            decision: decided.seq,
            ..question.approval(time::unix_ms(), limits::gate::HOLD_DIALOG)
        };
        let id = {
            let approval = approval.clone();
            self.store().write(move |tx| approvals::insert(tx, &approval))?
        };
        self.approvals_asked(live, &Approval { id, ..approval }, &whole, true);
        Ok(HookAnswer::Hold)
    }

    /// An approval has been stored: those who look at the open ones are told.
    pub fn approvals_asked(&self, live: &Live, approval: &Approval, call: &ToolCall, dialog: bool) {
        if let Err(error) = self.open_pending(approval, call, dialog) {
            log::warn!("approval {}: {}", approval.id, error.chain());
        }
        let payload = json!({"approvalId": approval.id, "tool": call.tool});
        let event = session_event(&live.id, "approval asked", payload);
        let asked = approval.clone();
        let stored = self.store().write(move |tx| {
            raise::asked(tx, &asked)?;
            events::append(tx, &event)
        });
        if let Err(error) = stored {
            log::warn!("approval {} has no event: {}", approval.id, error.chain());
        }
        self.records.notices.ring();
        self.approvals_changed(&live.id);
    }

    /// A hook that holds an approval has asked again: it is told the answer, or waits for it.
    /// `stands`: the agent's dialog is open meanwhile; `dialog`: that is where the answer goes.
    pub fn asked_again(
        &self,
        approval: &Approval,
        call: &ToolCall,
        stands: bool,
        dialog: bool,
    ) -> Result<HookAnswer> {
        let found;
        let approval = match approval.answer {
            Some(_) => approval,
            None => {
                found = self.open_pending(approval, call, stands)?;
                &found
            }
        };
        if approval.answer.is_none() {
            let (session, approval) = (approval.session.clone(), approval.id);
            return Ok(HookAnswer::Wait { session, approval, dialog });
        }
        Ok(HookAnswer::Say(self.said(approval, dialog)?))
    }

    /// Opens an approval that had no answer a moment ago, and gives it as it is now: an answer that
    /// was stored since has closed it before it was opened here, and nothing would close it again.
    fn open_pending(&self, approval: &Approval, call: &ToolCall, stands: bool) -> Result<Approval> {
        let call = self.store().masks().call(call);
        let is_news = self.approvals.open(approval, Some(&call), stands);
        let id = approval.id;
        let found = self.store().read(|conn| approvals::get(conn, id))?;
        match found {
            Some(known) if known.answer.is_none() => {
                if is_news {
                    self.approvals_changed(&approval.session);
                }
                Ok(known)
            }
            answered => {
                self.approvals.close(id);
                self.approvals_changed(&approval.session);
                answered.ok_or_else(|| Error::not_found(format!("Approval not found: {id}")))
            }
        }
    }

    /// What the hook that held an approval is told by now; `None` while nobody has answered.
    pub fn answered(&self, id: i64, dialog: bool) -> Result<Option<Said>> {
        let found = self.store().read(|conn| approvals::get(conn, id))?;
        let approval =
            found.ok_or_else(|| Error::not_found(format!("Approval not found: {id}")))?;
        match &approval.answer {
            None => Ok(None),
            Some(_) => self.said(&approval, dialog).map(Some),
        }
    }

    fn said(&self, approval: &Approval, dialog: bool) -> Result<Said> {
        let answer = approval.answer.as_ref();
        let answer = answer.ok_or_else(|| Error::internal("an approval without its answer"))?;
        let allow = answer.status == Status::Approved;
        if dialog && answer.decider == Decider::Terminal {
            return Ok(Said::no_opinion());
        }
        if dialog {
            return Ok(Said::in_dialog(allow, &answer.reason));
        }
        let provider = provider::find(&self.find(&approval.session)?.provider)?;
        let action = if allow { Action::Allow } else { Action::Deny };
        Ok(Said::verdict(provider, &Verdict::new(action, answer.reason.clone())))
    }
}

/// The words of a verdict at the gate, for the dialog.
fn dialog_words(said: &Said) -> Said {
    let reason = said.reason.clone().unwrap_or_default();
    match said.word {
        "ask" => Said::no_opinion(),
        word => Said::in_dialog(word == Action::Allow.word(), &reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::approval::Answer;
    use crate::service::login::stand::Stand;
    use crate::store::sessions;

    #[test]
    fn a_hook_that_asks_again_while_the_answer_comes_is_told_it_and_waits_for_nothing() {
        let stand = Stand::new("asked-again");
        let service = &stand.service;
        let row = crate::model::session::Session {
            provider: "claude-code".into(),
            ..service.blank("0b7e4c1e-9d43-4c5e-8f6a-0123456789ab")
        };
        let (tool, cwd) = ("Bash".to_string(), "/p".to_string());
        let call = ToolCall { tool, input: json!({}), cwd, call_id: None, agent_id: None };
        let question = Question { session: &row.id, request: "r", outside: false, call: &call };
        let pending = question.approval(time::unix_ms(), Duration::from_secs(60));
        let answer = Answer {
            status: Status::Denied,
            at_ms: 1,
            decider: Decider::Person,
            reason: "not now".into(),
            client: None,
        };
        let (kept, stored) = (row.clone(), pending.clone());
        let id = service.store().write(move |tx| {
            sessions::insert(tx, &kept)?;
            let id = approvals::insert(tx, &stored)?;
            approvals::answer(tx, id, &answer).map(|()| id)
        });
        // As the hook has read it, a moment before.
        let before = Approval { id: id.unwrap(), ..pending };
        let said = service.asked_again(&before, &call, false, false).unwrap();
        assert!(matches!(said, HookAnswer::Say(said) if said.word == "deny"));
        assert!(!service.approvals.is_open(before.id), "nobody would ever close it");
    }
}
