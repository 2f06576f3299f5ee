//! The gate: a hook's call in, a verdict out, and the decision durable in between.
//!
//! 1. A hook MUST come from a process of the session it names and carry that session's secret.
//! 2. A decision MUST be stored before it is answered; what cannot be stored is denied.
//! 3. The same request MUST get the same answer, whatever the policy says by then.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::keeper::peer;
use crate::limits;
use crate::model::call::Action;
use crate::model::call::Verdict;
use crate::model::event::NewEvent;
use crate::model::event::Source;
use crate::model::session::Change;
use crate::model::session::Session;
use crate::model::session::State;
use crate::output::index::Mark;
use crate::provider;
use crate::provider::Provider;
use crate::provider::hook;
use crate::provider::hook::HookEvent;
use crate::service::Service;
use crate::service::live::Command;
use crate::service::live::Live;
use crate::sys::proc;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What hook-forward sent.
pub struct HookCall<'a> {
    /// Process at the other end.
    pub peer: i32,
    /// The session it speaks for.
    pub session: &'a str,
    /// What proves that.
    pub secret: &'a str,
    /// Id of the request; asked again after a lost connection. Empty for an event that only tells.
    pub request: &'a str,
    /// The hook's event.
    pub event: &'a str,
    /// The hook's whole standard input.
    pub data: &'a Value,
}

/// What hook-forward is told.
pub struct HookReply {
    /// The answer, or that there is none yet.
    pub answer: HookAnswer,
    /// The decision that was stored, for [`Service::decided`].
    decided: Option<(Arc<Live>, i64)>,
}

/// An answer to a hook.
pub enum HookAnswer {
    /// This.
    Say(Said),
    /// A person has been asked: it shall ask again.
    Hold,
    /// It has asked again: it waits until this approval has its answer, see [`Service::answered`].
    Wait {
        /// The session.
        session: String,
        /// The approval.
        approval: i64,
        /// The agent's dialog stands meanwhile.
        dialog: bool,
    },
}

/// What a hook is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The word of the verdict; events that only tell are `allow`.
    pub word: &'static str,
    /// Why.
    pub reason: Option<String>,
    /// What hook-forward prints for the agent.
    pub output: Option<Value>,
}

impl Said {
    /// The answer to an event that only tells.
    fn nothing() -> Said {
        Said { word: Action::Allow.word(), reason: None, output: None }
    }

    /// A verdict at the gate.
    pub fn verdict(provider: &Provider, verdict: &Verdict) -> Said {
        let (word, reason) = (verdict.action.word(), Some(verdict.reason.clone()));
        Said { word, reason, output: provider.answer(verdict) }
    }

    /// A yes or no in the agent's dialog.
    pub fn in_dialog(allow: bool, reason: &str) -> Said {
        let word = if allow { Action::Allow } else { Action::Deny }.word();
        let output = Some(hook::dialog_answer(allow, reason));
        Said { word, reason: Some(reason.to_string()), output }
    }

    /// No opinion: the agent's dialog is its person's.
    pub fn no_opinion() -> Said {
        Said { word: Action::Ask.word(), reason: None, output: None }
    }
}

impl Service {
    /// Takes one hook call. An error is a refusal: hook-forward then blocks the call.
    pub fn hook(&self, call: &HookCall<'_>) -> Result<HookReply> {
        let live = self.authenticate(call)?;
        let provider = provider::find(&live.row().provider)?;
        let event = hook::parse(call.event, call.data)?;
        let asks = matches!(event, HookEvent::PreToolUse(_) | HookEvent::PermissionRequest(_));
        if asks && call.request.is_empty() || call.request.len() > limits::gate::HOOK_WORD_BYTES {
            return Err(Error::invalid("the request id is missing or too long"));
        }
        match event {
            HookEvent::PreToolUse(tool_call) => {
                let (answer, seq) = self.decide(&live, provider, call, &tool_call)?;
                Ok(HookReply { answer, decided: Some((live, seq)) })
            }
            HookEvent::PermissionRequest(asked) if !hook::is_question(&asked.tool) => {
                let answer = self.at_dialog(&live, provider, call, &asked)?;
                // Asked again it is no news.
                if !matches!(answer, HookAnswer::Wait { .. }) {
                    self.told(&live, call, &HookEvent::PermissionRequest(asked));
                }
                Ok(HookReply { answer, decided: None })
            }
            other => {
                self.told(&live, call, &other);
                Ok(HookReply { answer: HookAnswer::Say(Said::nothing()), decided: None })
            }
        }
    }

    /// What can wait until the agent has its answer: the mark in the session's recording, and those
    /// who wait for something to happen in it.
    pub fn decided(&self, reply: &HookReply) {
        let Some((live, id)) = &reply.decided else { return };
        let number = u32::try_from(*id).unwrap_or(u32::MAX);
        // A mark that is not written costs a jump target in the replay, nothing else.
        let _ = live.ask(Command::Mark(Mark::ToolCall(number)));
        self.records.waits.notify(&live.id);
    }

    fn authenticate(&self, call: &HookCall<'_>) -> Result<Arc<Live>> {
        let refuse = |why: &str| {
            let name = proc::stat(call.peer).map(|s| s.comm).unwrap_or_default();
            self.records.refused(call.session, "hook", call.peer, &name);
            Err(Error::denied(why.to_string()))
        };
        // Proven on the row first: only a session's own process is waited for.
        let row = self.find(call.session)?;
        let hash: [u8; 32] = Sha256::digest(call.secret.as_bytes()).into();
        let known = row.secret_sha256.unwrap_or_default();
        if row.secret_sha256.is_none() || !bool::from(hash.ct_eq(&known)) {
            return refuse("the secret is not this session's");
        }
        if !self.is_inside(call.peer, &self.with_keeper(&row, call.peer)?)? {
            return refuse("the process does not belong to this session");
        }
        // One that a new daemon is just adopting; a refusal would block the call.
        let Some(live) = self.live(&row)? else {
            return Err(Error::not_found(format!("Session not found: {}", call.session)));
        };
        Ok(live)
    }

    /// The row with the keeper that its program runs under. A program may ask before we have heard
    /// of its keeper: until then the row names none, or the one before a resume. Only a process
    /// below some keeper is waited for.
    fn with_keeper(&self, row: &Session, peer: i32) -> Result<Session> {
        if row.state != State::Starting {
            return Ok(row.clone());
        }
        if !peer::keepers_of(peer)?.is_empty() {
            self.live(row)?;
        }
        self.find(&row.id)
    }

    fn is_inside(&self, pid: i32, row: &Session) -> Result<bool> {
        let keepers = peer::keepers_of(pid)?;
        Ok(keepers.iter().any(|stat| row.keeper == Some((stat.pid, stat.start))))
    }

    /// An event that only tells something.
    fn told(&self, live: &Live, call: &HookCall<'_>, event: &HookEvent) {
        self.records.event(NewEvent {
            session: live.id.clone(),
            at_ms: time::unix_ms(),
            source: Source::Hook,
            kind: call.event.to_string(),
            payload: payload(call.data),
        });
        match event {
            HookEvent::SessionStart { agent_session, transcript_path, source } => {
                let (agent, transcript) = (agent_session.clone(), transcript_path.clone());
                self.records.note(live, "guarded", |row| {
                    row.guarded = row.alarm.is_none();
                    row.agent_session = Some(agent);
                    row.transcript_path = transcript;
                });
                self.records.transition(live, Change::Heard);
                if source == "clear" {
                    self.withdraw_all(&live.id, "the conversation was cleared");
                }
            }
            HookEvent::SessionEnd { .. } => {
                self.withdraw_all(&live.id, "the conversation has ended");
            }
            HookEvent::PermissionRequest(asked) if hook::is_question(&asked.tool) => {
                self.records.transition(live, Change::AsksInput);
            }
            HookEvent::PermissionRequest(_) => {
                self.records.transition(live, Change::AsksPermission);
            }
            HookEvent::PostToolUse(ran) => {
                self.answered_in_terminal(live, ran);
                if let Err(error) = self.ran(live, ran) {
                    log::error!("session {}: {}", live.id, error.chain());
                }
                self.records.transition(live, Change::Works);
            }
            HookEvent::Prompt => self.records.transition(live, Change::Works),
            HookEvent::Stop => self.records.transition(live, Change::Rests),
            HookEvent::Notification { kind } if kind == "permission_prompt" => {
                self.records.transition(live, Change::AsksPermission);
            }
            HookEvent::Notification { kind } if kind == "idle_prompt" => {
                self.records.transition(live, Change::Rests);
            }
            _ => {}
        }
    }
}

/// What is kept of a hook's input. A tool's output is not: it may be a secret file's content, and
/// the agent's own transcript has it.
fn payload(data: &Value) -> Value {
    let mut kept = data.clone();
    if let Some(response) = kept.get_mut("tool_response") {
        *response = json!({"bytes": response.to_string().len()});
    }
    match kept.to_string().len() {
        size if size > limits::EVENT_PAYLOAD => json!({"truncated": true, "bytes": size}),
        _ => kept,
    }
}
