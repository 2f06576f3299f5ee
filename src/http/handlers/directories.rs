//! Where a session may start: what a person who types a directory is offered.

use crate::base::error::Result;
use crate::base::json::Fields;
use crate::http::handlers::Api;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::service::directories::Directory;
use serde_json::Value;
use serde_json::json;

/// `{base, directories: [{path, name, isGitRepo, isHidden, isLink}], more, problem?}`: those that
/// begin with `?path=`, which begins with `/` or `~`; the hidden behind the others, each by name.
/// What cannot be read gives none, and says why.
pub fn list(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let found = api.complete_directory(request.query("path").unwrap_or("~"))?;
    let one = |d: &Directory| {
        json!({
            "path": d.path, "name": d.name, "isGitRepo": d.is_git, "isHidden": d.is_hidden,
            "isLink": d.is_link,
        })
    };
    let list: Vec<Value> = found.directories.iter().map(one).collect();
    let mut body = json!({"base": found.base, "directories": list, "more": found.more});
    if let Some(problem) = found.problem {
        body["problem"] = problem.into();
    }
    Ok(Reply::json(200, &body))
}

/// Takes `{cwd}`, which begins with `/` or `~`; answers `{valid, cwd, directoryExists, isGitRepo,
/// errors, warnings, gitInfo?: {repoRoot, currentBranch?}}`. Starts nothing, and runs no git.
pub fn validate(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["cwd"])?;
    let place = api.check_directory(fields.need_text("cwd")?)?;
    let mut out = json!({
        "valid": place.errors.is_empty(),
        "cwd": place.cwd,
        "directoryExists": place.exists,
        "isGitRepo": place.git.is_some(),
        "errors": place.errors,
        "warnings": place.warnings,
    });
    if let Some((root, branch)) = place.git {
        out["gitInfo"] = json!({"repoRoot": root});
        if let Some(branch) = branch {
            out["gitInfo"]["currentBranch"] = branch.into();
        }
    }
    Ok(Reply::json(200, &out))
}
