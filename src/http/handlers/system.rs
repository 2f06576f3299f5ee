//! The daemon itself: health, version, providers, settings, doctor.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use serde_json::Value;
use serde_json::json;

/// `{status: "ok"}`; with a damaged database `{status: "degraded", reason}`.
pub fn health(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    Ok(Reply::json(
        200,
        &match api.store().damage() {
            None => json!({"status": "ok"}),
            Some(reason) => json!({"status": "degraded", "reason": reason}),
        },
    ))
}

/// `{version, build, pid, web: {url, port, wsPort, bind?} | null}`.
pub fn version(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    let (version, build, pid) = (env!("CARGO_PKG_VERSION"), crate::BUILD, std::process::id());
    let web = api.web.get().map(|web| {
        let mut shown = json!({"url": web.url(), "port": web.port, "wsPort": web.ws_port});
        if let Some(ip) = web.bind {
            shown["bind"] = json!(ip.to_string());
        }
        shown
    });
    let body = json!({"version": version, "build": build, "pid": pid, "web": web});
    Ok(Reply::json(200, &body))
}

/// `{providers: [{id, label, runtime, capabilities, billingModes, apiKeys, supportsProjectSettings,
/// installed?, program?, version?, gateProof?, problem?}]}`. `installed` is absent where a person
/// names the program; `gateProof` is `proven`, `unclear`, `disproved` or `none`; `problem` says
/// what keeps sessions from starting.
pub fn providers(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    Ok(Reply::json(200, &json!({"providers": api.offered_providers()})))
}

/// `{settings: {key: value}}`.
pub fn settings(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    Ok(Reply::json(200, &json!({"settings": api.settings()?})))
}

/// Takes `{key: value, …}`, all or nothing; answers like [`settings`]. `null` means the default.
pub fn set_settings(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let body = request.json()?;
    let changes = body.as_object().ok_or_else(|| Error::invalid("expected a JSON object"))?;
    Ok(Reply::json(200, &json!({"settings": api.set(changes, &client(request))?})))
}

/// Changes the master key; answers `{success: true, values, keyId, resumed}`, where `values` is how
/// many are sealed under it now, and `resumed` that an earlier change was brought to its end.
pub fn rotate_key(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let done = api.rotate_key(&client(request))?;
    let body = json!({
        "success": true, "values": done.values, "keyId": done.key_id, "resumed": done.resumed,
    });
    Ok(Reply::json(200, &body))
}

/// Proves the gate again, on all installed agents or, of `{provider?}`, on that one; then answers
/// like [`doctor`].
pub fn prove(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = || -> Result<Option<String>> {
        let body = request.json()?;
        let fields = Fields::of(&body)?;
        fields.only(&["provider"])?;
        Ok(fields.text("provider")?.map(str::to_string))
    };
    let provider = match asked() {
        Ok(provider) => provider,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let looking = api.clone();
    let then = move |tried: Result<()>| {
        answer.send(tried.map_or_else(|error| Reply::error(&error), |()| checks(&looking)));
    };
    api.prove_again(provider.as_deref(), Box::new(then));
}

/// `{checks: [{name, ok, detail, fix?}]}`.
pub fn doctor(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    Ok(checks(api))
}

fn checks(api: &Api) -> Reply {
    let checks: Vec<Value> = api
        .doctor()
        .into_iter()
        .map(|r| json!({"name": r.name, "ok": r.ok, "detail": r.detail, "fix": r.fix}))
        .collect();
    Reply::json(200, &json!({"checks": checks}))
}

/// Takes `{olderThanSeconds}`; answers `{removed: [id]}`.
pub fn prune(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["olderThanSeconds"])?;
    let missing = || Error::invalid("field \"olderThanSeconds\" is missing");
    let seconds = fields.number("olderThanSeconds")?.ok_or_else(missing)?;
    let removed = api.prune(std::time::Duration::from_secs(seconds))?;
    Ok(Reply::json(200, &json!({"removed": removed})))
}
