//! Policies, those of all sessions and those that one session owns.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::shape;
use crate::model::policy::Scope;
use crate::service::policies::PolicyView;
use crate::service::policy_rows::NewPolicy;
use crate::service::policy_rows::PolicyChange;
use crate::service::settings::DEFAULT_ACTION;
use serde_json::Value;
use serde_json::json;

/// Priority of a session's own policy that says none.
const OWN_PRIORITY: i64 = 50;

/// `{policies: [policy]}`, the highest priority first, then the newest; `?enabled=true|false` and
/// `?sessionId=ID|null` select.
pub fn list(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let enabled = match request.query("enabled") {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(other) => {
            return Err(Error::invalid(format!("enabled is true or false, not {other:?}")));
        }
    };
    let session = match request.query("sessionId") {
        None => None,
        Some("null") => Some(None),
        Some(words) => Some(Some(api.resolve(words)?.id)),
    };
    let wanted = |view: &PolicyView| {
        let own = view.policy.scope.session();
        enabled.is_none_or(|on| on == view.policy.enabled)
            && session.as_ref().is_none_or(|id| id.as_deref() == own)
    };
    let mut all = api.policies()?;
    all.retain(wanted);
    Ok(shown(&all))
}

/// Takes `{name, rules, id?, description?, enabled?=true, priority?=0, sessionId?, scope?}`;
/// answers 201 `{policy}`. `scope` is `session` with a sessionId, else `global` or `set`.
pub fn create(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&[
        "id",
        "name",
        "description",
        "enabled",
        "priority",
        "sessionId",
        "scope",
        "rules",
    ])?;
    let session = fields.text("sessionId")?.map(|words| api.resolve(words)).transpose()?;
    let usual = if session.is_some() { "session" } else { "global" };
    let word = fields.text("scope")?.unwrap_or(usual);
    let scope = Scope::from_word(word, session.map(|row| row.id)).ok_or_else(wrong_scope)?;
    let made = api.create_policy(new(&fields, scope, 0)?, &client(request))?;
    one(api, 201, &made.id)
}

/// `{policy}`.
pub fn show(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    one(api, 200, params.get("id"))
}

/// `{policy: {id, name}, history: [{seq, timestamp, version, reason, client?, added, removed}]}`:
/// its changes that the audit log has, oldest first, each with the rules that came and went.
pub fn history(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let policy = api.find_policy(params.get("id"))?.policy;
    let rows = api.policy_history(&policy.id)?;
    let shown = rows.iter().map(|row| {
        let entry = shape::entry(row);
        json!({
            "seq": entry["seq"], "timestamp": entry["timestamp"],
            "version": entry["policyVersion"], "reason": entry["reason"],
            "client": entry["client"], "added": entry["args"]["added"],
            "removed": entry["args"]["removed"],
        })
    });
    let shown: Vec<Value> = shown.collect();
    let body = json!({"policy": {"id": policy.id, "name": policy.name}, "history": shown});
    Ok(Reply::json(200, &body))
}

/// Takes any of `{name, description, enabled, priority, scope, rules}`, and `version` to be
/// refused where the rules have changed since; answers `{policy}`.
pub fn update(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    const KNOWN: [&str; 6] = ["name", "description", "enabled", "priority", "scope", "rules"];
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&[&KNOWN[..], &["version"]].concat())?;
    if !KNOWN.iter().any(|name| body.get(name).is_some()) {
        return Err(Error::invalid(format!("nothing to change; known are {}", KNOWN.join(", "))));
    }
    let scope = fields.text("scope")?.map(|word| Scope::from_word(word, None));
    let change = PolicyChange {
        name: fields.text("name")?.map(str::to_string),
        description: description(&body)?,
        enabled: fields.flag("enabled")?,
        priority: fields.integer("priority")?,
        scope: scope.map(|known| known.ok_or_else(wrong_scope)).transpose()?,
        rules: body.get("rules").cloned(),
        version: fields.integer("version")?,
    };
    let changed = api.change_policy(params.get("id"), change, &client(request))?;
    one(api, 200, &changed.id)
}

/// Removes a policy; answers `{success: true, name, policySets: [{id, name}], sessionIds}` with
/// the sets that listed it and the running sessions that it held for.
pub fn remove(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let gone = api.delete_policy(params.get("id"), &client(request))?;
    Ok(Reply::json(
        200,
        &json!({
            "success": true, "name": gone.name, "policySets": shape::names(&gone.sets),
            "sessionIds": gone.sessions,
        }),
    ))
}

/// `{policies: [policy]}` that the session owns.
pub fn own(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    Ok(shown(&api.own_policies(&row)?))
}

/// Takes `{policy: {name, rules, description?, enabled?=true, priority?=50}}` and makes it the
/// session's own, in place of the one before; answers `{success: true, policyId, action:
/// "created"|"updated"}`.
pub fn set_own(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["policy"])?;
    let missing = || Error::invalid("field \"policy\" is missing");
    let fields = Fields::of(fields.get("policy").ok_or_else(missing)?)?;
    fields.only(&["name", "rules", "description", "enabled", "priority"])?;
    let asked = new(&fields, Scope::Session(row.id.clone()), OWN_PRIORITY)?;
    let (policy, created) = api.put_session_policy(&row, asked, &client(request))?;
    let action = if created { "created" } else { "updated" };
    let body = json!({"success": true, "policyId": policy.id, "action": action});
    Ok(Reply::json(200, &body))
}

/// `{policies: [policy], defaultAction}`: all that decides in the session at the moment.
pub fn all(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    let all = api.session_policies(&row)?;
    let list: Vec<Value> = all.iter().map(shape::policy).collect();
    let default = api.settings()?.remove(DEFAULT_ACTION);
    Ok(Reply::json(200, &json!({"policies": list, "defaultAction": default})))
}

fn new(fields: &Fields<'_>, scope: Scope, priority: i64) -> Result<NewPolicy> {
    let missing = || Error::invalid("field \"rules\" is missing");
    Ok(NewPolicy {
        id: fields.text("id")?.map(str::to_string),
        name: fields.need_text("name")?.to_string(),
        description: fields.text("description")?.map(str::to_string),
        enabled: fields.flag("enabled")?.unwrap_or(true),
        priority: fields.integer("priority")?.unwrap_or(priority),
        scope,
        rules: fields.get("rules").cloned().ok_or_else(missing)?,
    })
}

fn one(api: &Api, status: u16, words: &str) -> Result<Reply> {
    Ok(Reply::json(status, &json!({"policy": shape::policy(&api.find_policy(words)?)})))
}

fn shown(all: &[PolicyView]) -> Reply {
    let list: Vec<Value> = all.iter().map(shape::policy).collect();
    Reply::json(200, &json!({"policies": list}))
}

/// A description to be changed: absent is as it was, `null` and empty take it away.
pub fn description(body: &Value) -> Result<Option<String>> {
    match body.get("description") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(String::new())),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::invalid("field \"description\" must be a string or null")),
    }
}

fn wrong_scope() -> Error {
    Error::invalid("field \"scope\" is global or set, or session together with \"sessionId\"")
}
