//! Takes out of a viewer's input what its terminal answered by itself.
//!
//! 1. An answer goes whole or not at all: half of one would be typed as keys.
//! 2. What a key, the mouse or a change of focus sends stays. Where the two look alike, as a cursor
//!    report from the first line does like F3 with a modifier, it is taken for the key.
//!
//! Viewers are never shown a query ([`crate::term::query`]), so this is the second lock on the same
//! door; an answer that comes in two pieces passes it.

use crate::term::seq::BEL;
use crate::term::seq::ESC;
use std::borrow::Cow;

/// `text` without the answers in it.
pub fn without(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let Some(first) = (0..bytes.len()).find(|at| answer(&bytes[*at..]).is_some()) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    let (mut kept, mut at) = (0, first);
    while at < bytes.len() {
        match answer(&bytes[at..]) {
            Some(length) => {
                out.push_str(&text[kept..at]);
                at += length;
                kept = at;
            }
            None => at += 1,
        }
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

/// The length of the answer that `bytes` begins with.
fn answer(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [ESC, b'[', rest @ ..] => csi(rest).map(|length| length + 2),
        [ESC, b']', b'0'..=b'9', rest @ ..] => string(rest, true).map(|length| length + 3),
        // Behind ESC P a key would send nothing more.
        [ESC, b'P', b'0' | b'1' | b'>' | b'!' | b'$' | b'+', rest @ ..] => {
            string(rest, false).map(|length| length + 3)
        }
        _ => None,
    }
}

fn csi(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|b| !(0x20..=0x3f).contains(b))?;
    let (params, last) = (&bytes[..end], bytes[end]);
    let private = params.first().filter(|b| matches!(b, b'?' | b'>' | b'='));
    let is_answer = match last {
        // Identity, status, colour scheme, keyboard flags.
        b'c' | b'n' | b'u' if private.is_some() => true,
        b'n' => matches!(params, b"0" | b"3"),
        // A mode, the window, the terminal's parameters.
        b'y' => params.ends_with(b"$"),
        b't' | b'x' => !params.is_empty(),
        b'R' => private.is_some() || is_cursor_report(params),
        _ => false,
    };
    is_answer.then_some(end + 1)
}

/// `row;column`, where that is not F3 with a modifier, `1;2` to `1;16`.
fn is_cursor_report(params: &[u8]) -> bool {
    let text = std::str::from_utf8(params).unwrap_or_default();
    let Some((row, column)) = text.split_once(';') else { return false };
    match (row.parse::<u16>(), column.parse::<u16>()) {
        (Ok(1), Ok(column)) => !(2..=16).contains(&column),
        (Ok(_), Ok(_)) => true,
        _ => false,
    }
}

/// Up to and with the terminator of a string.
fn string(bytes: &[u8], bell: bool) -> Option<usize> {
    let end = bytes.iter().position(|b| *b == ESC || (bell && *b == BEL))?;
    match bytes[end..] {
        [BEL, ..] => Some(end + 1),
        [ESC, b'\\', ..] => Some(end + 2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seeded::Random;

    const ANSWERS: &[&str] = &[
        "\x1b[?62;22c",
        "\x1b[?1;2c",
        "\x1b[>0;276;0c",
        "\x1bP!|00000000\x1b\\",
        "\x1bP>|xterm.js(5.5.0)\x1b\\",
        "\x1b[0n",
        "\x1b[3n",
        "\x1b[24;80R",
        "\x1b[1;1R",
        "\x1b[1;17R",
        "\x1b[?12;40R",
        "\x1b[?997;1n",
        "\x1b[?2026;2$y",
        "\x1b[4;1$y",
        "\x1b[?5u",
        "\x1b[8;24;80t",
        "\x1b[48;24;80;0;0t",
        "\x1b[2;1;1;120;120;1;0x",
        "\x1b]11;rgb:1010/1010/1010\x1b\\",
        "\x1b]4;1;rgb:ffff/0000/0000\x07",
        "\x1b]52;c;c2VjcmV0\x07",
        "\x1bP1$r0m\x1b\\",
        "\x1bP0+r\x1b\\",
    ];

    const KEYS: &[&str] = &[
        "a",
        "é日",
        "\r",
        "\t",
        "\x1b",
        "\x03",
        "\x1b[A",
        "\x1bOA",
        "\x1bOR",
        "\x1b[1;2R",
        "\x1b[1;5R",
        "\x1b[1;16R",
        "\x1b[15;2~",
        "\x1b[3~",
        "\x1b[Z",
        "\x1b[97;5u",
        "\x1b[27;5;99~",
        "\x1b[13;2u",
        "\x1b[I",
        "\x1b[O",
        "\x1b[<0;10;20M",
        "\x1b[<35;1;1m",
        "\x1b[M !!",
        "\x1bP",
        "\x1b]",
        "\x1b[",
        "\x1bt",
        "\x1bc",
        "\x1b\x1b[A",
        "\x1b[200~paste [?1;2c 0n\x1b[201~",
        "\x1b[n",
        "\x1b[c",
        "\x1b[t",
    ];

    #[test]
    fn a_terminals_own_answers_are_not_typed() {
        for answer in ANSWERS {
            assert_eq!(without(answer), "", "{answer:?}");
            assert_eq!(without(&format!("é{answer}x{answer}")), "éx", "{answer:?}");
        }
    }

    #[test]
    fn what_a_person_presses_stays() {
        for key in KEYS {
            assert_eq!(without(key), *key);
            assert!(matches!(without(key), Cow::Borrowed(_)), "{key:?} costs nothing");
        }
    }

    #[test]
    fn any_mixture_keeps_its_keys_in_order() {
        let mut random = Random::new(75);
        for _ in 0..2000 {
            let (mut all, mut typed) = (String::new(), String::new());
            for _ in 0..random.below(12) {
                // A lone introducer would take what follows for its own, as any terminal would.
                let key = random.pick(&["a", "日", "\r", "\x1b[A", "\x1b[1;5R", "\x1b[I"]);
                all.push_str(key);
                typed.push_str(key);
                if random.below(2) == 0 {
                    all.push_str(ANSWERS[random.below(ANSWERS.len())]);
                }
            }
            assert_eq!(without(&all), typed, "{all:?}");
        }
    }
}
