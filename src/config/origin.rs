//! Web origins (RFC 6454): scheme, host and port, compared whole.

use crate::base::error::{Error, Result};
use std::fmt;

/// One origin. The host is in lower case, an IPv6 one in its brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `https` rather than `http`.
    pub tls: bool,
    /// A name or an address.
    pub host: String,
    /// Also where it is the scheme's own and not written.
    pub port: u16,
}

impl Origin {
    /// Reads `https://host[:port]`, as a browser sends it and a person writes it: nothing may
    /// follow, and `null` is none.
    pub fn parse(text: &str) -> Option<Origin> {
        let (tls, authority) = match text.split_once("://")? {
            ("https", rest) => (true, rest),
            ("http", rest) => (false, rest),
            _ => return None,
        };
        let (host, port) = authority_of(authority, if tls { 443 } else { 80 })?;
        Some(Origin { tls, host, port })
    }

    /// The origins that `text` lists with commas or blanks between them. `Invalid` names the one
    /// that is none: what was meant to restrict access must not be skipped.
    pub fn list(text: &str) -> Result<Vec<Origin>> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let read = |word| {
            Origin::parse(word).ok_or_else(|| {
                let form = "write https://host or https://host:port";
                Error::invalid(format!("ALLOWED_ORIGINS: {word:?} is no origin; {form}"))
            })
        };
        words.map(read).collect()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

/// Takes `host[:port]` apart. The host is one word of what hosts are written with; a port is all
/// digits, without a zero in front.
pub fn authority_of(text: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match text.rfind(':') {
        Some(at) if !text.ends_with(']') => (&text[..at], Some(&text[at + 1..])),
        _ => (text, None),
    };
    let port = match port {
        None => default,
        Some(digits) => {
            let plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|_| plain)?
        }
    };
    let bare = |host: &str| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        !host.is_empty() && host.len() <= 253 && host.bytes().all(fine)
    };
    let fine = match host.strip_prefix('[') {
        Some(rest) => {
            rest.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok())
        }
        None => bare(host),
    };
    fine.then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for (text, shown) in [
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://Pipe.example", "https://pipe.example"),
            ("https://pipe.example:443", "https://pipe.example"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!(origin.to_string(), shown, "{text}");
        }
        let bad = "null pipe.example //x ftp://x http:// http://x/ http://x/y http://x: \
                   http://x:0 http://x:080 http://x:99999 http://u@x http://x?y http://[::1 \
                   http://[x]:1 http://*.x HTTP://x http://x:+80 http://x,y http://a_b";
        for text in bad.split_ascii_whitespace().chain([""]) {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_bad_entry_spoils_a_list() {
        assert_eq!(Origin::list("https://a, http://b:81").unwrap().len(), 2);
        assert!(Origin::list("").unwrap().is_empty());
        let error = Origin::list("https://a,b.example").unwrap_err();
        assert!(error.message.contains("\"b.example\""), "{}", error.message);
    }
}
