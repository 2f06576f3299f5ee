//! Sets of policies, and the sessions that they are applied to.

use crate::base::error::{Code, Error, Result};
use crate::base::json::Fields;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::handlers::policies::description;
use crate::http::handlers::success;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::message::status;
use crate::http::router::Params;
use crate::http::shape;
use crate::service::policy_sets::NewSet;
use crate::service::policy_sets::SetChange;
use crate::service::policy_sets::SetView;
use serde_json::Value;
use serde_json::json;

/// `{policySets: [set]}`, the built-in ones first; each with policyCount and sessionCount.
pub fn list(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    Ok(shown(&api.policy_sets()?))
}

/// Takes `{name, id?, description?, isDefault?, policyIds?, copyOf?}`; answers 201 `{policySet}`.
/// Policies that do not exist are 422 `{error, code, missingPolicyIds}`, and nothing is made.
pub fn create(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["id", "name", "description", "isDefault", "policyIds", "copyOf"])?;
    let (policies, unknown) = api.set_members(&fields.texts("policyIds")?.unwrap_or_default())?;
    if !unknown.is_empty() {
        let text = format!("Policy not found: {}", unknown.join(", "));
        let code = Code::Failed;
        let known = json!({"error": text, "code": code.word(), "missingPolicyIds": unknown});
        return Ok(Reply::json(status(code), &known));
    }
    let made = api.create_set(
        NewSet {
            id: fields.text("id")?.map(str::to_string),
            name: fields.need_text("name")?.to_string(),
            description: fields.text("description")?.map(str::to_string),
            is_default: fields.flag("isDefault")?.unwrap_or(false),
            policies,
            copy_of: fields.text("copyOf")?.map(str::to_string),
        },
        &client(request),
    )?;
    one(api, 201, &made)
}

/// `{policySet}` with its `policies` and the ids of its sessions.
pub fn show(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    one(api, 200, &api.find_set(params.get("id"))?)
}

/// Takes any of `{name, description, isDefault}`; answers `{policySet}`.
pub fn update(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    const KNOWN: [&str; 3] = ["name", "description", "isDefault"];
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&KNOWN)?;
    if !KNOWN.iter().any(|name| body.get(name).is_some()) {
        return Err(Error::invalid(format!("nothing to change; known are {}", KNOWN.join(", "))));
    }
    let change = SetChange {
        name: fields.text("name")?.map(str::to_string),
        description: description(&body)?,
        is_default: fields.flag("isDefault")?,
    };
    one(api, 200, &api.change_set(params.get("id"), change, &client(request))?)
}

/// Removes a set; its policies stay. Answers `{success: true, name, sessionIds, wasDefault}` with
/// the sessions that it was applied to.
pub fn remove(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let (gone, was_default) = api.delete_set(params.get("id"), &client(request))?;
    Ok(Reply::json(
        200,
        &json!({
            "success": true, "name": gone.name, "sessionIds": gone.sessions,
            "wasDefault": was_default,
        }),
    ))
}

/// Takes `{policyId}`; answers `{success: true}`.
pub fn add(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["policyId"])?;
    api.add_to_set(params.get("id"), fields.need_text("policyId")?, &client(request))?;
    Ok(success())
}

/// Takes a policy out of a set; answers `{success: true}`.
pub fn take_out(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    api.remove_from_set(params.get("id"), params.get("pid"), &client(request))?;
    Ok(success())
}

/// `{policySets: [set]}` that are applied to the session.
pub fn applied(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    Ok(shown(&api.session_sets(&row)?))
}

/// Takes `{policySetId}`; answers `{success: true, applied}`, where `applied` is false for a set
/// that held for the session already.
pub fn apply(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["policySetId"])?;
    let applied = api.apply_set(&row, fields.need_text("policySetId")?, &client(request))?;
    Ok(Reply::json(200, &json!({"success": true, "applied": applied})))
}

/// Takes a set off the session; answers `{success: true}`.
pub fn unapply(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    api.unapply_set(&row, params.get("set"), &client(request))?;
    Ok(success())
}

fn one(api: &Api, status: u16, view: &SetView) -> Result<Reply> {
    let policies: Vec<Value> = api.set_policies(view)?.iter().map(shape::policy).collect();
    let mut set = shape::policy_set(view);
    set["policies"] = policies.into();
    set["sessionIds"] = json!(view.sessions);
    Ok(Reply::json(status, &json!({"policySet": set})))
}

fn shown(all: &[SetView]) -> Reply {
    let list: Vec<Value> = all.iter().map(shape::policy_set).collect();
    Reply::json(200, &json!({"policySets": list}))
}
