//! One decision about a tool call: judged, stored, and where a person is to be asked, made an
//! approval in the same moment. Knows no hooks but for what they asked.
//!
//! 1. A decision MUST be stored before it is answered; what cannot be stored is denied.
//! 2. The same request MUST get the same answer, whatever the policy says by then.
//! 3. A grant MUST answer only what would be asked; what is denied stays denied.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::limits;
use crate::model::approval::Approval;
use crate::model::approval::Moment;
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
use crate::policy::Place;
use crate::provider::Provider;
use crate::provider::canonical;
use crate::provider::hook;
use crate::service::Service;
use crate::service::approvals::ask;
use crate::service::approvals::grants;
use crate::service::dangerous;
use crate::service::gate::HookAnswer;
use crate::service::gate::HookCall;
use crate::service::gate::Said;
use crate::service::live::Live;
use crate::service::proof::script;
use crate::service::resolve;
use crate::service::settings::HOLD;
use crate::store::approvals;
use crate::store::audit;
use crate::store::events;
use crate::store::tx::Tx;
use crate::sys::proc;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// A decision on its way into the store.
struct Draft {
    row: NewEntry,
    verdict: Verdict,
    /// A person is asked at once: there is no dialog that would.
    held: Option<Approval>,
    epoch: u32,
    grant_sha256: [u8; 32],
    now: Moment,
}

/// A decision as it is stored.
struct Stored {
    verdict: Verdict,
    seq: i64,
    approval: Option<Approval>,
    /// This request was there already.
    again: bool,
}

impl Service {
    /// Decides a call that is about to run, or one that an agent asks its person about before it
    /// opens a dialog: that is to run outside of the agent's own sandbox.
    pub fn decide(
        &self,
        live: &Live,
        provider: &Provider,
        asked: &HookCall<'_>,
        call: &ToolCall,
    ) -> Result<(HookAnswer, i64)> {
        let row = live.row();
        let verdict = match asked.event {
            hook::DIALOG => self.lift(&row, outside(self.judge(live, call)?, provider)),
            _ if self.is_proof(&row.id, &row.cwd) => script::verdict(call),
            _ => self.lift(&row, self.judge(live, call)?),
        };
        let held = provider.capabilities.native_hooks && !provider.opens_dialog(&row.args);
        let stored = self.record(live, asked, call, verdict, held)?;
        self.answer_to(live, provider, call, stored)
    }

    fn judge(&self, live: &Live, call: &ToolCall) -> Result<Verdict> {
        let row = live.row();
        let place = Place {
            project: &row.cwd,
            home: &self.user_home,
            own: &self.own,
            resolve: &resolve::path,
        };
        Ok(self.effective(&row.id)?.judge(call, &place))
    }

    fn record(
        &self,
        live: &Live,
        asked: &HookCall<'_>,
        call: &ToolCall,
        mut verdict: Verdict,
        held: bool,
    ) -> Result<Stored> {
        let question = hook::is_question(&call.tool);
        if verdict.action == Action::Ask && held && question {
            verdict.action = Action::Deny;
            verdict.reason = "there is no dialog to answer it in".to_string();
        }
        let outside = asked.event == hook::DIALOG;
        let (now, grant_sha256) =
            (grants::moment(&self.boot_id), grants::key(&live.id, call, outside));
        let held = (verdict.action == Action::Ask && held).then(|| {
            let asked = ask::Question { session: &live.id, request: asked.request, outside, call };
            asked.approval(now.at_ms, Duration::from_secs(self.number(HOLD)))
        });
        let mut row = entry(live, asked, call, &verdict);
        // Here and not only where it is stored: an event takes the beginning of its command.
        row.call = Some(self.store().masks().call(call));
        let epoch = live.row().epoch;
        // A question is answered in words, so a yes from before is none to it.
        let may_be_granted = !question;
        let draft = Draft { row, verdict, held, epoch, grant_sha256, now };
        self.store().write(move |tx| store(tx, draft, may_be_granted))
    }

    fn answer_to(
        &self,
        live: &Live,
        provider: &Provider,
        call: &ToolCall,
        stored: Stored,
    ) -> Result<(HookAnswer, i64)> {
        let Stored { verdict, seq, approval, again } = stored;
        let Some(approval) = approval else {
            return Ok((HookAnswer::Say(Said::verdict(provider, &verdict)), seq));
        };
        if !again {
            self.approvals_asked(live, &approval, call, false);
            self.records.transition(live, Change::AsksPermission);
            return Ok((HookAnswer::Hold, seq));
        }
        Ok((self.asked_again(&approval, call, false, false)?, seq))
    }
}

/// Outside of the agent's own sandbox nothing runs unasked.
fn outside(verdict: Verdict, provider: &Provider) -> Verdict {
    match verdict.action {
        Action::Deny => verdict,
        Action::Ask | Action::Allow => Verdict {
            action: Action::Ask,
            reason: format!("{} wants to run it outside of its own sandbox", provider.label),
            ..verdict
        },
    }
}

/// Stores a decision once: asked again, the stored one is the answer.
fn store(tx: &Tx<'_>, draft: Draft, may_be_granted: bool) -> Result<Stored> {
    let Draft { mut row, mut verdict, mut held, epoch, grant_sha256, now } = draft;
    let (session, request) = (row.session.clone(), row.request.clone());
    let (session, request) = (session.unwrap_or_default(), request.unwrap_or_default());
    if let Some(known) = audit::find(tx, &session, &request)? {
        let tool = |row: &NewEntry| row.call.as_ref().map(|call| call.tool.clone());
        let same = known.entry.input_sha256 == row.input_sha256 && tool(&known.entry) == tool(&row);
        let verdict = known.verdict().filter(|_| same);
        let other = || Error::denied("this request id was used for another call");
        let (verdict, seq) = (verdict.ok_or_else(other)?, known.seq);
        let approval = approvals::of_holder(tx, &session, &request)?;
        return Ok(Stored { verdict, seq, approval, again: true });
    }
    if verdict.action == Action::Ask
        && may_be_granted
        && let Some(grant) = grants::spend(tx, &session, epoch, &grant_sha256, &now)?
    {
        let left = grant.left.map_or(String::new(), |left| format!(", {left} left"));
        let reason = format!("grant {} of approval {}{left}", grant.id, grant.approval);
        verdict = Verdict { action: Action::Allow, reason, ..verdict };
        (row.decision, row.reason) = (Some(Action::Allow), verdict.reason.clone());
        row.decider = Decider::Grant;
        held = None;
    }
    let seq = audit::append(tx, &row)?;
    events::append(tx, &decision_event(seq, &row))?;
    let approval = match held {
        None => None,
        Some(approval) => {
            let approval = Approval { decision: seq, ..approval };
            Some(Approval { id: approvals::insert(tx, &approval)?, ..approval })
        }
    };
    Ok(Stored { verdict, seq, approval, again: false })
}

/// The row of a decision that is just made.
fn entry(live: &Live, asked: &HookCall<'_>, call: &ToolCall, verdict: &Verdict) -> NewEntry {
    let decider = dangerous::decider(verdict);
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
    // Cut afterwards: of a secret across the cut the rest would not be known as one.
    let shown =
        command.map(|c| redact::text(c).chars().take(limits::EVENT_COMMAND).collect::<String>());
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
            "decider": row.decider.word(),
        }),
    }
}
