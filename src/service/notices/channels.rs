//! Channels: made, changed, switched, removed, listed. How a notice gets out is `send`.
//!
//! 1. A URL, a token and arguments MUST NOT leave this file but sealed: lists, records and errors
//!    have names, programs and hosts.
//! 2. Each change MUST be on record in the transaction that makes it.
//! 3. A token MUST NOT go with a URL to another place than the one that it was given for.

use crate::base::error::{Code, Error, Result};
use crate::base::id;
use crate::base::secret::Secret;
use crate::base::time;
use crate::limits::notices as limits;
use crate::model::audit::Kind as Record;
use crate::model::channel;
use crate::model::channel::Body;
use crate::model::channel::Channel;
use crate::model::channel::Kind;
use crate::model::notice::Kind as Event;
use crate::service::Service;
use crate::service::notices::sealed;
use crate::service::notices::sealed::Way;
use crate::service::notices::url::Url;
use crate::service::policies::pick;
use crate::service::recorded;
use crate::store::channels;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What is said of a channel, for a new one or as a change; what is not said is as it was, or as it
/// is by default. No `Debug`: it holds secrets.
#[derive(Default)]
pub struct Wish {
    /// Its name.
    pub name: Option<String>,
    /// The program.
    pub program: Option<String>,
    /// Its arguments.
    pub args: Option<Vec<String>>,
    /// The URL.
    pub url: Option<Secret>,
    /// What a webhook is sent.
    pub body: Option<Body>,
    /// What is shown there; empty takes it away.
    pub token: Option<Secret>,
    /// Questions only, and only after this.
    pub after_ms: Option<i64>,
    /// What it gets.
    pub events: Option<Vec<Event>>,
    /// It is told the call.
    pub with_call: Option<bool>,
    /// It may lead to this host and its network.
    pub allow_private: Option<bool>,
    /// It is on.
    pub enabled: Option<bool>,
}

impl Wish {
    /// Whether it says what is run: only a program of our user's may.
    pub fn names_program(&self) -> bool {
        self.program.is_some() || self.args.is_some()
    }

    fn is_sealed(&self) -> bool {
        let way = self.names_program() || self.url.is_some() || self.token.is_some();
        way || self.body.is_some() || self.with_call.is_some() || self.allow_private.is_some()
    }
}

impl Service {
    /// All channels, those that come first first.
    pub fn channels(&self) -> Result<Vec<Channel>> {
        self.store().read(channels::list)
    }

    /// The channel that a person means: by id, by name, or by the beginning of an id.
    pub fn find_channel(&self, words: &str) -> Result<Channel> {
        let mut all = self.channels()?;
        let named: Vec<(&str, bool)> =
            all.iter().map(|one| (one.id.as_str(), one.name == words)).collect();
        let id = pick("Channel", words, &named).map_err(|error| match error.code {
            Code::NotFound => channels::missing(words),
            _ => error,
        })?;
        let at = all.iter().position(|one| one.id == id);
        at.map(|at| all.swap_remove(at)).ok_or_else(|| channels::missing(words))
    }

    /// Makes a channel. `Conflict` where its name is taken.
    pub fn create_channel(&self, kind: Kind, wish: Wish, by: &str) -> Result<Channel> {
        let _hold = self.logins.keys.hold();
        let now = time::unix_ms();
        let way = new_way(kind, &wish)?;
        let mut new = Channel {
            id: id::uuid()?,
            name: channel::clean_name(wish.name.as_deref().unwrap_or_default())?,
            kind,
            body: (kind == Kind::Webhook).then(|| wish.body.unwrap_or(Body::Plain)),
            target: String::new(),
            has_token: false,
            with_call: wish.with_call.unwrap_or(false),
            allow_private: wish.allow_private.unwrap_or(false),
            after_ms: check_after(wish.after_ms.unwrap_or(0))?,
            enabled: wish.enabled.unwrap_or(true),
            events: wish.events.unwrap_or_else(|| Event::ALL.to_vec()),
            sealed: Vec::new(),
            version: 1,
            created_ms: now,
            updated_ms: now,
            last: None,
        };
        check(&new, &way)?;
        sealed::seal(&self.logins.keys, &mut new, &way)?;
        let (made, by) = (new.clone(), by.to_string());
        self.store().write(move |tx| {
            if channels::list(tx)?.len() >= limits::CHANNELS {
                let most = limits::CHANNELS;
                return Err(Error::conflict(format!(
                    "there are {most} channels, the limit; remove one: codepiper notify list"
                )));
            }
            channels::insert(tx, &new)?;
            let reason = format!("channel {} made", new.name);
            recorded::changed(tx, Record::Setting, &by, reason, on_record(&new)).map(drop)
        })?;
        Ok(made)
    }

    /// Changes a channel. What is sealed of it is sealed anew under the next version, so that what
    /// was sealed before does not open any more.
    pub fn change_channel(&self, words: &str, wish: Wish, by: &str) -> Result<Channel> {
        let _hold = self.logins.keys.hold();
        let before = self.find_channel(words)?;
        let mut new = before.clone();
        if let Some(name) = &wish.name {
            new.name = channel::clean_name(name)?;
        }
        new.after_ms = check_after(wish.after_ms.unwrap_or(before.after_ms))?;
        new.enabled = wish.enabled.unwrap_or(before.enabled);
        if let Some(events) = &wish.events {
            new.events.clone_from(events);
        }
        new.updated_ms = time::unix_ms();
        if wish.is_sealed() {
            let way = sealed::open(&self.logins.keys, &before)?;
            let way = changed_way(way, &wish)?;
            new.body = before.body.map(|body| wish.body.unwrap_or(body));
            new.with_call = wish.with_call.unwrap_or(before.with_call);
            new.allow_private = wish.allow_private.unwrap_or(before.allow_private);
            check(&new, &way)?;
            new.version += 1;
            sealed::seal(&self.logins.keys, &mut new, &way)?;
        }
        let (made, by) = (new.clone(), by.to_string());
        self.store().write(move |tx| {
            channels::update(tx, &new, before.version)?;
            let mut details = on_record(&new);
            details["was"] = on_record(&before);
            let reason = format!("channel {} changed", before.name);
            recorded::changed(tx, Record::Setting, &by, reason, details).map(drop)
        })?;
        self.records.notices.ring();
        Ok(made)
    }

    /// Removes a channel; what is on its way to it is let be.
    pub fn delete_channel(&self, words: &str, by: &str) -> Result<Channel> {
        let (found, by) = (self.find_channel(words)?, by.to_string());
        let gone = found.clone();
        self.store().write(move |tx| {
            if !channels::delete(tx, &gone.id)? {
                return Err(channels::missing(&gone.name));
            }
            let reason = format!("channel {} removed", gone.name);
            recorded::changed(tx, Record::Setting, &by, reason, on_record(&gone)).map(drop)
        })?;
        self.records.notices.ring();
        Ok(found)
    }
}

/// A channel without its secrets.
fn on_record(channel: &Channel) -> Value {
    let events: Vec<&str> = channel.events.iter().map(|event| event.word()).collect();
    json!({
        "channel": channel.name, "id": channel.id, "kind": channel.kind.word(),
        "body": channel.body.map(Body::word), "target": channel.target,
        "hasToken": channel.has_token, "withCall": channel.with_call,
        "allowPrivate": channel.allow_private, "afterMs": channel.after_ms,
        "enabled": channel.enabled, "events": events, "version": channel.version,
    })
}

fn new_way(kind: Kind, wish: &Wish) -> Result<Way> {
    let webhook = wish.url.is_some() || wish.token.is_some() || wish.body.is_some();
    match (kind, &wish.program, &wish.url) {
        (Kind::Command, Some(program), _) if !webhook => {
            let (program, args) = (program.clone(), wish.args.clone().unwrap_or_default());
            Ok(Way::Command { program, args })
        }
        (Kind::Webhook, _, Some(url)) if !wish.names_program() => {
            let token = wish.token.clone().filter(|token| !token.expose().is_empty());
            Ok(Way::Webhook { url: Url::parse(url.expose())?, token })
        }
        (Kind::Command, ..) => {
            Err(Error::invalid("a command has a program and its args, and no url, body or token"))
        }
        (Kind::Webhook, ..) => Err(Error::invalid("a webhook has a url, and no program or args")),
    }
}

fn changed_way(way: Way, wish: &Wish) -> Result<Way> {
    Ok(match way {
        Way::Command { program, args } => {
            if wish.url.is_some() || wish.token.is_some() || wish.body.is_some() {
                return Err(Error::invalid("a command has no url, body or token"));
            }
            let program = wish.program.clone().unwrap_or(program);
            Way::Command { program, args: wish.args.clone().unwrap_or(args) }
        }
        Way::Webhook { url, token } => {
            if wish.names_program() {
                return Err(Error::invalid("a webhook has no program or args"));
            }
            let before = url.origin();
            let url = match &wish.url {
                Some(url) => Url::parse(url.expose())?,
                None => url,
            };
            // Whoever can change where it goes must not be shown what was meant for another place.
            if url.origin() != before && token.is_some() && wish.token.is_none() {
                return Err(Error::invalid(format!(
                    "the channel's token is for {before}; give the one for {}, or an empty one",
                    url.origin()
                )));
            }
            let token = wish.token.clone().or(token).filter(|token| !token.expose().is_empty());
            Way::Webhook { url, token }
        }
    })
}

fn check_after(after_ms: i64) -> Result<i64> {
    let most = limits::AFTER.as_millis() as i64;
    match (0..=most).contains(&after_ms) {
        true => Ok(after_ms),
        false => Err(Error::invalid(format!("afterMinutes is from 0 to {}", most / 60_000))),
    }
}

/// Refuses what could not work, or would do more than was said.
fn check(channel: &Channel, way: &Way) -> Result<()> {
    match way {
        Way::Command { program, args } => check_program(program, args),
        Way::Webhook { url, token } => {
            if url.scheme == "http" && !channel.allow_private {
                let text = "over http everybody on the way reads along; use https, or \
                            --allow-private for a server of your own network";
                return Err(Error::invalid(text));
            }
            if channel.body == Some(Body::Ntfy) && url.topic().is_none() {
                return Err(Error::invalid("an ntfy URL is https://HOST/TOPIC and no more"));
            }
            let token = token.as_ref().map_or("", Secret::expose);
            let plain = token.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
            match plain && token.len() <= limits::TOKEN_BYTES {
                true => Ok(()),
                false => Err(Error::invalid("a token is one line of plain characters")),
            }
        }
    }
}

fn check_program(program: &str, args: &[String]) -> Result<()> {
    let path = Path::new(program);
    if !path.is_absolute() || program.contains('\0') {
        return Err(Error::invalid(format!(
            "the program must be an absolute path, not {program:?}"
        )));
    }
    let runs = |meta: std::fs::Metadata| meta.is_file() && meta.permissions().mode() & 0o111 != 0;
    if !path.metadata().is_ok_and(runs) {
        return Err(Error::invalid(format!("{program} is not a program that you can run")));
    }
    let fits = |arg: &String| arg.len() <= limits::ARG_BYTES && !arg.contains('\0');
    match args.len() <= limits::ARGS && args.iter().all(fits) {
        true => Ok(()),
        false => {
            let (most, bytes) = (limits::ARGS, limits::ARG_BYTES);
            Err(Error::invalid(format!("a program gets {most} arguments of {bytes} bytes at most")))
        }
    }
}

#[cfg(test)]
mod tests;
