//! What projects' caged sessions are granted.

use crate::base::error::Result;
use crate::base::json::Fields;
use crate::base::time;
use crate::cage::grants;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::handlers::success;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use serde_json::Value;
use serde_json::json;

/// `{levels: [{level, available, why?}], auto, setting}`, the loosest first: which this host has,
/// as far as is known without a try; `auto` is what the newest session got that named none, with
/// what it lacks, or null; `setting` is what holds for a start that names none.
pub fn levels(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    Ok(Reply::json(200, &api.offered_levels()?))
}

/// `{grants: [{name, variables, gives}], projectGrants: [{project, name, createdAt}]}`: what can be
/// granted by name, and what projects are granted for good.
pub fn list(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    let known: Vec<Value> = grants::all()
        .iter()
        .map(
            |grant| json!({"name": grant.name, "variables": grant.variables, "gives": grant.gives}),
        )
        .collect();
    let projects: Vec<Value> = api
        .project_grants()?
        .iter()
        .map(|grant| {
            let at = time::rfc3339(grant.created_ms);
            json!({"project": grant.project, "name": grant.name, "createdAt": at})
        })
        .collect();
    Ok(Reply::json(200, &json!({"grants": known, "projectGrants": projects})))
}

/// Takes `{project, name}`; answers `{success}`. 404 where that is not granted. Sessions that run
/// keep it until they end.
pub fn revoke(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["project", "name"])?;
    let (project, name) = (fields.need_text("project")?, fields.need_text("name")?);
    api.revoke_project_grant(project, name, &client(request))?;
    Ok(success())
}
