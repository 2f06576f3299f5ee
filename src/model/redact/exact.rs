//! Secrets that are known: values that were put into sessions, found exactly, as they are or as
//! base64, in a URL or in JSON, and replaced by the name that they were put there under.
//!
//! A search takes time that grows with the text alone: from each place it looks at two bytes, and
//! only where some needle begins with them at the needles themselves.
//!
//! 1. A needle MUST be replaced whole wherever it stands, also where it comes in pieces.
//! 2. Needles MUST be overwritten when they are let go, and MUST NOT be shown. For as long as they
//!    are looked for they stand where the caller keeps them.
//! 3. Of a stream no more MUST be held back than the longest needle.

use crate::limits;
use data_encoding::BASE64;
use data_encoding::BASE64_NOPAD;
use data_encoding::BASE64URL;
use data_encoding::BASE64URL_NOPAD;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use zeroize::Zeroizing;

pub mod masks;

/// A text that is looked for.
struct Needle {
    /// Where it stands among [`Needles::bytes`].
    from: usize,
    to: usize,
    /// What stands in its place.
    mark: String,
}

/// Where secrets are kept; overwrites them when it is let go.
pub type Kept = Box<dyn AsRef<[u8]> + Send + Sync>;

/// The texts that are looked for. No `Debug`: it would show them.
pub struct Needles {
    /// All of them, one behind the other.
    bytes: Kept,
    /// In the order of their bytes.
    list: Vec<Needle>,
    /// A bit for each two bytes that one begins with.
    starts: Vec<u64>,
    longest: usize,
}

/// A needle that was found: from here to there.
struct Hit<'a> {
    from: usize,
    to: usize,
    mark: &'a str,
}

impl Default for Needles {
    fn default() -> Needles {
        Needles { bytes: Box::new([]), list: Vec::new(), starts: Vec::new(), longest: 0 }
    }
}

impl Needles {
    /// Those of variables: each value of [`limits::MASKED_BYTES`] or more, in all its forms. `keep`
    /// moves them to where they are to stand.
    pub fn of<'a>(
        vars: impl IntoIterator<Item = (&'a String, &'a String)>,
        keep: impl FnOnce(Zeroizing<Vec<u8>>) -> Kept,
    ) -> Needles {
        let long = |(_, value): &(&String, &String)| value.len() >= limits::MASKED_BYTES;
        let mut all = Vec::new();
        for (name, value) in vars.into_iter().filter(long) {
            all.extend(forms(value).into_iter().map(|form| (form, name)));
        }
        // Of two with the same bytes the first in the order of names stays.
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|a, b| a.0 == b.0);
        let mut starts = vec![0; if all.is_empty() { 0 } else { 1024 }];
        let room = all.iter().map(|(form, _)| form.len()).sum();
        let (mut bytes, mut list) = (Zeroizing::new(Vec::with_capacity(room)), Vec::new());
        for (form, name) in &all {
            let (from, start) = (bytes.len(), start(form));
            starts[start / 64] |= 1 << (start % 64);
            bytes.extend_from_slice(form);
            list.push(Needle { from, to: bytes.len(), mark: format!("[secret {name}]") });
        }
        let longest = all.iter().map(|(form, _)| form.len()).max().unwrap_or_default();
        Needles { bytes: keep(bytes), list, starts, longest }
    }

    fn bytes_of(&self, needle: &Needle) -> &[u8] {
        &(*self.bytes).as_ref()[needle.from..needle.to]
    }

    /// There is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Needles that begin like this text, which has two bytes or more.
    fn begun_like(&self, text: &[u8]) -> &[Needle] {
        let start = start(text);
        if self.starts.get(start / 64).is_none_or(|bits| bits & (1 << (start % 64)) == 0) {
            return &[];
        }
        let first = &text[..2];
        let from = self.list.partition_point(|needle| &self.bytes_of(needle)[..2] < first);
        let to = self.list.partition_point(|needle| &self.bytes_of(needle)[..2] <= first);
        &self.list[from..to]
    }

    /// The first needle from `from` on; of several at one place the longest.
    fn find(&self, text: &[u8], from: usize) -> Option<Hit<'_>> {
        for at in from..text.len().saturating_sub(limits::MASKED_BYTES - 1) {
            let here = self.begun_like(&text[at..]).iter();
            let here = here.filter(|needle| text[at..].starts_with(self.bytes_of(needle)));
            if let Some(found) = here.max_by_key(|needle| needle.to - needle.from) {
                let to = at + found.to - found.from;
                return Some(Hit { from: at, to, mark: &found.mark });
            }
        }
        None
    }

    /// The text without them.
    pub fn text(&self, text: &str) -> String {
        let (mut out, mut at) = (String::with_capacity(text.len()), 0);
        while let Some(hit) = self.find(text.as_bytes(), at) {
            // Needles are whole characters, and so begin and end between two.
            out.push_str(text.get(at..hit.from).unwrap_or_default());
            out.push_str(hit.mark);
            at = hit.to;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }

    /// Bytes without them.
    pub fn bytes(self: &Arc<Needles>, bytes: &[u8]) -> Vec<u8> {
        let (mut stream, mut out) = (Stream::new(vec![self.clone()]), Vec::new());
        stream.push(bytes, &mut out);
        stream.end(&mut out);
        out
    }

    /// Bytes of the longest.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Covers them where they stand, so that every other byte stays in its place: with as much of
    /// the mark as there is room for, and stars.
    pub fn cover(&self, text: &mut [u8]) {
        let mut hits = Vec::new();
        let mut at = 0;
        // Those that begin within another as well: nothing of either may stay.
        while let Some(hit) = self.find(text, at) {
            at = hit.from + 1;
            hits.push((hit.from, hit.to, hit.mark.to_string()));
        }
        let mut covered = 0;
        for (from, to, mark) in hits {
            let from = from.max(covered);
            let marks = mark.bytes().chain(std::iter::repeat(b'*'));
            text[from..to.max(from)].iter_mut().zip(marks).for_each(|(byte, mark)| *byte = mark);
            covered = covered.max(to);
        }
    }

    /// The value without them, in any of its strings and keys.
    pub fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(list) => list.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => {
                let each = map.iter().map(|(key, item)| (self.text(key), self.value(item)));
                Value::Object(each.collect::<Map<String, Value>>())
            }
            plain => plain.clone(),
        }
    }
}

/// The first two bytes as a number.
fn start(text: &[u8]) -> usize {
    usize::from(text[0]) << 8 | usize::from(text[1])
}

/// A value as it may turn up.
fn forms(value: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let bytes = value.as_bytes();
    let mut forms = vec![value.to_string()];
    for encoding in [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD] {
        forms.push(encoding.encode(bytes));
        // With something behind it, a newline mostly, the last group is another.
        let whole = bytes.len() - bytes.len() % 3;
        forms.push(encoding.encode(&bytes[..whole]));
        forms.push(encoding.encode(&Zeroizing::new([bytes, b"\n"].concat())));
    }
    forms.push(percent(bytes, false, true));
    forms.push(percent(bytes, false, false));
    forms.push(percent(bytes, true, true));
    let quoted = Zeroizing::new(json!(value).to_string());
    forms.push(quoted[1..quoted.len() - 1].to_string());
    forms.push(value.replace('\n', "\r\n"));
    let long = |form: &String| form.len() >= limits::MASKED_BYTES;
    let owned = |form: String| Zeroizing::new(form.into_bytes());
    let (kept, short): (Vec<String>, Vec<String>) = forms.into_iter().partition(long);
    short.into_iter().for_each(|form| drop(owned(form)));
    kept.into_iter().map(owned).collect()
}

/// A value in a URL; of a form, where a blank is a plus.
fn percent(bytes: &[u8], form: bool, upper: bool) -> String {
    let mut out = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        let _ = match byte {
            b' ' if form => out.write_char('+'),
            b if b.is_ascii_alphanumeric() || b"-._~".contains(b) => out.write_char(*b as char),
            b if upper => write!(out, "%{b:02X}"),
            b => write!(out, "%{b:02x}"),
        };
    }
    out
}

/// Output that comes in pieces.
pub struct Stream {
    needles: Vec<Arc<Needles>>,
    held: Vec<u8>,
}

impl Stream {
    /// One that these are kept out of.
    pub fn new(needles: Vec<Arc<Needles>>) -> Stream {
        Stream { needles, held: Vec::new() }
    }

    /// Bytes that wait for what comes, since they may be the beginning of a needle.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the next piece; `out` gets what may be shown of it and of what waited.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(piece);
        let text = std::mem::take(&mut self.held);
        let keep = self.show(&text, out, |at| self.begins(&text, at));
        self.held = text[keep..].to_vec();
    }

    /// The stream ends here: of what waited nothing can become a needle any more.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let text = std::mem::take(&mut self.held);
        self.show(&text, out, |_| text.len());
    }

    /// Shows `text` up to where `open` says that a needle may be coming, seen from a place.
    fn show(&self, text: &[u8], out: &mut Vec<u8>, open: impl Fn(usize) -> usize) -> usize {
        let (mut at, mut keep) = (0, open(0));
        while let Some(hit) = self.find(text, at).filter(|hit| hit.from < keep) {
            out.extend_from_slice(&text[at..hit.from]);
            out.extend_from_slice(hit.mark.as_bytes());
            at = hit.to;
            if at > keep {
                keep = open(at);
            }
        }
        out.extend_from_slice(&text[at..keep]);
        keep
    }

    fn find(&self, text: &[u8], from: usize) -> Option<Hit<'_>> {
        let hits = self.needles.iter().filter_map(|needles| needles.find(text, from));
        hits.min_by_key(|hit| (hit.from, usize::MAX - hit.to))
    }

    /// Where the end of `text` begins that may be the beginning of a needle.
    fn begins(&self, text: &[u8], from: usize) -> usize {
        let longest = self.needles.iter().map(|needles| needles.longest).max().unwrap_or_default();
        let first = text.len().saturating_sub(longest.saturating_sub(1)).max(from);
        let begins = |at: &usize| {
            let rest = &text[*at..];
            self.needles.iter().any(|needles| {
                let is = |needle: &Needle| {
                    let bytes = needles.bytes_of(needle);
                    bytes.len() > rest.len() && bytes.starts_with(rest)
                };
                match rest.len() {
                    1 => needles.list.iter().any(is),
                    _ => needles.begun_like(rest).iter().any(is),
                }
            })
        };
        (first..text.len()).find(begins).unwrap_or(text.len())
    }
}

#[cfg(test)]
mod tests;
