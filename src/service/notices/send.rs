//! One try of one delivery: opens the channel, runs the program or calls the webhook, and says what
//! came of it. Whether it is tried again is not known here.

use crate::base::error::{Code, Result};
use crate::limits::notices as limits;
use crate::model::channel::Body;
use crate::model::channel::Channel;
use crate::model::redact;
use crate::provider::env;
use crate::service::Service;
use crate::service::approvals::view;
use crate::service::notices::NoticeView;
use crate::service::notices::child;
use crate::service::notices::child::Ran;
use crate::service::notices::message::Message;
use crate::service::notices::sealed;
use crate::service::notices::sealed::Way;
use crate::service::notices::webhook;
use crate::service::notices::webhook::Call;
use std::collections::BTreeMap;
use std::path::Path;

/// What came of a try, with words for the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The channel has taken it.
    Done(String),
    /// It may work another time.
    Retry(String),
    /// It will not.
    Failed(String),
}

impl Service {
    /// Tries to get a message out by a channel. Takes as long as that takes.
    pub(super) fn send_by(&self, channel: &Channel, message: &Message) -> Sent {
        let sent = self.try_by(channel, message);
        let sent = sent.unwrap_or_else(|error| match error.code {
            Code::Timeout => Sent::Retry(error.message),
            _ => Sent::Failed(error.message),
        });
        match sent {
            Sent::Done(words) => Sent::Done(self.harmless(&words)),
            Sent::Retry(words) => Sent::Retry(self.harmless(&words)),
            Sent::Failed(words) => Sent::Failed(self.harmless(&words)),
        }
    }

    fn try_by(&self, channel: &Channel, message: &Message) -> Result<Sent> {
        let (channel, way) = {
            let _hold = self.logins.keys.hold();
            // Sealed under the key of now: it may have been changed since the channel was read, and
            // what it may do counts as it is sealed.
            let channel = self.find_channel(&channel.id)?;
            let way = sealed::open(&self.logins.keys, &channel)?;
            (channel, way)
        };
        let vars = env::base(&self.login_env.get(), &BTreeMap::new())?;
        match way {
            Way::Command { program, args } => {
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let line = message.line();
                let program = Path::new(&program);
                let ran = child::run(program, &args, &vars, line.as_bytes(), limits::COMMAND_WAIT)?;
                Ok(judge(&ran))
            }
            Way::Webhook { url, token } => {
                let form = channel.body.unwrap_or(Body::Plain);
                let topic = url.topic().unwrap_or_default().to_string();
                // ntfy takes JSON at its root; at the topic it would be the message's text.
                let url = if form == Body::Ntfy { url.root() } else { url };
                let (body, token) = (message.body(form, &topic), token.as_ref());
                let (body, allow_private) = (body.as_str(), channel.allow_private);
                Ok(webhook::call(&Call { url: &url, body, token, allow_private }, &vars))
            }
        }
    }

    /// Words for a receipt: without known secrets and what looks like one, and not too many.
    fn harmless(&self, words: &str) -> String {
        let words = redact::text(&self.store().masks().text(words.trim()));
        let skip = words.chars().count().saturating_sub(limits::DETAIL_CHARS);
        words.chars().skip(skip).collect()
    }

    /// The message of a notice for a channel.
    pub(super) fn message(&self, view: &NoticeView, channel: &Channel) -> Message {
        let asked = view.notice.approval.filter(|_| channel.with_call);
        let call = asked.and_then(|id| self.approval(id).ok()).and_then(|known| known.call);
        Message::of(view, call.map(|call| self.store().masks().text(&view::brief(&call))))
    }
}

/// What became of a user's program.
fn judge(ran: &Ran) -> Sent {
    let ending = ran.ending();
    let ending = if ran.status.success() { "" } else { ending.as_str() };
    let words = [ending, ran.stdout.trim(), ran.stderr.trim()];
    let words: Vec<&str> = words.into_iter().filter(|part| !part.is_empty()).collect();
    match ran.status.success() {
        true => Sent::Done(words.join("\n")),
        false => Sent::Retry(words.join("\n")),
    }
}
