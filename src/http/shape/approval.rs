//! The JSON that the API shows of approvals and grants.

use crate::base::id;
use crate::base::time;
use crate::http::shape::add;
use crate::model::approval::Reach;
use crate::service::approvals::grants::GrantView;
use crate::service::approvals::grants::words;
use crate::service::approvals::view::ApprovalView;
use crate::service::approvals::view::Content;
use serde_json::Value;
use serde_json::json;

/// An approval: `{id, sessionId, sessionName?, provider, status, toolName, args?, argsWhole,
/// argsSha256, boundSha256, cwd?, content, effects, dialog, decisionId, policyName?, ruleId?,
/// reason?, toolUseId?, agentId?, createdAt, expiresAt, answeredAt?, decider?, answerReason?,
/// client?}`. `content` is a list of `{kind: command|path|diff|field, name?, text}`.
pub fn approval(view: &ApprovalView) -> Value {
    let approval = &view.approval;
    let mut out = json!({
        "id": approval.id,
        "sessionId": approval.session,
        "provider": view.provider,
        "status": view.status.word(),
        "toolName": approval.tool,
        "argsWhole": view.is_whole,
        "argsSha256": id::hex(&approval.input_sha256),
        "boundSha256": id::hex(&approval.bound_sha256),
        "content": view.content.iter().map(piece).collect::<Vec<_>>(),
        "dialog": view.dialog,
        "decisionId": approval.decision,
        "createdAt": time::rfc3339(approval.created_ms),
        "expiresAt": time::rfc3339(approval.expires_ms),
    });
    let row = view.decision.as_ref().map(|row| &row.entry);
    let answer = approval.answer.as_ref();
    let optional = [
        ("sessionName", view.session_name.clone().map(Value::from)),
        ("args", view.call.as_ref().map(|call| call.input.clone())),
        ("cwd", view.call.as_ref().map(|call| call.cwd.clone().into())),
        ("effects", row.map(|row| row.effects.clone().into())),
        ("policyName", row.and_then(|row| row.policy.clone()).map(Value::from)),
        ("ruleId", row.and_then(|row| row.rule.clone()).map(Value::from)),
        ("reason", row.map(|row| row.reason.clone().into())),
        ("toolUseId", approval.call_id.clone().map(Value::from)),
        ("agentId", approval.agent_id.clone().map(Value::from)),
        ("answeredAt", answer.map(|answer| time::rfc3339(answer.at_ms).into())),
        ("decider", answer.map(|answer| answer.decider.word().into())),
        ("answerReason", answer.map(|answer| answer.reason.clone().into())),
        ("client", answer.and_then(|answer| answer.client.clone()).map(Value::from)),
    ];
    add(&mut out, optional);
    out
}

fn piece(content: &Content) -> Value {
    match content {
        Content::Command(text) => json!({"kind": "command", "text": text}),
        Content::Path(text) => json!({"kind": "path", "text": text}),
        Content::Diff(text) => json!({"kind": "diff", "text": text}),
        Content::Field(name, text) => json!({"kind": "field", "name": name, "text": text}),
    }
}

/// A grant: `{id, sessionId, approvalId, holds, reach, used, left?, toolName?, args?, createdAt,
/// expiresAt?, revokedAt?}`.
pub fn grant(view: &GrantView) -> Value {
    let grant = &view.grant;
    let for_ms = grant.expires_ms.map(|end| end - grant.created_ms);
    let times = grant.left.map(|left| left + grant.used);
    let mut out = json!({
        "id": grant.id,
        "sessionId": grant.session,
        "approvalId": grant.approval,
        "holds": view.holds,
        "reach": words(&Reach { for_ms, times, session: true }),
        "used": grant.used,
        "createdAt": time::rfc3339(grant.created_ms),
    });
    let optional = [
        ("left", grant.left.map(Value::from)),
        ("toolName", view.tool.clone().map(Value::from)),
        ("args", view.args.clone()),
        ("expiresAt", grant.expires_ms.map(|ms| time::rfc3339(ms).into())),
        ("revokedAt", grant.revoked_ms.map(|ms| time::rfc3339(ms).into())),
    ];
    add(&mut out, optional);
    out
}
