//! Words for what looks like a secret, in place of it. Knows shapes, not secrets: what has no shape
//! of its own and no telling name stays.
//!
//! 1. What is recognised MUST be replaced by a word that says its kind and nothing else.
//! 2. Every text MUST be done in time that grows with its length only, and no value may give more
//!    than [`limits::AUDIT_ARGS`] bytes of text.

pub mod exact;
mod find;

use crate::limits;
use crate::model::redact::find::Span;
use serde_json::Map;
use serde_json::Value;

/// How a word that stands for something else begins: a secret, or what was too long.
pub const MARKS: [&str; 3] = ["[redacted:", "[left off:", "[secret "];

/// The text without what looks like a secret.
pub fn text(text: &str) -> String {
    let mut budget = limits::AUDIT_ARGS;
    cut(text, &mut budget)
}

/// The value without it, in any of its strings and under any telling key. What does not fit in
/// [`limits::AUDIT_ARGS`] is left off, and says how much that was.
pub fn value(value: &Value) -> Value {
    let mut budget = limits::AUDIT_ARGS;
    part(value, &mut budget)
}

fn part(value: &Value, budget: &mut usize) -> Value {
    match value {
        Value::String(text) => Value::String(cut(text, budget)),
        Value::Array(list) => {
            let mut out = Vec::new();
            for (at, item) in list.iter().enumerate() {
                if *budget == 0 {
                    out.push(Value::String(format!("[left off: {} items]", list.len() - at)));
                    break;
                }
                out.push(part(item, budget));
            }
            Value::Array(out)
        }
        Value::Object(map) => {
            let mut out = Map::new();
            // The short ones first: beside a file's whole content its path has a place.
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(_, item)| length(item));
            for (at, (key, item)) in members.into_iter().enumerate() {
                if *budget == 0 {
                    let rest = map.len() - at;
                    out.insert(format!("[left off: {rest} members]"), Value::Null);
                    break;
                }
                let name = cut(key, budget);
                let kept = match (find::telling(key), item) {
                    (Some(kind), Value::String(text)) if !text.is_empty() => {
                        Value::String(format!("[redacted:{kind}]"))
                    }
                    _ => part(item, budget),
                };
                out.insert(name, kept);
            }
            Value::Object(out)
        }
        plain => {
            spend(budget, 8);
            plain.clone()
        }
    }
}

/// About how much room a value takes.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.len().saturating_mul(1000),
        Value::Object(map) => map.len().saturating_mul(1000),
        _ => 0,
    }
}

/// The front of a text that fits, redacted.
fn cut(text: &str, budget: &mut usize) -> String {
    // A secret that stands across the cut is seen whole.
    let front = start(text, *budget + limits::SECRET_BYTES);
    let mut out = replace(front, &find::spans(front));
    if out.len() > *budget || front.len() < text.len() {
        let kept = start(&out, *budget).len();
        out.truncate(kept);
        let rest = text.len().saturating_sub(kept);
        out.push_str(&format!("[left off: {rest} bytes]"));
    }
    spend(budget, out.len() + 4);
    out
}

fn spend(budget: &mut usize, bytes: usize) {
    *budget = budget.saturating_sub(bytes);
}

/// The longest start of a text with at most so many bytes.
fn start(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn replace(text: &str, spans: &[Span]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        out.push_str(&text[at..span.from]);
        out.push_str(&format!("[redacted:{}]", span.kind));
        at = span.to;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests;
