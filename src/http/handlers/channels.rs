//! Channels of notices. No reply ever holds a URL's path, a token or an argument.
//!
//! 1. What is run MUST be said by the person's own programs alone: whoever has a browser's login
//!    must not be able to run a program with it.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::base::secret::Secret;
use crate::base::secret::wipe;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::handlers::success;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::shape::notice;
use crate::model::channel;
use crate::model::channel::Body;
use crate::model::channel::Channel;
use crate::model::channel::Kind;
use crate::model::notice::Delivery;
use crate::service::notices::channels::Wish;
use serde_json::Value;
use serde_json::json;

const FIELDS: [&str; 11] = [
    "name",
    "program",
    "args",
    "url",
    "body",
    "token",
    "afterMinutes",
    "events",
    "withCall",
    "allowPrivate",
    "enabled",
];

/// `{channels: [channel]}`, those that come first first.
pub fn list(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    let shown: Vec<Value> = api.channels()?.iter().map(notice::channel).collect();
    Ok(Reply::json(200, &json!({"channels": shown})))
}

/// Takes `{name, kind, program?, args?, url?, body?, token?, afterMinutes?, events?, withCall?,
/// allowPrivate?, enabled?}`; answers 201 `{channel}`. A `command` can be made at the control door
/// only.
pub fn create(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let mut body = request.json()?;
    let asked = parse_new(&body);
    wipe(&mut body);
    let (kind, wish) = asked?;
    check_door(request, kind == Kind::Command || wish.names_program())?;
    Ok(one(201, &api.create_channel(kind, wish, &client(request))?))
}

fn parse_new(body: &Value) -> Result<(Kind, Wish)> {
    let fields = Fields::of(body)?;
    fields.only(&[&FIELDS[..], &["kind"]].concat())?;
    let word = fields.need_text("kind")?;
    let wrong = || Error::invalid(format!("kind is command or webhook, not {word:?}"));
    Ok((Kind::from_word(word).ok_or_else(wrong)?, wish(&fields)?))
}

/// Takes any of the fields that [`create`] takes, but for the kind; answers `{channel}`. An empty
/// token takes it away. Program and arguments can be changed at the control door only.
pub fn update(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let mut body = request.json()?;
    let asked = parse_change(&body);
    wipe(&mut body);
    let wish = asked?;
    check_door(request, wish.names_program())?;
    Ok(one(200, &api.change_channel(params.get("id"), wish, &client(request))?))
}

fn parse_change(body: &Value) -> Result<Wish> {
    let fields = Fields::of(body)?;
    fields.only(&FIELDS)?;
    if !FIELDS.iter().any(|name| fields.get(name).is_some()) {
        return Err(Error::invalid(format!("nothing to change; known are {}", FIELDS.join(", "))));
    }
    wish(&fields)
}

fn wish(fields: &Fields<'_>) -> Result<Wish> {
    let body = fields.text("body")?.map(|word| {
        let wrong = || Error::invalid(format!("body is plain, ntfy or slack, not {word:?}"));
        Body::from_word(word).ok_or_else(wrong)
    });
    let after = fields.get("afterMinutes").map(|value| {
        let minutes = value.as_f64().filter(|minutes| (0.0..=1e6).contains(minutes));
        let wrong = || Error::invalid("field \"afterMinutes\" must be a number from 0 up");
        minutes.map(|minutes| (minutes * 60_000.0).round() as i64).ok_or_else(wrong)
    });
    let events = fields.texts("events")?.map(|words| channel::events(&words));
    Ok(Wish {
        name: fields.text("name")?.map(str::to_string),
        program: fields.text("program")?.map(str::to_string),
        args: fields.texts("args")?,
        url: fields.text("url")?.map(Secret::new),
        body: body.transpose()?,
        token: fields.text("token")?.map(Secret::new),
        after_ms: after.transpose()?,
        events: events.transpose()?,
        with_call: fields.flag("withCall")?,
        allow_private: fields.flag("allowPrivate")?,
        enabled: fields.flag("enabled")?,
    })
}

fn check_door(request: &Request, runs: bool) -> Result<()> {
    match runs && request.door.is_web() {
        true => Err(Error::denied(
            "what a channel runs is said on this host only: codepiper notify command",
        )),
        false => Ok(()),
    }
}

/// Removes a channel.
pub fn remove(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    api.delete_channel(params.get("id"), &client(request))?;
    Ok(success())
}

/// Sends a test by a channel, on or off, and answers after one try: `{delivery: {state, tries, at,
/// detail?}}`.
pub fn test(api: &Api, _: Request, params: &Params, answer: Answer) {
    let then = move |tried: Result<Delivery>| {
        let shown = |receipt| Reply::json(200, &json!({"delivery": notice::delivery(&receipt)}));
        answer.send(tried.map_or_else(|error| Reply::error(&error), shown));
    };
    api.test_channel(params.get("id"), then);
}

/// The same by every channel that is on: `{deliveries: [{channel, channelName, state, tries, at,
/// detail?}]}`.
pub fn test_all(api: &Api, _: Request, _: &Params, answer: Answer) {
    let then = move |tried: Result<Vec<Delivery>>| {
        let shown = |all: Vec<Delivery>| {
            let all: Vec<Value> = all.iter().map(notice::receipt).collect();
            Reply::json(200, &json!({ "deliveries": all }))
        };
        answer.send(tried.map_or_else(|error| Reply::error(&error), shown));
    };
    api.test_channels(then);
}

fn one(status: u16, channel: &Channel) -> Reply {
    Reply::json(status, &json!({"channel": notice::channel(channel)}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time;
    use crate::http::conn::Conn;
    use crate::http::message::Door;
    use crate::http::message::Peer;
    use crate::service::login::stand::Stand;
    use std::sync::Arc;

    fn request(door: Door, body: &Value) -> Request {
        let body = body.to_string();
        let mut conn = Conn::new(door, time::now());
        let head = "POST /notifications/channels HTTP/1.1\r\nHost: x\r\n";
        let kind = "Content-Type: application/json\r\n";
        let text = format!("{head}{kind}Content-Length: {}\r\n\r\n{body}", body.len());
        let whole = conn.feed(text.as_bytes(), time::now()).unwrap();
        Request::new(door, Arc::new(Peer { pid: 1, ..Peer::default() }), whole)
    }

    #[test]
    fn a_browser_can_make_a_webhook_and_switch_a_command_and_say_nothing_of_what_is_run() {
        let stand = Stand::new("channel-doors");
        let (api, none) = (&stand.service, Params::default());
        let run = json!({"name": "run", "kind": "command", "program": "/bin/cat"});
        let refused = create(api, &request(Door::Web, &run), &none).err().unwrap();
        assert_eq!(refused.code, crate::base::error::Code::Denied);
        assert_eq!(create(api, &request(Door::Control, &run), &none).unwrap().status, 201);
        let hook = json!({"name": "hook", "kind": "webhook", "url": "https://ntfy.sh/x"});
        assert_eq!(create(api, &request(Door::Web, &hook), &none).unwrap().status, 201);
        let change = |body: Value| {
            let request = request(Door::Web, &body);
            let wish = parse_change(&request.json().unwrap())?;
            check_door(&request, wish.names_program())?;
            api.change_channel("run", wish, "test").map(drop)
        };
        change(json!({"enabled": false})).unwrap();
        assert!(change(json!({"program": "/bin/sh"})).is_err());
        assert!(change(json!({"args": ["-c", "id"]})).is_err());
        assert!(!api.find_channel("run").unwrap().enabled);
    }
}
