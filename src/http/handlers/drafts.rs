//! Rules before they are stored: looked at, explained on a call, tried on the past.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::base::time;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::limits;
use crate::model::call::ToolCall;
use crate::service::drafts;
use crate::service::drafts::Draft;
use crate::service::drafts::Written;
use crate::service::replay::Asked;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// Takes `{text, name?}`, the text of a file of rules in either form; answers `{ok: true, rules,
/// lines, about: [{rule, text}], warnings: [text]}` or `{ok: false, error, line?, column?, rule?,
/// field?}`, where `rule` is a number from 1, as are line and column. `lines` is the text in the
/// line form, `about` what each rule is about in a line.
pub fn check(_: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["text", "name"])?;
    let name = fields.text("name")?.unwrap_or(drafts::NAME);
    let said = drafts::check(name, fields.need_text("text")?);
    Ok(Reply::json(
        200,
        &match said {
            Ok(checked) => {
                let about = checked.about.iter();
                let about = about.map(|(rule, text)| json!({"rule": rule, "text": text}));
                json!({
                    "ok": true, "rules": checked.rules, "lines": checked.lines,
                    "about": about.collect::<Vec<Value>>(), "warnings": checked.warnings,
                })
            }
            Err(fault) => {
                let mut out = json!({"ok": false, "error": fault.text});
                if let Some((line, column)) = fault.at {
                    (out["line"], out["column"]) = (line.into(), column.into());
                }
                if let Some(rule) = fault.rule {
                    out["rule"] = rule.into();
                }
                if let Some(field) = fault.field {
                    out["field"] = field.into();
                }
                out
            }
        },
    ))
}

/// Takes `{tool, input, sessionId?, cwd?, text?, policyId?}`; answers `{explanation}`: the
/// decision, its reason and effects, the parts of the call, and what each rule is about in it.
/// Without a sessionId it is what a new session in `cwd` would say. With `text`, rules in either
/// form, it is what would be said if they held too, or stood in place of the policy `policyId`.
/// Nothing is decided or stored.
pub fn explain(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["tool", "input", "sessionId", "cwd", "text", "policyId"])?;
    let session = fields.text("sessionId")?.map(|words| api.resolve(words)).transpose()?;
    let own = session.as_ref().map(|row| row.cwd.clone());
    let cwd = fields.text("cwd")?.map(str::to_string).or(own);
    let call = ToolCall {
        tool: fields.need_text("tool")?.to_string(),
        input: body["input"].clone(),
        cwd: cwd.ok_or_else(|| Error::invalid("field \"cwd\" is missing"))?,
        call_id: None,
        agent_id: None,
    };
    let said = match (fields.text("text")?, fields.text("policyId")?) {
        (None, None) => api.explain(session.as_ref(), &call)?,
        (None, Some(_)) => return Err(Error::invalid("\"policyId\" goes with \"text\"")),
        (Some(text), instead) => {
            let written = Written::Text(text.to_string());
            let draft = Draft { name: drafts::NAME.to_string(), written };
            api.explain_draft(session.as_ref(), &call, &draft, instead)?
        }
    };
    Ok(Reply::json(200, &json!({"explanation": said.to_json()})))
}

/// Takes `{text | rules, name?, since?, sessionId?, limit?, withStandard?}` and judges the calls on
/// record again by these rules alone, or with the set `standard`; the newest `limit`, from `since`
/// on, which is a time or an age (`7d`). Answers `{summary: {rows, counts, inexact, leftOut},
/// changed: [{seq, call, was, would, by, reason, times, inexact}]}`, the newest last. One at a
/// time: meanwhile others are `busy`. Nothing is decided or stored.
pub fn replay(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = match request.json().and_then(|body| parse_replay(api, &body)) {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let gone = Arc::new(AtomicBool::new(false));
    let theirs = gone.clone();
    answer.on_gone(move || theirs.store(true, Ordering::Release));
    let tell = move |said: Result<Value>| {
        answer.send(match said {
            Ok(body) => Reply::json(200, &body),
            Err(error) => Reply::error(&error),
        });
    };
    api.replay(asked, gone, Box::new(tell));
}

fn parse_replay(api: &Api, body: &Value) -> Result<Asked> {
    let fields = Fields::of(body)?;
    fields.only(&["text", "rules", "name", "since", "sessionId", "limit", "withStandard"])?;
    let written = match (fields.text("text")?, fields.get("rules")) {
        (Some(text), None) => Written::Text(text.to_string()),
        (None, Some(rules)) => Written::Rules(rules.clone()),
        _ => return Err(Error::invalid("the rules are either \"text\" or \"rules\"")),
    };
    let name = fields.text("name")?.unwrap_or(drafts::NAME).to_string();
    let since = fields.text("since")?.map(|text| {
        let wrong = || format!("since is 30m, 7d or 2026-11-24T06:50:00Z, not {text:?}");
        let ago = time::parse_duration(text).map(|ago| time::unix_ms() - ago.as_millis() as i64);
        ago.or_else(|| time::parse_rfc3339(text)).ok_or_else(|| Error::invalid(wrong()))
    });
    let limit = fields.number("limit")?.unwrap_or(limits::gate::REPLAY_ROWS);
    if limit > limits::gate::REPLAY_MOST {
        let most = limits::gate::REPLAY_MOST;
        return Err(Error::invalid(format!("at most {most} calls are judged again at once")));
    }
    // Rows outlive their session: an id that is not there any more is taken as it is.
    let known = |id: &str| api.resolve(id).map_or_else(|_| id.to_string(), |row| row.id);
    Ok(Asked {
        draft: Draft { name, written },
        since_ms: since.transpose()?,
        session: fields.text("sessionId")?.map(known),
        limit,
        with_standard: fields.flag("withStandard")?.unwrap_or(false),
    })
}
