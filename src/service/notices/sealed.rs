//! What is sealed of a channel: where it leads and how far it may go, as one.
//!
//! ```text
//! sealed  = with call, 1 byte ‖ allow private, 1 byte ‖ 1 ‖ field(program) ‖ fields(arguments)
//!         | with call, 1 byte ‖ allow private, 1 byte ‖ 2 ‖ field(url) ‖ field(token, or nothing)
//! place   = table notice_channels, row id, purpose channel, version of the channel
//! ```
//!
//! 1. A channel whose target or permissions are not those that were sealed MUST NOT open.

use crate::base::bytes::{Put, Take};
use crate::base::error::{Code, Error, Result};
use crate::base::secret::Secret;
use crate::limits::notices as limits;
use crate::model::channel::Channel;
use crate::secrets::Keyring;
use crate::secrets::Place;
use crate::service::notices::url::Url;
use zeroize::Zeroizing;

const COMMAND: u8 = 1;
const WEBHOOK: u8 = 2;

/// Where a channel leads. No `Debug`: it holds secrets.
#[derive(Clone)]
pub enum Way {
    /// A program of the user's and what it is started with.
    Command {
        /// Its absolute path.
        program: String,
        /// Its arguments.
        args: Vec<String>,
    },
    /// A URL.
    Webhook {
        /// The URL.
        url: Url,
        /// What is shown there.
        token: Option<Secret>,
    },
}

impl Way {
    /// What may be shown of it.
    pub fn target(&self) -> String {
        match self {
            Way::Command { program, .. } => program.clone(),
            Way::Webhook { url, .. } => url.origin(),
        }
    }

    fn has_token(&self) -> bool {
        matches!(self, Way::Webhook { token: Some(_), .. })
    }
}

fn place(channel: &Channel) -> Place<'_> {
    Place {
        table: "notice_channels",
        row: &channel.id,
        purpose: "channel",
        version: channel.version,
    }
}

/// Seals a way into a channel under its version, with what it may do; both are the channel's then.
pub fn seal(keys: &Keyring, channel: &mut Channel, way: &Way) -> Result<()> {
    let room = 64 + limits::URL_BYTES + limits::TOKEN_BYTES + limits::ARGS * limits::ARG_BYTES;
    let put = Put::with_room(room);
    let put = put.u8(channel.with_call.into()).u8(channel.allow_private.into());
    let put = match way {
        Way::Command { program, args } => {
            let put = put.u8(COMMAND).blob(program.as_bytes());
            put.blobs(args.iter().map(|arg| arg.as_bytes()))
        }
        Way::Webhook { url, token } => {
            let token = token.as_ref().map_or("", Secret::expose);
            let url = Zeroizing::new(url.text());
            put.u8(WEBHOOK).blob(url.as_bytes()).blob(token.as_bytes())
        }
    };
    let plain = Zeroizing::new(put.done());
    channel.sealed = keys.seal(place(channel), &plain)?;
    (channel.target, channel.has_token) = (way.target(), way.has_token());
    Ok(())
}

/// Where a channel leads.
pub fn open(keys: &Keyring, channel: &Channel) -> Result<Way> {
    let refuse = |why: &str| {
        let Channel { name, id, .. } = channel;
        let text = format!(
            "the channel {name} does not open: {why}; bring the database and master.key back from \
             one backup, or make the channel anew: codepiper notify rm {id}"
        );
        Error::new(Code::Failed, text)
    };
    let plain = keys.open(place(channel), &channel.sealed);
    let plain = plain.map_err(|error| refuse(&error.message))?;
    let (may, way) = decode(&plain).map_err(|error| refuse(&error.message))?;
    let same = may == (channel.with_call, channel.allow_private)
        && way.target() == channel.target
        && way.has_token() == channel.has_token;
    match same {
        true => Ok(way),
        false => Err(refuse("what it may do was changed outside of codepiper")),
    }
}

fn decode(plain: &[u8]) -> Result<((bool, bool), Way)> {
    let mut take = Take::new(plain);
    let may = (take.u8()? != 0, take.u8()? != 0);
    let way = match take.u8()? {
        COMMAND => {
            let program = take.text()?;
            let args = (0..take.u32()?).map(|_| take.text()).collect::<Result<_>>()?;
            Way::Command { program, args }
        }
        WEBHOOK => {
            let url = Zeroizing::new(take.text()?);
            let token = Some(take.text()?).filter(|token| !token.is_empty());
            Way::Webhook { url: Url::parse(&url)?, token: token.map(Secret::new) }
        }
        _ => return Err(Error::invalid("it is of no kind that is known here")),
    };
    Ok((may, way))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::Body;
    use crate::model::channel::Kind;
    use crate::model::notice::Kind as Event;

    fn channel(id: &str, version: i64) -> Channel {
        Channel {
            id: id.into(),
            name: "phone".into(),
            kind: Kind::Webhook,
            body: Some(Body::Plain),
            target: String::new(),
            has_token: false,
            with_call: false,
            allow_private: false,
            after_ms: 0,
            enabled: true,
            events: Event::ALL.to_vec(),
            sealed: Vec::new(),
            version,
            created_ms: 0,
            updated_ms: 0,
            last: None,
        }
    }

    #[test]
    fn a_channel_opens_as_it_was_sealed_and_not_as_somebody_made_it() {
        let dir = std::env::temp_dir().join(format!("cp-channel-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        let keys = Keyring::new(dir.join("master.key"));
        let url = Url::parse("https://ntfy.sh/hunter22").ok().unwrap();
        let way = Way::Webhook { url, token: Some(Secret::new("tk")) };
        let mut web = channel("a", 3);
        seal(&keys, &mut web, &way).unwrap();
        assert_eq!((web.target.as_str(), web.has_token), ("https://ntfy.sh", true));
        let Ok(Way::Webhook { url, token }) = open(&keys, &web) else { panic!("another way") };
        assert_eq!(url.text(), "https://ntfy.sh/hunter22");
        assert_eq!(token.unwrap().expose(), "tk");
        assert!(!web.sealed.windows(8).any(|part| part == b"hunter22"));
        let mut command = channel("b", 1);
        let way = Way::Command { program: "/bin/x".into(), args: vec!["a b".into(), "".into()] };
        seal(&keys, &mut command, &way).unwrap();
        let Ok(Way::Command { program, args }) = open(&keys, &command) else { panic!("another") };
        assert_eq!((program.as_str(), args), ("/bin/x", vec!["a b".to_string(), String::new()]));
        let forged = |change: &dyn Fn(&mut Channel)| {
            let mut other = web.clone();
            change(&mut other);
            let error = open(&keys, &other).err().unwrap().message;
            assert!(error.contains("notify rm a") && !error.contains("hunter22"), "{error}");
        };
        forged(&|other| other.allow_private = true);
        forged(&|other| other.with_call = true);
        forged(&|other| other.target = "https://elsewhere".into());
        forged(&|other| other.version = 2);
        forged(&|other| other.sealed.clone_from(&command.sealed));
        forged(&|other| other.sealed.truncate(20));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
