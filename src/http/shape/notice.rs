//! The JSON that the API shows of notices and channels, as notifications.

use crate::base::time;
use crate::http::shape::add;
use crate::model::channel::Body;
use crate::model::channel::Channel;
use crate::model::notice::Delivery;
use crate::service::notices::Counts;
use crate::service::notices::NoticeView;
use crate::service::notices::Pref;
use crate::service::notices::message;
use serde_json::Value;
use serde_json::json;

/// A notification: `{id, sessionId, sessionName?, provider, eventType, title, body, approvalId?,
/// count, createdAt, readAt?, readSource?, deliveries: [delivery]}`, each delivery `{channel,
/// channelName, state: waiting|sent|failed|skipped, tries, at?, detail?}`.
pub fn notice(view: &NoticeView) -> Value {
    let mut out = message::notice(view);
    out["deliveries"] = view.deliveries.iter().map(receipt).collect();
    out
}

/// A delivery with its channel: `{channel, channelName, state, tries, at?, detail?}`.
pub fn receipt(one: &Delivery) -> Value {
    let mut shown = delivery(one);
    shown["channel"] = one.channel.clone().into();
    shown["channelName"] = one.channel_name.clone().into();
    shown
}

/// A delivery without its channel: `{state, tries, at?, detail?}`.
pub fn delivery(one: &Delivery) -> Value {
    let mut out = json!({"state": one.state.word(), "tries": one.tries});
    let at = one.at_ms.map(|ms| time::rfc3339(ms).into());
    add(&mut out, [("at", at), ("detail", one.detail.clone().map(Value::from))]);
    out
}

/// `{totalUnread, bySession: {id: count}}`.
pub fn counts(counts: &Counts) -> Value {
    json!({"totalUnread": counts.total, "bySession": counts.by_session})
}

/// `{sessionId, enabled: true|false|null, updatedAt?}`.
pub fn pref(pref: &Pref) -> Value {
    let mut out = json!({"sessionId": pref.session, "enabled": pref.enabled});
    add(&mut out, [("updatedAt", pref.updated_ms.map(|ms| time::rfc3339(ms).into()))]);
    out
}

/// A channel: `{id, name, kind: command|webhook, body?: plain|ntfy|slack, target, afterMinutes,
/// enabled, events, withCall, allowPrivate, hasToken, last?: {state, at, detail?}}`. `target` is
/// the program's path, or scheme and host of the URL; the rest of it is shown nowhere.
pub fn channel(channel: &Channel) -> Value {
    let events: Vec<&str> = channel.events.iter().map(|event| event.word()).collect();
    let mut out = json!({
        "id": channel.id,
        "name": channel.name,
        "kind": channel.kind.word(),
        "target": channel.target,
        "afterMinutes": minutes(channel.after_ms),
        "enabled": channel.enabled,
        "events": events,
        "withCall": channel.with_call,
        "allowPrivate": channel.allow_private,
        "hasToken": channel.has_token,
    });
    let last = channel.last.as_ref().map(|(state, ms, detail)| {
        let mut last = json!({"state": state, "at": time::rfc3339(*ms)});
        add(&mut last, [("detail", detail.clone().map(Value::from))]);
        last
    });
    add(&mut out, [("body", channel.body.map(Body::word).map(Value::from)), ("last", last)]);
    out
}

/// A whole number where it is one.
fn minutes(ms: i64) -> Value {
    match ms % 60_000 {
        0 => json!(ms / 60_000),
        _ => json!(ms as f64 / 60_000.0),
    }
}
