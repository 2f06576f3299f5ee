//! Env sets. No reply ever holds a value.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::base::secret::Vars;
use crate::base::secret::wipe;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::handlers::policies::description;
use crate::http::handlers::sessions::variables;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::shape;
use crate::model::env_set::EnvSet;
use crate::service::env_sets::EnvSetChange;
use crate::service::env_sets::NewEnvSet;
use serde_json::Value;
use serde_json::json;

/// `{envSets: [envSet]}` by name; each `{id, name, description?, maskedVars, varCount, createdAt,
/// updatedAt}`, where maskedVars has `********` for each name.
pub fn list(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    let shown: Vec<Value> = api.env_sets()?.iter().map(shape::env_set).collect();
    Ok(Reply::json(200, &json!({"envSets": shown})))
}

/// Takes `{name, description?, vars: {NAME: VALUE}, allowLoaderVars?}`; answers 201 `{envSet}`.
/// Variables that make programs load or run other code need allowLoaderVars.
pub fn create(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let mut body = request.json()?;
    let new = parse_new(&body);
    wipe(&mut body);
    Ok(one(201, &api.create_env_set(new?, &client(request))?))
}

fn parse_new(body: &Value) -> Result<NewEnvSet> {
    let fields = Fields::of(body)?;
    fields.only(&["name", "description", "vars", "allowLoaderVars"])?;
    Ok(NewEnvSet {
        name: fields.need_text("name")?.to_string(),
        description: fields.text("description")?.map(str::to_string),
        vars: Vars::from(variables("vars", fields.get("vars"))?),
        allow_loaders: fields.flag("allowLoaderVars")?.unwrap_or(false),
    })
}

/// `{envSet}`.
pub fn show(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    Ok(one(200, &api.find_env_set(params.get("id"))?))
}

/// Takes any of `{name, description, vars, set, unset, allowLoaderVars}`; answers `{envSet}`.
/// `vars` replaces all variables, `set` sets single ones, `unset` is a list of names to take out.
/// Sessions that run keep what they have; the next start has the new ones.
pub fn update(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let mut body = request.json()?;
    let change = parse_change(&body);
    wipe(&mut body);
    Ok(one(200, &api.change_env_set(params.get("id"), change?, &client(request))?))
}

fn parse_change(body: &Value) -> Result<EnvSetChange> {
    const KNOWN: [&str; 5] = ["name", "description", "vars", "set", "unset"];
    let fields = Fields::of(body)?;
    fields.only(&[&KNOWN[..], &["allowLoaderVars"]].concat())?;
    if !KNOWN.iter().any(|name| body.get(name).is_some()) {
        return Err(Error::invalid(format!("nothing to change; known are {}", KNOWN.join(", "))));
    }
    let vars = fields.get("vars").map(|vars| variables("vars", Some(vars))).transpose()?;
    Ok(EnvSetChange {
        name: fields.text("name")?.map(str::to_string),
        description: description(body)?,
        vars: vars.map(Vars::from),
        set: Vars::from(variables("set", fields.get("set"))?),
        unset: fields.texts("unset")?.unwrap_or_default(),
        allow_loaders: fields.flag("allowLoaderVars")?.unwrap_or(false),
    })
}

/// Removes a set; answers `{success: true, name, sessionIds}` with the sessions that start with it.
pub fn remove(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let (gone, sessions) = api.delete_env_set(params.get("id"), &client(request))?;
    let body = json!({"success": true, "name": gone.name, "sessionIds": sessions});
    Ok(Reply::json(200, &body))
}

fn one(status: u16, set: &EnvSet) -> Reply {
    Reply::json(status, &json!({"envSet": shape::env_set(set)}))
}
