//! URLs of webhooks, read so strictly that there is one way to read them: what is checked here is
//! what is called later.
//!
//! 1. A host MUST be a plain name or an address in its one usual form: no user, no escapes, no
//!    numbers that a resolver takes for an address.
//! 2. An error MUST NOT show the URL: its path is a secret with some services.

use crate::base::error::{Error, Result};
use crate::limits;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// A URL in its parts. No `Debug`: it would show the path.
#[derive(Clone)]
pub struct Url {
    /// `https`, or `http`.
    pub scheme: &'static str,
    /// A name in small letters, or an address, an IPv6 one without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query, from the first slash on.
    pub rest: String,
    /// The port was written down.
    own_port: bool,
}

impl Url {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Url> {
        let wrong = |why: &str| Error::invalid(format!("the URL {why}"));
        if text.len() > limits::notices::URL_BYTES {
            let most = limits::notices::URL_BYTES;
            return Err(wrong(&format!("has more than {most} bytes")));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\<>^`{|}".contains(&b)) {
            return Err(wrong(
                "has a character that belongs escaped, as %20, or as xn-- in a host",
            ));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("https", rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => ("http", rest),
            _ => return Err(wrong("must begin with https://")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if rest.contains(['[', ']']) {
            return Err(wrong("has a bracket that belongs escaped, as %5B"));
        }
        if rest.contains('#') {
            return Err(wrong("has a #; leave it out: it is never sent"));
        }
        if authority.contains('@') {
            return Err(wrong("has a user in it; give what it takes with --token-file"));
        }
        let (host, port) = split_port(authority).ok_or_else(|| wrong("has no port after the :"))?;
        let own_port = port.is_some();
        let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
        let host = check_host(host).ok_or_else(|| {
            wrong("has no host that can be told for sure: a name like ntfy.sh, or an address")
        })?;
        let rest = if rest.starts_with('/') { rest.to_string() } else { format!("/{rest}") };
        Ok(Url { scheme, host, port, rest, own_port })
    }

    /// The host as it stands in a URL.
    fn bracketed(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        }
    }

    /// Scheme, host and port: what may be shown.
    pub fn origin(&self) -> String {
        let (scheme, host) = (self.scheme, self.bracketed());
        match self.own_port {
            true => format!("{scheme}://{host}:{}", self.port),
            false => format!("{scheme}://{host}"),
        }
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.origin() + &self.rest
    }

    /// The same place without its path.
    pub fn root(&self) -> Url {
        Url { rest: "/".to_string(), ..self.clone() }
    }

    /// The address that it names, where it names one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The one segment of its path, where there is one and no query.
    pub fn topic(&self) -> Option<&str> {
        let topic = self.rest.strip_prefix('/')?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        (!topic.is_empty() && topic.bytes().all(plain)).then_some(topic)
    }
}

/// Host and port; `None` where a port is no number.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let after = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[after..].find(':') {
        None => Some((authority, None)),
        Some(at) => {
            let (host, port) = (&authority[..after + at], &authority[after + at + 1..]);
            let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
            let port = port.parse().ok().filter(|port| digits && *port > 0);
            port.map(|port| (host, Some(port)))
        }
    }
}

fn check_host(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[') {
        let v6: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(v6.to_string());
    }
    if let Ok(v4) = host.parse::<Ipv4Addr>() {
        return Some(v4.to_string());
    }
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-')
    };
    // What ends in a number is an address in some form, decimal, octal or 0x.
    let last = host.rsplit('.').next()?;
    let is_name = last.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = host.len() <= 253 && is_name && host.split('.').all(label);
    fits.then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_its_parts_and_comes_back() {
        let read = |text: &str| Url::parse(text).ok().unwrap();
        let url = read("HTTPS://Hooks.Slack.com/services/T0/B0/x?y=1");
        assert_eq!((url.scheme, url.host.as_str(), url.port), ("https", "hooks.slack.com", 443));
        assert_eq!(url.origin(), "https://hooks.slack.com");
        assert_eq!(url.text(), "https://hooks.slack.com/services/T0/B0/x?y=1");
        assert_eq!(url.topic(), None);
        let url = read("http://[::1]:8080/my_topic-1");
        assert_eq!((url.origin().as_str(), url.topic()), ("http://[::1]:8080", Some("my_topic-1")));
        assert_eq!(url.address(), Some("::1".parse().unwrap()));
        assert_eq!(url.root().text(), "http://[::1]:8080/");
        assert_eq!(read("http://127.0.0.1:80").text(), "http://127.0.0.1:80/");
        assert_eq!(read("https://x?a=b").text(), "https://x/?a=b");
        assert_eq!(read("https://ntfy.sh").topic(), None);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused_and_not_shown() {
        for bad in [
            "",
            "hunter22",
            "ftp://hunter22/",
            "file:///etc/hunter22",
            "//host/hunter22",
            "https:/host/hunter22",
            "https://",
            "https:///hunter22",
            "https://user:hunter22@host/",
            "https://good.example@127.0.0.1/hunter22",
            "https://host#@evil/hunter22",
            "https://host\\@evil/hunter22",
            "https://ho st/hunter22",
            "https://host/hunter22\r\nX: y",
            "https://host/\"hunter22",
            "https://hÖst/hunter22",
            "https://127.1/hunter22",
            "https://2130706433/hunter22",
            "https://0x7f.0.0.1/hunter22",
            "https://0x7f000001/hunter22",
            "https://0177.0.0.1/hunter22",
            "https://127.0.0.1./hunter22",
            "https://host./hunter22",
            "https://a..b/hunter22",
            "https://-a.b/hunter22",
            "https://%6c/hunter22",
            "https://[::1/hunter22",
            "https://[::1%25eth0]/hunter22",
            "https://[127.0.0.1]/hunter22",
            "https://host:/hunter22",
            "https://host:0/hunter22",
            "https://host:99999/hunter22",
            "https://host:+80/hunter22",
            "https://host:80:90/hunter22",
            &format!("https://host/{}", "x".repeat(2048)),
        ] {
            let error = Url::parse(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(!error.message.contains("hunter22"), "{}", error.message);
        }
    }
}
