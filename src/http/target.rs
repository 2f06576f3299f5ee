//! Request targets: one strict decode of path and query, so that nobody behind it decodes again.
//!
//! 1. Two readers MUST NOT be able to understand a path differently: encoded slashes, dot
//!    segments, backslashes, semicolons, empty segments, control characters and broken escapes
//!    are refused, never repaired.

use crate::http::message::Refusal;

/// A target in its parts.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// As it came, without the query.
    pub path: String,
    /// Between the slashes, decoded. Empty for `/`.
    pub segments: Vec<String>,
    /// Names and values, decoded, each name once.
    pub query: Vec<(String, String)>,
}

/// Takes an origin-form target (`/path?query`) apart.
pub fn parse(target: &str) -> Result<Target, Refusal> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let Some(inner) = path.strip_prefix('/') else {
        return Err(Refusal::invalid("the target must be a path that begins with /"));
    };
    let segments = match inner {
        "" => Vec::new(),
        _ => inner.split('/').map(segment).collect::<Result<_, _>>()?,
    };
    Ok(Target { path: path.to_string(), segments, query: pairs(query.unwrap_or(""))? })
}

fn segment(raw: &str) -> Result<String, Refusal> {
    let refuse = |what: &str| Err(Refusal::invalid(format!("a path with {what}")));
    if raw.is_empty() {
        return refuse("an empty segment");
    }
    if raw.bytes().any(|b| !is_path_byte(b)) {
        return refuse("a character that must be percent-encoded");
    }
    let decoded = decode(raw)?;
    match decoded.as_str() {
        "." | ".." => refuse("a dot segment"),
        text if text.contains(['/', '\\', ';']) => {
            refuse("an encoded slash, backslash or semicolon")
        }
        _ => Ok(decoded),
    }
}

/// RFC 3986 pchar without `;`, whose parameters mean different things to different programs.
fn is_path_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@%".contains(&b)
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        if part.bytes().any(|b| !matches!(b, 0x21..=0x7e) || b"\"#<>".contains(&b)) {
            return Err(Refusal::invalid("a query with a character that must be percent-encoded"));
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = decode(&name.replace('+', " "))?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(Refusal::invalid(format!("the query names {name:?} twice")));
        }
        pairs.push((name, decode(&value.replace('+', " "))?));
    }
    Ok(pairs)
}

/// Undoes percent-encoding once. The result is text without control characters.
fn decode(raw: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(b) = rest.next() {
        if b != b'%' {
            bytes.push(b);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(Refusal::invalid("a broken percent escape in the target")),
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => Ok(text),
        Ok(_) => Err(Refusal::invalid("a control character in the target")),
        Err(_) => Err(Refusal::invalid("the target is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once_and_keeps_its_raw_form() {
        let target = parse("/sessions/my%20%C3%A9t%C3%A9%2525/log?from=5&x=a%26b+c&flag").unwrap();
        assert_eq!(target.path, "/sessions/my%20%C3%A9t%C3%A9%2525/log");
        assert_eq!(target.segments, ["sessions", "my été%25", "log"]);
        let pairs = [("from", "5"), ("x", "a&b c"), ("flag", "")];
        assert_eq!(target.query, pairs.map(|(n, v)| (n.to_string(), v.to_string())));
        assert!(parse("/").unwrap().segments.is_empty());
        assert_eq!(parse("/...").unwrap().segments, ["..."]);
    }

    #[test]
    fn paths_that_could_be_read_in_two_ways_are_refused() {
        let bad = "* x http://h/x /a//b // /a/ /./a /a/.. /%2e%2E/a /a%2fb /a%5cb /a\\b /a;b \
                   /a%3bb /a%00 /a%0a /a%7f /a% /a%4 /a%zz /a%+1 /%ff /%c0%af /a#b /a\"b /a|b \
                   /a?x=1&x=2 /a?%x /a?x=%00 /a?a#b /a?\u{e9} /\u{e9}";
        for target in bad.split_ascii_whitespace().chain([""]) {
            let refused = parse(target).map_err(|r| r.status);
            assert_eq!(refused.err(), Some(400), "{target}");
        }
    }
}
