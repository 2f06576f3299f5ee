//! Hosts of the net: the one name that a URL speaks to, and the patterns over such names. Asks no
//! resolver.
//!
//! 1. A URL that two programs could take for different hosts MUST NOT have one here.

use crate::policy::glob::Budget;
use crate::policy::glob::Glob;
use crate::policy::visible;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// Bytes of a host's name, which is what DNS allows.
const NAME_BYTES: usize = 253;

/// The host that a call of a search tool speaks to: whoever searches for the agent.
pub const SEARCH: &str = "search";

/// The canonical host of an `http` or `https` URL: small letters, no trailing dot, addresses as the
/// standard library writes them; else what about it is odd, in words that follow "because".
pub fn of_url(url: &str) -> Result<String, &'static str> {
    if url.chars().any(|c| visible::is_hidden(c) || c.is_whitespace() || c == '\\') {
        return Err("its URL has characters that programs read differently");
    }
    let (scheme, rest) = url.split_once("://").ok_or("its URL has no scheme")?;
    let own_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => "80",
        "https" => "443",
        _ => return Err("its URL is neither http nor https"),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("its URL has a user name in it");
    }
    let (host, port) = match authority.rfind(':') {
        Some(at) if !authority.ends_with(']') => (&authority[..at], &authority[at + 1..]),
        _ => (authority, own_port),
    };
    if port != own_port {
        return Err("its URL names a port of its own");
    }
    canonical(host).ok_or("its URL has no plain host")
}

/// The one way to write a host; `None` for what is not plainly one.
pub fn canonical(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().ok()?;
        // `::ffff:127.0.0.1` is the host 127.0.0.1 to the kernel, and another name to a rule.
        return address
            .to_ipv4()
            .is_none_or(|_| address.is_loopback())
            .then(|| address.to_string());
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let good = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(plain)
    };
    if host.len() > NAME_BYTES || !host.split('.').all(good) {
        return None;
    }
    // What ends like a number is an address: in full and in decimal, or in a trick.
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = last.starts_with(|c: char| c.is_ascii_digit())
        && (last.chars().all(|c| c.is_ascii_digit()) || last.starts_with("0x"));
    match number {
        true => host.parse::<Ipv4Addr>().ok().map(|address| address.to_string()),
        false => Some(host),
    }
}

/// Every host that a word could name to some program, however it is written; for rules that deny
/// or ask.
pub fn mentioned(word: &str, put: &mut dyn FnMut(String)) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    for piece in word.split(|c| !is_part(c)) {
        let name = piece.trim_matches('.').to_ascii_lowercase();
        if name.is_empty() || name.len() > NAME_BYTES {
            continue;
        }
        if let Some(address) = loose_address(&name) {
            put(address.to_string());
        }
        put(name);
    }
    if let Some((_, rest)) = word.split_once('[')
        && let Some((inner, _)) = rest.split_once(']')
        && let Ok(address) = inner.parse::<Ipv6Addr>()
    {
        put(address.to_string());
        address.to_ipv4().into_iter().for_each(|short| put(short.to_string()));
    }
}

/// An address as C's `inet_aton` reads it: one to four numbers, decimal, octal or hexadecimal.
fn loose_address(text: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| match part.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
        None => part.parse().ok(),
    };
    let parts = text.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, front) = parts.split_last().filter(|(_, front)| front.len() < 4)?;
    let room = 32 - 8 * front.len() as u32;
    let fits = front.iter().all(|n| *n < 256) && u64::from(*last) < 1u64 << room;
    let high = front.iter().fold(0u64, |sum, n| sum << 8 | u64::from(*n)) << room;
    fits.then(|| Ipv4Addr::from(high as u32 | *last))
}

/// A pattern over hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    glob: Glob,
}

impl Hosts {
    /// Takes a pattern apart; `allows` says that its rule allows. The error says what is broken.
    pub fn parse(text: &str, allows: bool) -> Result<Hosts, String> {
        let glob = Glob::parse(text)?;
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.:*?[]!^".contains(c);
        if !text.chars().all(plain) || text.matches(':').count() == 1 {
            return Err(format!(
                "has {text:?}; a host is written in small letters, without scheme, port and path"
            ));
        }
        let last = text.rsplit('.').next().unwrap_or(text);
        let open = text.strip_prefix('*').is_some_and(|rest| !rest.starts_with('.'))
            || last.contains(['*', '?', '[']);
        if allows && text != "*" && open {
            return Err(format!(
                "has {text:?}, which would allow hosts of others; write `*.name` or the name"
            ));
        }
        Ok(Hosts { glob })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        self.glob.text()
    }

    /// For rules that allow: whether it is about this very host. `*.a.example` is not about
    /// `a.example` itself.
    pub fn covers(&self, host: &str, budget: &Budget) -> bool {
        self.glob.matches(host, budget)
    }

    /// For rules that deny or ask: whether it is about the host or a domain that the host is in;
    /// `*.a.example` is about `a.example` as well.
    pub fn catches(&self, host: &str, budget: &Budget) -> bool {
        let mut domains =
            std::iter::successors(Some(host), |name| name.split_once('.').map(|(_, up)| up));
        self.text().strip_prefix("*.") == Some(host)
            || domains.any(|name| self.glob.matches(name, budget))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_host_or_none() {
        for (url, host) in [
            ("https://example.com/x?y#z", "example.com"),
            ("HTTPS://Example.COM", "example.com"),
            ("https://example.com.:443/", "example.com"),
            ("http://xn--bcher-kva.example:80?x", "xn--bcher-kva.example"),
            ("http://127.0.0.1/", "127.0.0.1"),
            ("http://[::1]/", "::1"),
            ("http://[2001:DB8::0:1]/", "2001:db8::1"),
            ("http://x/docs", "x"),
        ] {
            assert_eq!(of_url(url).as_deref(), Ok(host), "{url}");
        }
        for url in [
            "",
            "example.com",
            "//example.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://a@evil.example",
            "https://good.example:pw@evil.example/",
            "https://good.example\\@evil.example/",
            "https://good.example:8443/",
            "https://good.example:/",
            "https://",
            "https:///x",
            "https://a..b/",
            "https://bücher.example/",
            "https://a%2eexample/",
            "https://a b/",
            "https://a\nb/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://0177.0.0.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::1%25lo]/",
            "http://127.0.0.1./x\u{202e}",
        ] {
            assert!(of_url(url).is_err(), "{url:?}: {:?}", of_url(url));
        }
    }

    #[test]
    fn patterns_allow_what_they_say_and_deny_what_they_could_mean() {
        let budget = Budget::new(1_000_000);
        let ask = |text: &str, host: &str| {
            let allow = Hosts::parse(text, true).is_ok_and(|p| p.covers(host, &budget));
            (allow, Hosts::parse(text, false).unwrap().catches(host, &budget))
        };
        assert_eq!(ask("example.com", "example.com"), (true, true));
        assert_eq!(ask("example.com", "www.example.com"), (false, true));
        assert_eq!(ask("*.example.com", "a.b.example.com"), (true, true));
        assert_eq!(ask("*.example.com", "example.com"), (false, true));
        assert_eq!(ask("*.example.com", "evilexample.com"), (false, false));
        assert_eq!(ask("example.com", "notexample.com"), (false, false));
        assert_eq!(ask("*", "anything"), (true, true));
        assert_eq!(ask("::1", "::1"), (true, true));
        for open in ["*example.com", "example.*", "10.0.0.*", "a.?om"] {
            assert!(Hosts::parse(open, true).unwrap_err().contains("hosts of others"), "{open}");
            assert!(Hosts::parse(open, false).is_ok());
        }
        for bad in ["", "Example.com", "https://a", "a:80", "a/b", "bücher.example", "a b"] {
            assert!(Hosts::parse(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_is_seen_in_whatever_form_it_stands() {
        let seen = |word: &str, host: &str| {
            let mut found = false;
            mentioned(word, &mut |name| found |= name == host);
            found
        };
        for word in [
            "evil.example",
            "https://evil.example/x",
            "u:p@EVIL.example:22",
            "x=evil.example.",
            "git@evil.example:me/x.git",
            "evil.example/%41",
            "-Lfoo:evil.example:80",
        ] {
            assert!(seen(word, "evil.example"), "{word}");
        }
        for word in ["127.1", "http://2130706433/", "0x7f.0.0.1", "0177.1", "[::ffff:127.0.0.1]"] {
            assert!(seen(word, "127.0.0.1"), "{word}");
        }
        assert!(!seen("notevil.example", "evil.example"));
        assert_eq!(loose_address("1.2.3.4.5"), None);
        assert_eq!(loose_address("256.1.1.1"), None);
    }
}
