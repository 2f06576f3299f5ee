//! The gate: a hook's call in, a verdict out, and the decision durable in between.
//!
//! 1. A hook MUST come from a process of the session it names and carry that session's secret.
//! 2. A decision MUST be stored before it is answered; what cannot be stored is denied.
//! 3. The same request MUST get the same answer, whatever the policy says by then.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::keeper::peer;
use crate::limits;
use crate::model::audit::Decider;
use crate::model::audit::Kind;
use crate::model::audit::NewEntry;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::model::event::NewEvent;
use crate::model::event::Source;
use crate::model::redact;
use crate::model::session::Change;
use crate::model::session::Session;
use crate::model::session::State;
use crate::output::index::Mark;
use crate::policy::Place;
use crate::provider;
use crate::provider::Provider;
use crate::provider::canonical;
use crate::provider::hook;
use crate::provider::hook::HookEvent;
use crate::service::Service;
use crate::service::live::Command;
use crate::service::live::Live;
use crate::service::proof::script;
use crate::service::resolve;
use crate::store::audit;
use crate::store::events;
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
    /// Id of the request; asked again after a lost connection.
    pub request: &'a str,
    /// The hook's event.
    pub event: &'a str,
    /// The hook's whole standard input.
    pub data: &'a Value,
}

/// What hook-forward is told.
pub struct HookReply {
    /// The verdict, for an event that asks.
    pub verdict: Option<Verdict>,
    /// What it prints for the agent.
    pub output: Option<Value>,
    /// The decision that was stored, for [`Service::decided`].
    decided: Option<(Arc<Live>, i64)>,
}

impl Service {
    /// Takes one hook call. An error is a refusal: hook-forward then blocks the call.
    pub fn hook(&self, call: &HookCall<'_>) -> Result<HookReply> {
        let live = self.authenticate(call)?;
        if call.request.is_empty() || call.request.len() > limits::HOOK_WORD_BYTES {
            return Err(Error::invalid("the request id is missing or too long"));
        }
        let provider = provider::find(&live.row().provider)?;
        let (mut verdict, mut decided) = (None, None);
        match hook::parse(call.event, call.data)? {
            HookEvent::PreToolUse(tool_call) => {
                let (said, id) = self.decide(&live, provider, call, &tool_call)?;
                (verdict, decided) = (Some(said), Some((live, id)));
            }
            other => self.told(&live, call, &other),
        }
        let output = verdict.as_ref().and_then(|verdict| provider.answer(verdict));
        Ok(HookReply { verdict, output, decided })
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

    /// Decides a tool call once: asked again, the stored decision is the answer.
    fn decide(
        &self,
        live: &Live,
        provider: &Provider,
        asked: &HookCall<'_>,
        call: &ToolCall,
    ) -> Result<(Verdict, i64)> {
        let row = live.row();
        let place = Place { project: &row.cwd, home: &self.user_home, resolve: &resolve::path };
        let mut verdict = match self.is_proof(&row.id, &row.cwd) {
            true => script::verdict(call),
            false => self.effective(&row.id)?.judge(call, &place),
        };
        let can = &provider.capabilities;
        if verdict.action == Action::Ask && can.native_hooks && !can.asks {
            verdict.action = Action::Deny;
            verdict.reason = format!("{}; {} cannot be asked", verdict.reason, provider.label);
        }
        let row = decision(live, asked, call, &verdict);
        self.store().write(move |tx| {
            let (session, request) = (row.session.as_deref(), row.request.as_deref());
            let (session, request) = (session.unwrap_or_default(), request.unwrap_or_default());
            if let Some(known) = audit::find(tx, session, request)? {
                let tool = |row: &NewEntry| row.call.as_ref().map(|call| call.tool.clone());
                let same = known.entry.input_sha256 == row.input_sha256
                    && tool(&known.entry) == tool(&row);
                let verdict = known.verdict().filter(|_| same);
                let other = || Error::denied("this request id was used for another call");
                return Ok((verdict.ok_or_else(other)?, known.seq));
            }
            let seq = audit::append(tx, &row)?;
            events::append(tx, &decision_event(seq, &row))?;
            Ok((verdict, seq))
        })
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
            HookEvent::SessionStart { agent_session, transcript_path, .. } => {
                let (agent, transcript) = (agent_session.clone(), transcript_path.clone());
                self.records.note(live, "guarded", |row| {
                    row.guarded = row.alarm.is_none();
                    row.agent_session = Some(agent);
                    row.transcript_path = transcript;
                });
                self.records.transition(live, Change::Heard);
            }
            HookEvent::PermissionRequest(asked) if hook::is_question(&asked.tool) => {
                self.records.transition(live, Change::AsksInput);
            }
            HookEvent::PermissionRequest(_) => {
                self.records.transition(live, Change::AsksPermission);
            }
            HookEvent::PostToolUse(ran) => {
                if let Err(error) = self.ran(live, ran) {
                    log::error!("session {}: {}", live.id, error.chain());
                }
                self.records.transition(live, Change::Works);
            }
            HookEvent::Prompt => self.records.transition(live, Change::Works),
            HookEvent::Stop => self.records.transition(live, Change::AsksInput),
            HookEvent::Notification { kind } if kind == "permission_prompt" => {
                self.records.transition(live, Change::AsksPermission);
            }
            HookEvent::Notification { kind } if kind == "idle_prompt" => {
                self.records.transition(live, Change::AsksInput);
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

/// The row of a decision that is just made.
fn decision(live: &Live, asked: &HookCall<'_>, call: &ToolCall, verdict: &Verdict) -> NewEntry {
    let decider = match (verdict.policy.as_deref(), verdict.rule.as_deref()) {
        (Some("built-in"), Some("self-protection")) => Decider::SelfProtection,
        (_, Some(_)) => Decider::Rule,
        (_, None) => Decider::Default,
    };
    let name = proc::stat(asked.peer).map(|stat| stat.comm).unwrap_or_default();
    let Verdict { action, policy, rule, version, reason, effects } = verdict.clone();
    NewEntry {
        session: Some(live.id.clone()),
        request: Some(asked.request.to_string()),
        call: Some(call.clone()),
        input_sha256: Some(canonical::sha256(&call.input)),
        effects,
        policy,
        rule,
        version,
        decision: Some(action),
        client: Some(format!("hook pid {} ({name})", asked.peer)),
        ..NewEntry::new(Kind::Decision, time::unix_ms(), decider, reason)
    }
}

fn decision_event(seq: i64, row: &NewEntry) -> NewEvent {
    let call = row.call.as_ref();
    let command = call.and_then(|call| call.input.get("command")).and_then(Value::as_str);
    let shown =
        command.map(|c| redact::text(&c.chars().take(limits::EVENT_COMMAND).collect::<String>()));
    let word = row.decision.map(Action::word);
    NewEvent {
        session: row.session.clone().unwrap_or_default(),
        at_ms: row.at_ms,
        source: Source::Decision,
        kind: word.unwrap_or_default().to_string(),
        payload: json!({
            "decisionId": seq,
            "tool": call.map(|call| &call.tool),
            "command": shown,
            "decision": word,
            "policy": row.policy,
            "rule": row.rule,
            "reason": row.reason,
        }),
    }
}

/// The word of a verdict in hook-forward's reply; events that only tell are `allow`.
pub fn word(verdict: Option<&Verdict>) -> &'static str {
    verdict.map_or(Action::Allow, |v| v.action).word()
}
