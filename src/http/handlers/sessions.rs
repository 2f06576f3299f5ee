//! Sessions: list, start, show, rename, resume, remove.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::base::secret::Vars;
use crate::base::secret::wipe;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::session_reply;
use crate::http::handlers::success;
use crate::http::handlers::waiting;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::message::status;
use crate::http::router::Params;
use crate::http::shape;
use crate::limits;
use crate::model::session::Billing;
use crate::model::session::Session;
use crate::model::session::State;
use crate::service::conversation::Conversation;
use crate::service::model;
use crate::service::program;
use crate::service::start::ResumeRequest;
use crate::service::start::StartRequest;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// `{sessions: [session]}`, newest first; `?status=` and `?provider=` select.
pub fn list(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let state = match request.query("status") {
        None => None,
        Some(word) => Some(State::from_word(word).ok_or_else(|| {
            let words: Vec<&str> = State::ALL.iter().map(|s| s.word()).collect();
            Error::invalid(format!("unknown status {word:?}; known are {}", words.join(", ")))
        })?),
    };
    let provider = request.query("provider");
    let wanted = |row: &&Session| {
        state.is_none_or(|s| s == row.state) && provider.is_none_or(|p| p == row.provider)
    };
    let rows = api.list()?;
    let shown: Vec<Value> =
        rows.iter().filter(wanted).map(|row| shape::session(api, row)).collect();
    Ok(Reply::json(200, &json!({"sessions": shown})))
}

/// `{session}`.
pub fn show(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    Ok(session_reply(api, 200, &api.resolve(params.get("id"))?))
}

/// Takes `{provider, cwd, args?, name?, env?, envSetIds?, policySetIds?, cols?, rows?,
/// billingMode?, projectSettings?, dangerousSeconds?, sandbox?, grants?, rememberGrants?,
/// providerResume?}`, where the last is `{providerSessionId, mode?: resume|fork}`, of the env sets
/// later ones win, and the policy sets hold from the first call on in the default set's place;
/// answers 201 `{session}` once the program runs. A failed start is 422 `{error, code, output}`
/// with what the program had printed, and leaves nothing behind. The first start of an agent's
/// program waits for the proof of its gate, and is 403 where the gate does not hold.
pub fn start(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = match parse_start(&request) {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let (provider, cwd) = (asked.provider.clone(), asked.cwd.clone());
    // Said at once, not after the seconds of a proof.
    let sets = asked.policy_sets.as_deref().unwrap_or_default();
    let known = api.found_sets(sets).map(drop);
    let env = match known.and_then(|()| api.search_vars(&asked.env_sets, &asked.env)) {
        Ok(env) => env,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let starting = api.clone();
    let then = move |proven: Result<()>| {
        let started = proven.and_then(|()| starting.start(&asked));
        settle(&starting, started, 201, answer);
    };
    api.prove_first(&provider, &cwd, &env, Box::new(then));
}

/// Takes what [`start`] takes and starts nothing; answers `{passed: [{name, from}], left: [{name,
/// from, why}]}`, the names of the variables that it would get and those that it would not.
pub fn show_env(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let shown = api.show_env(&parse_start(request)?)?;
    let passed = shown.passed.iter().map(|(name, from)| json!({"name": name, "from": from}));
    let left =
        shown.left.iter().map(|one| json!({"name": one.name, "from": one.from, "why": one.why}));
    let (passed, left): (Vec<Value>, Vec<Value>) = (passed.collect(), left.collect());
    Ok(Reply::json(200, &json!({"passed": passed, "left": left})))
}

/// Starts an ended session again; takes `{env?, envSetIds?, args?, billingMode?}` or nothing, and
/// answers like [`start`] with 200. Its env sets are those of before unless others are named.
pub fn resume(api: &Api, request: Request, params: &Params, answer: Answer) {
    let asked = api.resolve(params.get("id")).and_then(|row| Ok((parse_resume(&request)?, row)));
    let (asked, row) = match asked {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let (provider, cwd) = (row.provider.clone(), row.cwd.clone());
    // A set that is gone is the start's to tell.
    let sets = asked.env_sets.as_ref().unwrap_or(&row.env_sets);
    let env = api.search_vars(sets, &asked.env).unwrap_or_else(|_| asked.env.clone());
    let resuming = api.clone();
    let then = move |proven: Result<()>| {
        let resumed = proven.and_then(|()| resuming.resume(&row.id, &asked));
        settle(&resuming, resumed, 200, answer);
    };
    api.prove_first(&provider, &cwd, &env, Box::new(then));
}

fn parse_resume(request: &Request) -> Result<ResumeRequest> {
    let mut asked = if request.body.is_empty() { json!({}) } else { request.json()? };
    let fields = Fields::of(&asked)?;
    fields.only(&["env", "envSetIds", "args", "billingMode"])?;
    let env = Vars::from(variables("env", fields.get("env"))?);
    let (args, billing) = (arguments(&fields)?, billing(&fields)?);
    let env_sets = fields.texts("envSetIds")?;
    wipe(&mut asked);
    Ok(ResumeRequest { env, env_sets, args, billing })
}

/// `{model?, provider, supportsModelSwitch}`.
pub fn model(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    Ok(Reply::json(200, &model::shown(&row, api.model(&row)?)))
}

/// Takes `{model}`: stops the agent, which must be at rest, and goes on with its conversation under
/// that model; answers `{session}` once it runs again.
pub fn set_model(api: &Api, request: Request, params: &Params, answer: Answer) {
    let planned = api.resolve(params.get("id")).and_then(|row| {
        let body = request.json()?;
        let fields = Fields::of(&body)?;
        fields.only(&["model"])?;
        let plan = api.plan_switch(&row, fields.need_text("model")?)?;
        api.stop(&row, false)?;
        Ok((row, plan))
    });
    match planned {
        Ok((row, plan)) => waiting::once_ended(api, &row, answer, move |api, id, answer| {
            let resumed = api.resume(id, &plan).map_err(|error| {
                let message = format!("{error}; it is stopped now: codepiper resume {id}");
                Error { message, ..error }
            });
            settle(api, resumed, 200, answer);
        }),
        Err(error) => answer.send(Reply::error(&error)),
    }
}

fn settle(api: &Api, started: Result<Session>, good: u16, answer: Answer) {
    let row = match started {
        Ok(row) => row,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let shaper = api.clone();
    api.settle(&row.id, move |result| {
        answer.send(match result {
            Ok(row) => session_reply(&shaper, good, &row),
            Err((error, output)) => {
                let code = error.code.word();
                let known = json!({"error": error.message, "code": code, "output": output});
                Reply::json(status(error.code), &known)
            }
        });
    });
}

fn parse_start(request: &Request) -> Result<StartRequest> {
    let mut body = request.json()?;
    let asked = start_request(&body);
    wipe(&mut body);
    asked
}

fn start_request(body: &Value) -> Result<StartRequest> {
    let fields = Fields::of(body)?;
    fields.only(&[
        "provider",
        "cwd",
        "args",
        "name",
        "env",
        "envSetIds",
        "policySetIds",
        "cols",
        "rows",
        "billingMode",
        "providerResume",
        "projectSettings",
        "dangerousSeconds",
        "sandbox",
        "grants",
        "rememberGrants",
    ])?;
    let size = match (fields.number("cols")?, fields.number("rows")?) {
        (None, None) => None,
        (cols, rows) => Some(program::size(
            cols.unwrap_or(limits::DEFAULT_COLS.into()),
            rows.unwrap_or(limits::DEFAULT_ROWS.into()),
        )?),
    };
    Ok(StartRequest {
        provider: fields.need_text("provider")?.to_string(),
        cwd: fields.need_text("cwd")?.to_string(),
        args: arguments(&fields)?.unwrap_or_default(),
        name: fields.text("name")?.map(str::to_string),
        env: Vars::from(variables("env", fields.get("env"))?),
        env_sets: fields.texts("envSetIds")?.unwrap_or_default(),
        policy_sets: fields.texts("policySetIds")?,
        size,
        billing: billing(&fields)?.unwrap_or_default(),
        project_settings: fields.flag("projectSettings")?.unwrap_or(false),
        sandbox: fields.text("sandbox")?.map(str::to_string),
        grants: fields.texts("grants")?.unwrap_or_default(),
        remember: fields.flag("rememberGrants")?.unwrap_or(false),
        dangerous: fields.number("dangerousSeconds")?.map(Duration::from_secs),
        conversation: fields.get("providerResume").map(conversation).transpose()?,
    })
}

fn arguments(fields: &Fields<'_>) -> Result<Option<Vec<String>>> {
    let args = fields.texts("args")?;
    let all = args.as_deref().unwrap_or_default();
    if all.len() > limits::ARGS || all.iter().any(|arg| arg.len() > limits::ARG_BYTES) {
        let (most, bytes) = (limits::ARGS, limits::ARG_BYTES);
        return Err(Error::invalid(format!("at most {most} arguments of {bytes} bytes")));
    }
    Ok(args)
}

fn billing(fields: &Fields<'_>) -> Result<Option<Billing>> {
    let Some(word) = fields.text("billingMode")? else { return Ok(None) };
    let unknown = || Error::invalid(format!("billing is subscription or api, not {word:?}"));
    Billing::from_word(word).ok_or_else(unknown).map(Some)
}

fn conversation(value: &Value) -> Result<Conversation> {
    let fields = Fields::of(value)?;
    fields.only(&["providerSessionId", "mode"])?;
    let fork = match fields.text("mode")?.unwrap_or("resume") {
        "resume" => false,
        "fork" => true,
        other => return Err(Error::invalid(format!("mode is resume or fork, not {other:?}"))),
    };
    Ok(Conversation { id: fields.need_text("providerSessionId")?.to_string(), fork })
}

/// A member that is an object of strings.
pub fn variables(name: &str, value: Option<&Value>) -> Result<BTreeMap<String, String>> {
    let Some(value) = value else { return Ok(BTreeMap::new()) };
    let wrong = || Error::invalid(format!("field {name:?} must be an object of strings"));
    let map = value.as_object().ok_or_else(wrong)?;
    let pair = |(name, value): (&String, &Value)| {
        Ok((name.clone(), value.as_str().ok_or_else(wrong)?.to_string()))
    };
    map.iter().map(pair).collect()
}

/// Takes `{name: string|null}`; answers `{session}`.
pub fn rename(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["name"])?;
    let name = fields.text("name")?.unwrap_or_default();
    Ok(session_reply(api, 200, &api.rename(&row, name)?))
}

/// Removes an ended session with its log; answers `{success: true}`.
pub fn remove(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    api.remove(&api.resolve(params.get("id"))?)?;
    Ok(success())
}
