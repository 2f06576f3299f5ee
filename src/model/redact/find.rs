//! Where secrets stand in a text. The shapes are data, see shapes.txt.
//!
//! Each search goes through the text once; what it looks at again is bounded.

use std::sync::LazyLock;

/// A stretch of the text that shall go, in whole characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub from: usize,
    /// Behind its last.
    pub to: usize,
    /// What it is.
    pub kind: &'static str,
}

/// What is looked at to tell whether a prefix begins a token.
const TOKEN_SEEN: usize = 256;
/// Letters of a name that is compared.
const NAME_BYTES: usize = 64;

struct Token {
    kind: &'static str,
    prefix: &'static str,
    letters: &'static str,
    least: usize,
}

struct Name {
    kind: &'static str,
    word: &'static str,
    capital: bool,
}

struct Short {
    kind: &'static str,
    program: &'static str,
    option: &'static str,
    joined: bool,
}

#[derive(Default)]
struct Shapes {
    tokens: Vec<Token>,
    names: Vec<Name>,
    shorts: Vec<Short>,
}

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
    let mut shapes = Shapes::default();
    for line in include_str!("shapes.txt").lines() {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        match *words.as_slice() {
            ["token", kind, prefix, letters, least] => {
                let least = least.parse().expect("a number of ours");
                shapes.tokens.push(Token { kind, prefix, letters, least });
            }
            [how @ ("name" | "capital"), kind, word] => {
                shapes.names.push(Name { kind, word, capital: how == "capital" });
            }
            [how @ ("program" | "joined"), kind, program, option] => {
                shapes.shorts.push(Short { kind, program, option, joined: how == "joined" });
            }
            _ => assert!(line.is_empty() || line.starts_with('#'), "shapes.txt: {line}"),
        }
    }
    shapes
});

/// All of them, in their order, none over another.
pub fn spans(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    private_keys(text, &mut found);
    tokens(text, &mut found);
    headers(text, &mut found);
    named(text, &mut found);
    addresses(text, &mut found);
    shorts(text, &mut found);
    found.retain(|span| span.from < span.to && !text[span.from..].starts_with("[redacted:"));
    // Of two that overlap the earlier one goes on to where both end.
    found.sort_unstable_by_key(|span| (span.from, std::cmp::Reverse(span.to)));
    let mut out: Vec<Span> = Vec::with_capacity(found.len());
    for span in found {
        match out.last_mut().filter(|last| span.from < last.to) {
            Some(last) => last.to = last.to.max(span.to),
            None => out.push(span),
        }
    }
    out
}

/// The kind of secret that something of this name holds.
pub fn telling(name: &str) -> Option<&'static str> {
    if name.len() > NAME_BYTES {
        return None;
    }
    let plain = name.to_ascii_lowercase().replace('-', "_");
    let capital = !name.bytes().any(|b| b.is_ascii_lowercase());
    let fits = |known: &&Name| {
        let rest = plain.strip_suffix(known.word);
        let whole = rest.is_some_and(|rest| rest.is_empty() && !known.capital);
        let ends = rest.is_some_and(|rest| rest.len() > 1 && rest.ends_with('_'));
        // A name in one word: accessToken, dbPassword.
        let hump = rest.is_some_and(|rest| {
            let next = name.as_bytes().get(rest.len());
            !rest.is_empty() && next.is_some_and(u8::is_ascii_uppercase) && !capital
        });
        (whole || ends || (hump && !known.capital)) && (capital || !known.capital)
    };
    SHAPES.names.iter().find(fits).map(|known| known.kind)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_name(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

fn run(bytes: &[u8], from: usize, fits: impl Fn(u8) -> bool) -> usize {
    from + bytes[from..].iter().take_while(|b| fits(**b)).count()
}

fn letters(kind: &str) -> fn(u8) -> bool {
    match kind {
        "upper" => |b| b.is_ascii_uppercase() || b.is_ascii_digit(),
        "alnum" => |b| b.is_ascii_alphanumeric(),
        _ => is_name,
    }
}

fn tokens(text: &str, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let begins = at == 0 || !is_word(bytes[at - 1]);
        match begins.then(|| token(bytes, at)).flatten() {
            Some(span) => {
                at = span.to;
                found.push(span);
            }
            None => at += 1,
        }
    }
}

fn token(bytes: &[u8], at: usize) -> Option<Span> {
    if bytes[at..].starts_with(b"eyJ") {
        return web_token(bytes, at);
    }
    SHAPES.tokens.iter().find_map(|shape| {
        let body = at + shape.prefix.len();
        if !bytes[at..].starts_with(shape.prefix.as_bytes()) {
            return None;
        }
        let fits = letters(shape.letters);
        let seen = &bytes[body..bytes.len().min(body + TOKEN_SEEN)];
        let count = seen.iter().take_while(|b| fits(**b)).count();
        let digit = shape.letters != "digit" || seen[..count].iter().any(u8::is_ascii_digit);
        (count >= shape.least && digit).then(|| Span {
            from: at,
            to: run(bytes, body, fits),
            kind: shape.kind,
        })
    })
}

/// Three parts of base 64 with points between: a JSON web token.
fn web_token(bytes: &[u8], at: usize) -> Option<Span> {
    let first = run(&bytes[..bytes.len().min(at + TOKEN_SEEN)], at, is_name);
    if bytes.get(first) != Some(&b'.') || first - at < 10 {
        return None;
    }
    let second = run(bytes, first + 1, is_name);
    if bytes.get(second) != Some(&b'.') || second == first + 1 {
        return None;
    }
    Some(Span { from: at, to: run(bytes, second + 1, is_name), kind: "web-token" })
}

fn private_keys(text: &str, found: &mut Vec<Span>) {
    let mut from = 0;
    while let Some(at) = text[from..].find("-----BEGIN ").map(|at| from + at) {
        let line = text[at..].lines().next().unwrap_or_default();
        let body = at + "-----BEGIN ".len();
        from = body;
        if !line.contains("PRIVATE KEY-----") && !line.contains("PRIVATE KEY BLOCK-----") {
            continue;
        }
        let end = text[body..].find("-----END ").map(|at| body + at);
        let to = end.map_or(text.len(), |end| {
            let tail = end + "-----END ".len();
            text[tail..].find("-----").map_or(text.len(), |at| tail + at + 5)
        });
        found.push(Span { from: at, to, kind: "private-key" });
        from = to;
    }
}

/// `Authorization: …` up to the end of its line or quote, and `Bearer …` anywhere.
fn headers(text: &str, found: &mut Vec<Span>) {
    let (lower, bytes) = (text.to_ascii_lowercase(), text.as_bytes());
    for (word, kind) in
        [("authorization:", "authorization"), ("x-api-key:", "key"), ("cookie:", "cookie")]
    {
        for (at, _) in lower.match_indices(word) {
            let from = run(bytes, at + word.len(), |b| b == b' ');
            let to = run(bytes, from, |b| !matches!(b, b'\n' | b'\r' | b'"' | b'\'' | b'`'));
            if !bytes[from..to].starts_with(b"$") {
                found.push(Span { from, to, kind });
            }
        }
    }
    for (at, word) in lower.match_indices("bearer ") {
        let from = at + word.len();
        let to = run(bytes, from, |b| is_name(b) || matches!(b, b'.' | b'~' | b'+' | b'/' | b'='));
        let digit = bytes[from..to].iter().any(u8::is_ascii_digit);
        if to - from >= 12 && digit && (at == 0 || !is_word(bytes[at - 1])) {
            found.push(Span { from, to, kind: "bearer-token" });
        }
    }
}

/// `NAME=value`, `--name value` and `"name": "value"`.
fn named(text: &str, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_name(bytes[at]) {
            at += 1;
            continue;
        }
        let end = run(bytes, at, is_name);
        let whole = &text[at..end];
        let name = whole.trim_start_matches('-');
        let option = whole.starts_with("--");
        at = end;
        let from = match bytes.get(end) {
            Some(b'=') => end + 1,
            Some(b' ') if option => run(bytes, end, |b| b == b' '),
            Some(b'"' | b'\'') => match json_value(bytes, end + 1) {
                Some(from) => from,
                None => continue,
            },
            _ => continue,
        };
        let Some(kind) = telling(name) else { continue };
        let (from, to) = word(bytes, from);
        let is_plain = !matches!(bytes.get(from), None | Some(b'$' | b'=' | b'-' | b'<'));
        if is_plain && from < to {
            found.push(Span { from, to, kind });
            at = to;
        }
    }
}

/// Where the text begins that stands behind a quoted name, a colon and a quote.
fn json_value(bytes: &[u8], at: usize) -> Option<usize> {
    let space = |b: u8| b == b' ';
    let colon = run(bytes, at, space);
    (bytes.get(colon) == Some(&b':')).then_some(())?;
    let quote = run(bytes, colon + 1, space);
    matches!(bytes.get(quote), Some(b'"' | b'\'')).then_some(quote)
}

/// The word that begins here: up to the quote that closes it, or to what ends a bare one.
fn word(bytes: &[u8], at: usize) -> (usize, usize) {
    match bytes.get(at) {
        Some(quote @ (b'"' | b'\'')) => {
            let to = run(bytes, at + 1, |b| b != *quote && b != b'\n');
            (at + 1, to)
        }
        _ => (at, run(bytes, at, |b| !b.is_ascii_whitespace() && !b"\"'`&;|<>(),".contains(&b))),
    }
}

/// The password in `scheme://name:password@host`.
fn addresses(text: &str, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    for (at, mark) in text.match_indices("://") {
        let from = at + mark.len();
        let to = run(bytes, from, |b| !b.is_ascii_whitespace() && !b"/\"'`<>?#".contains(&b));
        let login = &text[from..to];
        if let Some(host) = login.rfind('@')
            && let Some(colon) = login[..host].find(':')
            && bytes[from + colon + 1] != b'$'
        {
            let (from, to) = (from + colon + 1, from + host);
            found.push(Span { from, to, kind: "password" });
        }
    }
}

/// `mysql -psecret`, `sshpass -p secret`, `curl -u name:secret`, within one command.
fn shorts(text: &str, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let (mut at, mut program, mut wants) = (0, None::<&'static str>, None);
    while at < bytes.len() {
        if matches!(bytes[at], b';' | b'|' | b'&' | b'\n' | b'(') {
            (program, wants) = (None, None);
        }
        let (from, to) = word(bytes, at);
        if from >= to {
            at = to.max(at + 1);
            continue;
        }
        at = to;
        let name = text[from..to].rsplit('/').next().unwrap_or_default();
        if let Some(kind) = wants.take() {
            found.extend((bytes[from] != b'$').then_some(Span { from, to, kind }));
        } else if let Some(short) = SHAPES.shorts.iter().find(|s| s.program == name) {
            program = Some(short.program);
        } else if let Some(of) = program {
            let option = |s: &&Short| s.program == of && text[from..to].starts_with(s.option);
            let Some(short) = SHAPES.shorts.iter().find(option) else { continue };
            let value = from + short.option.len();
            match value == to {
                true if !short.joined => wants = Some(short.kind),
                true => {}
                false if bytes[value] == b'$' => {}
                false => found.push(Span { from: value, to, kind: short.kind }),
            }
        }
    }
}
