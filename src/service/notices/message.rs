//! What goes out of a notice: as JSON for programs and plain webhooks, and in the forms of
//! services. Where to is not known here.

use crate::base::time;
use crate::model::channel::Body;
use crate::model::channel::Channel;
use crate::model::notice::Kind;
use crate::policy::visible;
use crate::service::notices::NoticeView;
use serde_json::Value;
use serde_json::json;

/// A notice on its way out.
pub struct Message {
    /// All of it, for programs.
    json: Value,
    title: String,
    text: String,
    /// The call that is asked about, for channels that are told.
    call: Option<String>,
    /// From 1 to 5, as ntfy counts.
    priority: u8,
}

/// A notice as the API has it, but for its deliveries: `{id, sessionId, sessionName?, provider,
/// eventType, title, body, approvalId?, count, createdAt, readAt?, readSource?}`.
pub fn notice(view: &NoticeView) -> Value {
    let notice = &view.notice;
    let mut out = json!({
        "id": notice.id,
        "sessionId": notice.session,
        "provider": view.provider,
        "eventType": notice.kind.word(),
        "title": notice.title,
        "body": notice.body,
        "count": notice.count,
        "createdAt": time::rfc3339(notice.created_ms),
    });
    let read = notice.read.as_ref();
    let optional = [
        ("sessionName", view.session_name.clone().map(Value::from)),
        ("approvalId", notice.approval.map(Value::from)),
        ("readAt", read.map(|(ms, _)| time::rfc3339(*ms).into())),
        ("readSource", read.map(|(_, source)| source.clone().into())),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            out[name] = value;
        }
    }
    out
}

impl Message {
    /// Of a notice; `call` for a channel that is told what is asked about.
    pub fn of(view: &NoticeView, call: Option<String>) -> Message {
        let mut json = notice(view);
        if let Some(call) = &call {
            json["call"] = call.clone().into();
        }
        let priority = match view.notice.kind {
            Kind::Ungated => 5,
            Kind::Permission | Kind::Input | Kind::Crashed => 4,
            Kind::TurnCompleted | Kind::Ended | Kind::PartialSandbox => 3,
        };
        let (title, text) = (view.notice.title.clone(), view.notice.body.clone());
        Message { json, title, text, call, priority }
    }

    /// A test of a channel.
    pub fn test(channel: &Channel) -> Message {
        let title = "Test".to_string();
        let text = format!("codepiper reaches you by the channel {}.", channel.name);
        let json = json!({
            "eventType": "test", "title": title, "body": text, "count": 1,
            "createdAt": time::rfc3339(time::unix_ms()),
        });
        Message { json, title, text, call: None, priority: 3 }
    }

    /// What a program reads: one line of JSON.
    pub fn line(&self) -> String {
        format!("{}\n", self.json)
    }

    /// What a webhook is sent. `topic` is ntfy's.
    pub fn body(&self, body: Body, topic: &str) -> String {
        let title = visible::shown(&self.title, usize::MAX);
        let text = visible::shown(&self.text, usize::MAX);
        let call = self.call.as_ref().map(|call| visible::shown(call, usize::MAX));
        let value = match body {
            Body::Plain => self.json.clone(),
            Body::Ntfy => {
                let call = call.map(|call| format!("\n{call}")).unwrap_or_default();
                let message = format!("{text}{call}");
                let priority = self.priority;
                json!({"topic": topic, "title": title, "message": message, "priority": priority})
            }
            Body::Slack => {
                let (title, text) = (escape(&title), escape(&text));
                let call = call.map(|call| format!("\n```{}```", escape(&call).replace('`', "'")));
                json!({"text": format!("*{title}*\n{text}{}", call.unwrap_or_default())})
            }
        };
        value.to_string()
    }
}

/// The three characters that mean something to Slack: with one of them a text could mention people
/// or show a link as another.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::notice::Notice;

    fn view(body: &str) -> NoticeView {
        NoticeView {
            notice: Notice {
                id: 7,
                session: "s".into(),
                kind: Kind::Permission,
                title: "Permission required".into(),
                body: body.into(),
                approval: Some(3),
                count: 2,
                created_ms: 0,
                read: None,
                revision: 1,
            },
            session_name: Some("build".into()),
            provider: "claude-code".into(),
            deliveries: Vec::new(),
        }
    }

    fn parsed(message: &Message, body: Body) -> Value {
        serde_json::from_str(&message.body(body, "mine")).unwrap()
    }

    #[test]
    fn a_program_reads_the_notice_in_one_line_and_no_call_unless_it_is_told() {
        let message = Message::of(&view("line\nbreak"), None);
        let line = message.line();
        assert_eq!(line.matches('\n').count(), 1);
        let json: Value = serde_json::from_str(&line).unwrap();
        let wanted = json!({
            "id": 7, "sessionId": "s", "sessionName": "build", "provider": "claude-code",
            "eventType": "session.permission_required", "title": "Permission required",
            "body": "line\nbreak", "approvalId": 3, "count": 2,
            "createdAt": "1970-01-01T00:00:00.000Z",
        });
        assert_eq!(json, wanted);
        let told = Message::of(&view("x"), Some("Bash ls".into()));
        assert_eq!(parsed(&told, Body::Plain)["call"], "Bash ls");
    }

    #[test]
    fn each_service_gets_its_form_and_nothing_that_it_would_take_for_more() {
        let told = Message::of(&view("<!channel> a&b \u{202e}x"), Some("Bash `id` <b>".into()));
        let ntfy = parsed(&told, Body::Ntfy);
        assert_eq!(ntfy["message"], "<!channel> a&b U+202Ex\nBash `id` <b>");
        assert_eq!((&ntfy["topic"], &ntfy["priority"]), (&json!("mine"), &json!(4)));
        assert_eq!(ntfy["title"], "Permission required");
        let slack = parsed(&told, Body::Slack);
        let wanted = "*Permission required*\n&lt;!channel&gt; a&amp;b U+202Ex\n```Bash 'id' \
                      &lt;b&gt;```";
        assert_eq!(slack, json!({ "text": wanted }));
    }
}
