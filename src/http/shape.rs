//! The JSON that the API shows of sessions, policies, events and decisions.

pub mod approval;
pub mod notice;

use crate::base::id;
use crate::base::time;
use crate::model::audit::Entry;
use crate::model::call::Action;
use crate::model::env_set::EnvSet;
use crate::model::event::Event;
use crate::model::session::Exit;
use crate::model::session::Session;
use crate::service::Service;
use crate::service::approvals::view;
use crate::service::dangerous;
use crate::service::drafts;
use crate::service::policies::PolicyView;
use crate::service::policy_sets::SetView;
use crate::service::tighten;
use crate::service::tighten::Brought;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::path::Path;

/// A session: `{id, provider, cwd, status, createdAt, updatedAt, name?, pid?, ptyRows, ptyCols,
/// program, args, transcriptPath?, stateSince?, endedAt?, exitCode?, exitSignal?, reason?, epoch,
/// frozen, guarded, gateProof, adopting, logBytes, logDegraded, lastLine?, agent?, alarm?,
/// dangerousUntil?, pendingApprovals, asks?, turns, queued, billingMode, forkedFrom?, sandbox:
/// {requested, verified, partial, grants}, metadata}`. What is not known is absent, never null.
/// `gateProof` is `proven`, `unclear`, `disproved`, `none` or `n/a`. `pendingApprovals` is how many
/// questions of it are open, and `asks` is `{approvalId, call, more}`, the oldest approval for
/// which a call is held up with no dialog of the agent's. `forkedFrom` is the agent's conversation
/// that it began with a copy of.
pub fn session(service: &Service, row: &Session) -> Value {
    let live = service.records.live(&row.id);
    let view = live.as_ref().map(|live| live.view());
    let end = live.as_ref().map_or(row.log_end, |live| live.tail.end());
    let mut out = json!({
        "id": row.id,
        "provider": row.provider,
        "cwd": row.cwd,
        "status": row.state.word(),
        "createdAt": time::rfc3339(row.created_ms),
        "updatedAt": time::rfc3339(row.updated_ms),
        "ptyCols": row.cols,
        "ptyRows": row.rows,
        "program": row.program,
        "args": row.args,
        "epoch": row.epoch,
        "frozen": row.frozen,
        "guarded": row.guarded,
        "gateProof": service.gate_proof(row),
        // A session that should run but has no thread yet is still being adopted.
        "adopting": view.as_ref().map_or(row.state.is_live(), |v| v.adopting),
        "logBytes": end,
        "logDegraded": row.log_degraded,
        "turns": view.as_ref().map_or(0, |v| v.turns),
        "queued": view.as_ref().map_or(0, |v| v.held),
        "pendingApprovals": service.approvals.count(&row.id),
        "billingMode": row.billing.word(),
        "metadata": {"ui": {"customName": row.name}, "providerSession": {"id": row.agent_session},
            "launch": {"args": row.args, "billingMode": row.billing.word(), "envNames": row.given,
            "envSetIds": row.env_sets, "projectSettings": row.project_settings}},
        "sandbox": {"requested": row.sandbox.asked, "verified": row.sandbox.level(),
            "partial": row.sandbox.lacks(), "grants": row.sandbox.grants},
    });
    let optional = [
        ("name", row.name.clone().map(Value::from)),
        ("pid", row.pid.map(Value::from)),
        ("reason", row.reason.clone().map(Value::from)),
        ("transcriptPath", row.transcript_path.clone().map(Value::from)),
        ("stateSince", service.state_since(row).map(|ms| time::rfc3339(ms).into())),
        ("forkedFrom", row.forked_from.clone().map(Value::from)),
        ("endedAt", row.ended_ms.map(|ms| time::rfc3339(ms).into())),
        ("exitCode", exit(row, false)),
        ("exitSignal", exit(row, true)),
        ("lastLine", view.as_ref().map(|v| last_line(service, row, &v.last_line).into())),
        ("dangerousUntil", dangerous::of(row).map(|d| time::rfc3339(d.until_ms).into())),
        ("asks", asks(service, &row.id)),
        ("alarm", row.alarm.clone().map(Value::from)),
        ("agent", view.as_ref().and_then(|v| v.agent).map(|a| a.body().into())),
    ];
    add(&mut out, optional);
    out
}

fn last_line(service: &Service, row: &Session, line: &str) -> String {
    service.hidden(row).map_or_else(|| line.to_string(), |hidden| hidden.text(line))
}

fn asks(service: &Service, session: &str) -> Option<Value> {
    let (id, call, more) = service.approvals.held(session)?;
    Some(json!({"approvalId": id, "call": view::brief(&call), "more": more}))
}

/// What a session's repository brings: `{path, rules, ignored, problem?}`, where `rules` is how
/// many count, and `ignored` how many do not because they allow.
pub fn brought(row: &Session, brought: &Brought) -> Value {
    let (all, ignored) = (brought.policy.rules.len(), brought.ignored());
    let path = Path::new(&row.cwd).join(tighten::NAME);
    let mut out = json!({"path": path, "rules": all - ignored, "ignored": ignored});
    add(&mut out, [("problem", brought.problem.clone().map(Value::from))]);
    out
}

/// An env set, its values masked by one constant: not even their lengths are told.
pub fn env_set(set: &EnvSet) -> Value {
    let masked = set.names.iter().map(|name| (name.clone(), "********".into()));
    let mut out = json!({
        "id": set.id,
        "name": set.name,
        "maskedVars": masked.collect::<Map<String, Value>>(),
        "varCount": set.names.len(),
        "createdAt": time::rfc3339(set.created_ms),
        "updatedAt": time::rfc3339(set.updated_ms),
    });
    add(&mut out, [("description", set.description.clone().map(Value::from))]);
    out
}

fn exit(row: &Session, signal: bool) -> Option<Value> {
    match row.exit? {
        Exit::Code(code) if !signal => Some(code.into()),
        Exit::Signal(number) if signal => Some(number.into()),
        _ => None,
    }
}

fn add<const N: usize>(to: &mut Value, fields: [(&str, Option<Value>); N]) {
    let Some(map) = to.as_object_mut() else { return };
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?)));
    map.extend(known.collect::<Map<String, Value>>());
}

/// A policy: `{id, name, description?, enabled, priority, scope, sessionId, rules, version,
/// policySets: [{id, name}], builtIn, repository?, createdAt?, updatedAt?, lines?, problem?}`.
/// `sessionId` is null but for a session's own; `repository` is true of what the session's
/// repository brings, of which rules that allow do not count; `lines` are its rules in the line
/// form; where they cannot be read, `problem` says why.
pub fn policy(view: &PolicyView) -> Value {
    let policy = &view.policy;
    let mut out = json!({
        "id": policy.id,
        "name": policy.name,
        "enabled": policy.enabled,
        "priority": policy.priority,
        "scope": policy.scope.word(),
        "sessionId": policy.scope.session(),
        "rules": policy.rules,
        "version": policy.version,
        "policySets": names(&view.sets),
        "builtIn": view.built_in,
    });
    let stored = |ms| (!view.built_in && !view.repository).then(|| time::rfc3339(ms).into());
    let optional = [
        ("repository", view.repository.then_some(true.into())),
        ("description", policy.description.clone().map(Value::from)),
        ("createdAt", stored(policy.created_ms)),
        ("updatedAt", stored(policy.updated_ms)),
        ("lines", drafts::lines_of(&policy.rules).map(Value::from)),
        ("problem", view.problem.clone().map(Value::from)),
    ];
    add(&mut out, optional);
    out
}

/// `[{id, name}]`.
pub fn names(pairs: &[(String, String)]) -> Value {
    pairs.iter().map(|(id, name)| json!({"id": id, "name": name})).collect()
}

/// A policy set: `{id, name, description?, isDefault, builtIn, policyCount, sessionCount,
/// createdAt?, updatedAt?}`.
pub fn policy_set(view: &SetView) -> Value {
    let set = &view.set;
    let mut out = json!({
        "id": set.id,
        "name": set.name,
        "isDefault": view.is_default,
        "builtIn": view.built_in,
        "policyCount": view.policies.len(),
        "sessionCount": view.sessions.len(),
    });
    let stored = |ms| (!view.built_in).then(|| time::rfc3339(ms).into());
    let optional = [
        ("description", set.description.clone().map(Value::from)),
        ("createdAt", stored(set.created_ms)),
        ("updatedAt", stored(set.updated_ms)),
    ];
    add(&mut out, optional);
    out
}

/// An event: `{id, sessionId, timestamp, source, type, payload}`.
pub fn event(event: &Event) -> Value {
    json!({
        "id": event.id,
        "sessionId": event.event.session,
        "timestamp": time::rfc3339(event.event.at_ms),
        "source": event.event.source.word(),
        "type": event.event.kind,
        "payload": event.event.payload,
    })
}

/// A decision: `{id, sessionId, toolName, args, argsSha256, cwd, decision, reason, policyName?,
/// ruleId?, toolUseId?, agentId?, timestamp}`. Secrets in `args` are replaced.
pub fn decision(row: &Entry) -> Value {
    let entry = &row.entry;
    let call = entry.call.as_ref();
    let mut out = json!({
        "id": row.seq,
        "sessionId": entry.session,
        "timestamp": time::rfc3339(entry.at_ms),
        "toolName": call.map(|call| &call.tool),
        "args": call.map(|call| &call.input),
        "argsSha256": entry.input_sha256.map(|sha256| id::hex(&sha256)),
        "cwd": call.map(|call| &call.cwd),
        "decision": entry.decision.map(Action::word),
        "reason": entry.reason,
    });
    let optional = [
        ("policyName", entry.policy.clone().map(Value::from)),
        ("ruleId", entry.rule.clone().map(Value::from)),
        ("toolUseId", call.and_then(|call| call.call_id.clone()).map(Value::from)),
        ("agentId", call.and_then(|call| call.agent_id.clone()).map(Value::from)),
    ];
    add(&mut out, optional);
    out
}

/// A row of the audit log: `{seq, timestamp, atMs, bootMs?, bootId?, kind, sessionId?, requestId?,
/// toolName?, args?, argsSha256?, cwd?, toolUseId?, agentId?, effects, policyName?, ruleId?,
/// policyVersion?, decision?, reason, decider, client?, about?, hash, mac?}`. With these a hash can
/// be computed anew elsewhere: `args` and `effects` are hashed as this JSON without white space.
pub fn entry(row: &Entry) -> Value {
    let entry = &row.entry;
    let call = entry.call.as_ref();
    let hex = |bytes: &Option<[u8; 32]>| bytes.map(|bytes| id::hex(&bytes).into());
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let args = call.map(|call| call.input.clone()).or(entry.details.clone());
    let mut out = json!({
        "seq": row.seq,
        "timestamp": time::rfc3339(entry.at_ms),
        "atMs": entry.at_ms,
        "kind": entry.kind.word(),
        "effects": entry.effects,
        "reason": entry.reason,
        "decider": entry.decider.word(),
        "hash": id::hex(&row.hash),
    });
    let optional = [
        ("bootMs", row.boot_ms.map(Value::from)),
        ("bootId", text(&row.boot_id)),
        ("sessionId", text(&entry.session)),
        ("requestId", text(&entry.request)),
        ("toolName", call.map(|call| call.tool.clone().into())),
        ("args", args),
        ("argsSha256", hex(&entry.input_sha256)),
        ("cwd", call.map(|call| call.cwd.clone().into())),
        ("toolUseId", call.and_then(|call| text(&call.call_id))),
        ("agentId", call.and_then(|call| text(&call.agent_id))),
        ("policyName", text(&entry.policy)),
        ("ruleId", text(&entry.rule)),
        ("policyVersion", entry.version.map(Value::from)),
        ("decision", entry.decision.map(|decision| decision.word().into())),
        ("client", text(&entry.client)),
        ("about", entry.about.map(Value::from)),
        ("mac", hex(&row.mac)),
    ];
    add(&mut out, optional);
    out
}
