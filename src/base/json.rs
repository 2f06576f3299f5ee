//! Reading JSON that strangers wrote: one depth limit, no duplicate keys, errors that name the
//! field.

use crate::base::error::{Error, Result};
use crate::limits;
use serde_json::Map;
use serde_json::Value;
use std::collections::HashSet;

/// Parses `bytes`, refusing what two readers could understand differently: nesting deeper than
/// [`limits::JSON_DEPTH`] and objects that name a key twice.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    check(bytes)?;
    serde_json::from_slice(bytes).map_err(|e| Error::invalid(format!("not valid JSON: {e}")))
}

/// A walk over the raw text that tracks only strings, nesting and the keys seen at each level.
/// Syntax is left to the parser that follows.
fn check(bytes: &[u8]) -> Result<()> {
    // One entry per open bracket: the keys of an object, or nothing for an array.
    let mut open: Vec<Option<HashSet<String>>> = Vec::new();
    let mut expect_key = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at)?;
                if expect_key && let Some(Some(keys)) = open.last_mut() {
                    note_key(keys, &bytes[at..end])?;
                    expect_key = false;
                }
                at = end;
                continue;
            }
            b'{' => {
                open.push(Some(HashSet::new()));
                expect_key = true;
            }
            b'[' => open.push(None),
            b'}' | b']' => {
                open.pop();
                expect_key = false;
            }
            b',' => expect_key = matches!(open.last(), Some(Some(_))),
            _ => {}
        }
        if open.len() > limits::JSON_DEPTH {
            let most = limits::JSON_DEPTH;
            return Err(Error::invalid(format!("JSON nested deeper than {most} levels")));
        }
        at += 1;
    }
    Ok(())
}

fn note_key(keys: &mut HashSet<String>, quoted: &[u8]) -> Result<()> {
    let key: String = serde_json::from_slice(quoted)
        .map_err(|e| Error::invalid(format!("not valid JSON: {e}")))?;
    match keys.replace(key) {
        Some(key) => Err(Error::invalid(format!("JSON names the key {key:?} twice"))),
        None => Ok(()),
    }
}

/// Index just behind the closing quote of the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> Result<usize> {
    let mut i = at + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return Ok(i + 1),
            _ => i += 1,
        }
    }
    Err(Error::invalid("not valid JSON: a string does not end"))
}

/// The members of an object, with errors that name what was asked for.
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The value's members, or an error where it is not an object.
    pub fn of(value: &'a Value) -> Result<Fields<'a>> {
        let map = value.as_object().ok_or_else(|| Error::invalid("expected a JSON object"))?;
        Ok(Fields { map })
    }

    /// The raw member; `null` counts as absent.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|v| !v.is_null())
    }

    /// Refuses members outside `known`, so that a typing error is not silently ignored.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        match self.map.keys().find(|k| !known.contains(&k.as_str())) {
            Some(key) => Err(Error::invalid(format!(
                "unknown field {key:?}; known are {}",
                known.join(", ")
            ))),
            None => Ok(()),
        }
    }

    /// An optional string.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A string that must be there.
    pub fn need_text(&self, name: &str) -> Result<&'a str> {
        self.text(name)?.ok_or_else(|| Error::invalid(format!("field {name:?} is missing")))
    }

    /// An optional boolean.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// An optional whole number from 0 up.
    pub fn number(&self, name: &str) -> Result<Option<u64>> {
        self.typed(name, "a whole number from 0 up", Value::as_u64)
    }

    /// An optional whole number, below 0 as well.
    pub fn integer(&self, name: &str) -> Result<Option<i64>> {
        self.typed(name, "a whole number", Value::as_i64)
    }

    /// An optional list of strings.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wrong = || Error::invalid(format!("field {name:?} must be a list of strings"));
        let list = value.as_array().ok_or_else(wrong)?;
        let texts = list.iter().map(|v| v.as_str().map(str::to_string).ok_or_else(wrong));
        Ok(Some(texts.collect::<Result<_>>()?))
    }

    fn typed<T>(
        &self,
        name: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(typed) => Ok(Some(typed)),
                None => Err(Error::invalid(format!("field {name:?} must be {kind}"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seeded::Random;
    use crate::base::seeded::rounds;

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        assert!(parse(br#"{"a":1,"b":{"a":2},"c":[{"a":1},{"a":2}]}"#).is_ok());
        assert!(parse(br#"{"a":1,"a":2}"#).unwrap_err().message.contains("\"a\" twice"));
        assert!(parse(b"{\"a\":1,\"\\u0061\":2}").is_err(), "an escape is the same key");
        let deep = "[".repeat(limits::JSON_DEPTH + 1) + &"]".repeat(limits::JSON_DEPTH + 1);
        assert!(parse(deep.as_bytes()).unwrap_err().message.contains("nested"));
        for bad in ["", "{", "\"\\", "{\"a\"", "[1,]", "nul", "{\"a\":1}x"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_read_is_what_any_reader_reads_and_noise_is_an_error() {
        let seed = br#"{"a":[1,-2.5e3,true,null,"x\u0041\"\\"],"b":{"c":{"d":[{}]}},"e":""}"#;
        let words: [&[u8]; 8] = [b"{", b"}", b"\"", b"\\", b"\"a\":", b",", b"[[[[", b"\xff"];
        let (mut random, mut read) = (Random::new(8259), 0);
        for _ in 0..rounds(20_000) {
            let mut bytes = seed.to_vec();
            for _ in 0..random.below(4) {
                let at = random.below(bytes.len());
                match random.below(3) {
                    0 => bytes[at] = random.byte(),
                    1 => drop(bytes.remove(at)),
                    _ => drop(bytes.splice(at..at, words[random.below(8)].iter().copied())),
                }
            }
            if let Ok(value) = parse(&bytes) {
                read += 1;
                assert_eq!(serde_json::from_slice::<Value>(&bytes).ok(), Some(value));
            }
        }
        assert!(read > 1000, "most were broken before anything was looked at: {read}");
    }

    #[test]
    fn errors_name_the_field() {
        let value = parse(br#"{"cols":"wide"}"#).unwrap();
        let fields = Fields::of(&value).unwrap();
        let error = fields.number("cols").unwrap_err();
        assert_eq!(error.message, "field \"cols\" must be a whole number from 0 up");
        assert!(fields.only(&["rows"]).unwrap_err().message.contains("\"cols\""));
    }
}
