//! Known secrets in texts, values and streams.

use super::*;
use crate::base::seeded;
use crate::base::seeded::Random;
use serde_json::json;

fn needles(pairs: &[(&str, &str)]) -> Needles {
    let pairs: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let pairs = pairs.iter().map(|(name, value)| (name, value));
    Needles::of(pairs, |bytes| Box::new(bytes))
}

const TOKEN: &str = "p@ss word/ü+1?";

#[test]
fn a_value_is_found_as_it_is_in_base64_in_a_url_and_in_json() {
    let all = needles(&[("TOKEN", TOKEN)]);
    for form in [
        TOKEN.to_string(),
        BASE64.encode(TOKEN.as_bytes()),
        BASE64_NOPAD.encode(TOKEN.as_bytes()),
        BASE64URL.encode(TOKEN.as_bytes()),
        BASE64URL_NOPAD.encode(TOKEN.as_bytes()),
        BASE64.encode(format!("{TOKEN}\n").as_bytes()),
        "p%40ss%20word%2F%C3%BC%2B1%3F".to_string(),
        "p%40ss%20word%2f%c3%bc%2b1%3f".to_string(),
        "p%40ss+word%2F%C3%BC%2B1%3F".to_string(),
    ] {
        let said = all.text(&format!("ä {form} ü{form}"));
        assert_eq!(said, "ä [secret TOKEN] ü[secret TOKEN]", "{form}");
    }
    let quoted = needles(&[("Q", "a\"b\\c\nd-long")]);
    assert_eq!(quoted.text(r#"{"x":"a\"b\\c\nd-long"}"#), r#"{"x":"[secret Q]"}"#);
    assert_eq!(quoted.text("a\"b\\c\r\nd-long"), "[secret Q]");
    let value = json!({TOKEN: [TOKEN, 1, null]});
    assert_eq!(all.value(&value), json!({"[secret TOKEN]": ["[secret TOKEN]", 1, null]}));
}

#[test]
fn short_values_stay_and_of_two_at_one_place_the_longer_counts() {
    let all = needles(&[("SHORT", "1234567"), ("A", "12345678"), ("B", "12345678-more")]);
    assert_eq!(all.text("1234567 12345678 12345678-more"), "1234567 [secret A] [secret B]");
    assert_eq!(all.text("112345678"), "1[secret A]");
    let none = needles(&[("SHORT", "1234567"), ("EMPTY", "")]);
    assert!(none.is_empty());
    assert_eq!(none.text("1234567"), "1234567");
}

#[test]
fn a_stream_cut_anywhere_shows_no_byte_of_a_secret_and_loses_none_of_the_rest() {
    let pairs = [("A", "secret-one"), ("B", "secret-one-and-more"), ("C", "retsecret")];
    let mut random = Random::new(11);
    for _ in 0..seeded::rounds(3_000) {
        let parts = ["secret-one", "secret-one-and-more", "secret-", "retsecret", "s", "\n", "xyz"];
        let text: String = (0..random.below(12)).map(|_| random.pick(&parts)).collect();
        let whole = needles(&pairs);
        let expected = whole.text(&text);
        let longest = whole.longest;
        let mut stream = Stream::new(vec![Arc::new(whole)]);
        let mut out = Vec::new();
        for piece in random.pieces(text.as_bytes()) {
            stream.push(piece, &mut out);
            assert!(stream.held() < longest, "{}", stream.held());
        }
        stream.end(&mut out);
        let said = String::from_utf8(out).unwrap();
        assert_eq!(said, expected, "{text:?}");
    }
}

#[test]
fn what_begins_like_a_secret_and_is_none_is_shown() {
    let mut stream = Stream::new(vec![Arc::new(needles(&[("A", "secret-one")]))]);
    let mut out = Vec::new();
    stream.push(b"my secre", &mut out);
    assert_eq!((out.as_slice(), stream.held()), (&b"my "[..], 5));
    stream.push(b"tary", &mut out);
    assert_eq!((out.as_slice(), stream.held()), (&b"my secretary"[..], 0));
}

#[test]
fn what_is_covered_keeps_its_length_and_leaves_nothing_of_two_that_overlap() {
    let all = needles(&[("T", "secret-value"), ("LONG_NAME", "value-12")]);
    for (text, wanted) in [
        ("a secret-value b", "a [secret T]** b"),
        ("a value-12 b", "a [secret  b"),
        ("secret-value-12.", "[secret T]**[se."),
        ("nothing", "nothing"),
        ("", ""),
    ] {
        let mut bytes = text.as_bytes().to_vec();
        all.cover(&mut bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), wanted);
    }
}
