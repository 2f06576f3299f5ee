//! Channels: ways to reach a person whose page is closed. How they are called is not known here.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::notice::Kind as Event;

/// What carries a notice away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A program of the user's, which gets it on standard input.
    Command,
    /// A request to a URL.
    Webhook,
}

impl Kind {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Command => "command",
            Kind::Webhook => "webhook",
        }
    }

    /// The kind behind a word.
    pub fn from_word(word: &str) -> Option<Kind> {
        [Kind::Command, Kind::Webhook].into_iter().find(|kind| kind.word() == word)
    }
}

/// What a webhook is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// The notice as JSON.
    Plain,
    /// What ntfy publishes: the sentence, with its title and priority beside it.
    Ntfy,
    /// What Slack's incoming webhooks take, and those that imitate them.
    Slack,
}

impl Body {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Body::Plain => "plain",
            Body::Ntfy => "ntfy",
            Body::Slack => "slack",
        }
    }

    /// The body behind a word.
    pub fn from_word(word: &str) -> Option<Body> {
        [Body::Plain, Body::Ntfy, Body::Slack].into_iter().find(|body| body.word() == word)
    }
}

/// A channel as it is stored. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// UUID.
    pub id: String,
    /// Unique.
    pub name: String,
    /// What carries the notice.
    pub kind: Kind,
    /// What a webhook is sent.
    pub body: Option<Body>,
    /// The program, or scheme and host of the URL: of that the rest is a secret with some services.
    pub target: String,
    /// It has a token.
    pub has_token: bool,
    /// It is told what the call is that is asked about.
    pub with_call: bool,
    /// It may lead to this host and its network.
    pub allow_private: bool,
    /// It gets questions only, and only those that have no answer after this.
    pub after_ms: i64,
    /// It gets anything at all.
    pub enabled: bool,
    /// What it gets.
    pub events: Vec<Event>,
    /// Where it leads and how, sealed as one.
    pub sealed: Vec<u8>,
    /// 1 at first, one more with each change; what was sealed for another does not open.
    pub version: i64,
    /// When it was made.
    pub created_ms: i64,
    /// When it was changed last.
    pub updated_ms: i64,
    /// State, time and words of its newest delivery.
    pub last: Option<(String, i64, Option<String>)>,
}

impl Channel {
    /// Whether it gets a notice of this kind.
    pub fn takes(&self, event: Event) -> bool {
        let in_turn = self.after_ms == 0 || event.is_question();
        self.enabled && in_turn && self.events.contains(&event)
    }
}

/// A channel's name: trimmed, one line, from 1 to [`limits::notices::NAME_CHARS`] characters.
pub fn clean_name(text: &str) -> Result<String> {
    let (name, most) = (text.trim(), limits::notices::NAME_CHARS);
    if name.is_empty() {
        return Err(Error::invalid("a channel needs a name"));
    }
    if name.chars().count() > most {
        return Err(Error::invalid(format!("the name of a channel may have {most} characters")));
    }
    if name.chars().any(char::is_control) {
        let text = "the name of a channel is one line, without control characters";
        return Err(Error::invalid(text));
    }
    Ok(name.to_string())
}

/// Reads a list of events by their words; empty is an error: such a channel would be of no use.
pub fn events(words: &[String]) -> Result<Vec<Event>> {
    let known = || Event::ALL.map(Event::word).join(", ");
    let mut found = Vec::new();
    for word in words {
        let wrong = || Error::invalid(format!("unknown event {word:?}; known are {}", known()));
        let event = Event::from_word(word).ok_or_else(wrong)?;
        if !found.contains(&event) {
            found.push(event);
        }
    }
    match found.is_empty() {
        true => Err(Error::invalid(format!("a channel needs an event; known are {}", known()))),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_names_are_checked() {
        for kind in [Kind::Command, Kind::Webhook] {
            assert_eq!(Kind::from_word(kind.word()), Some(kind));
        }
        for body in [Body::Plain, Body::Ntfy, Body::Slack] {
            assert_eq!(Body::from_word(body.word()), Some(body));
        }
        assert_eq!(clean_name(" my phone ").unwrap(), "my phone");
        for bad in ["", " ", "a\nb", &"x".repeat(61)] {
            assert!(clean_name(bad).is_err(), "{bad:?}");
        }
        let read =
            |words: &[&str]| events(&words.iter().map(|w| w.to_string()).collect::<Vec<_>>());
        let crashed = vec![Event::Crashed];
        assert_eq!(read(&["crashed", "session.crashed"]).unwrap(), crashed);
        assert!(read(&[]).is_err() && read(&["crash"]).is_err());
    }
}
