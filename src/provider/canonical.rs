//! One spelling for equal JSON, so that equal tool inputs have equal digests.

use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

/// `value` without white space and with the keys of each object in byte order. Equal values have
/// equal texts, whatever order they were written in.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// SHA-256 of [`text`]: what a decision is bound to.
pub fn sha256(value: &Value) -> [u8; 32] {
    Sha256::digest(text(value)).into()
}

fn write(value: &Value, out: &mut String) {
    let open = |out: &mut String, at: usize, bracket: char| {
        out.push(if at == 0 { bracket } else { ',' });
    };
    match value {
        Value::Array(list) => {
            for (at, item) in list.iter().enumerate() {
                open(out, at, '[');
                write(item, out);
            }
            out.push_str(if list.is_empty() { "[]" } else { "]" });
        }
        Value::Object(map) => {
            // Sorted here and not by the map: another crate can switch serde_json to input order.
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            for (at, (key, item)) in members.iter().enumerate() {
                open(out, at, '{');
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(item, out);
            }
            out.push_str(if members.is_empty() { "{}" } else { "}" });
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id;
    use crate::base::json;

    #[test]
    fn equal_values_have_one_text() {
        let one = json::parse(br#"{ "b":[1, {"d":null,"c":"\u00e9\n"}], "a":{}, "\"":[] }"#);
        let two =
            json::parse("{\"a\":{},\"\\\"\":[],\"b\":[1,{\"c\":\"é\\n\",\"d\":null}]}".as_bytes());
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(text(&one), "{\"\\\"\":[],\"a\":{},\"b\":[1,{\"c\":\"é\\n\",\"d\":null}]}");
        assert_eq!(text(&one), text(&two));
        assert_eq!(sha256(&one), sha256(&two));
        assert_eq!(json::parse(text(&one).as_bytes()).unwrap(), one);
    }

    #[test]
    fn the_digest_is_that_of_the_text() {
        // printf '{"command":"ls"}' | sha256sum
        let value = json::parse(br#"{ "command" : "ls" }"#).unwrap();
        assert_eq!(
            id::hex(&sha256(&value)),
            "4cf29611a66934862f29acfcc817e30b905c1ab73d5e65831413eb6b454d49db"
        );
        assert_ne!(sha256(&value), sha256(&json::parse(br#"{"command":"ls "}"#).unwrap()));
    }
}
