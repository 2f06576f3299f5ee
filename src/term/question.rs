//! Which sequences make a terminal answer; decided on the sequence alone.

/// Decides over a whole CSI: parameters, intermediates, final byte.
pub fn csi(body: Vec<u8>) -> bool {
    let Some((&last, body)) = body.split_last() else { return false };
    let prefix = body.first().copied().filter(|b| (b'<'..=b'?').contains(b));
    let inter = body.iter().copied().find(|b| (0x20..=0x2f).contains(b));
    let digits = &body[usize::from(prefix.is_some())..];
    let first = digits.split(|b| !b.is_ascii_digit()).next().unwrap_or_default();
    let first = number(first).unwrap_or(0);
    match (prefix, inter, last) {
        (None | Some(b'>' | b'='), None, b'c') => first == 0,
        (None | Some(b'?'), None, b'n') => true,
        (Some(b'>'), None, b'q') => first == 0,
        (None | Some(b'?'), Some(b'$'), b'p') => true,
        (Some(b'?'), None, b'u' | b'm' | b'S') => true,
        (None, None, b't') => matches!(first, 11 | 13..=16 | 18..=21),
        (None, None, b'x') => first <= 1,
        (None, Some(b'*'), b'y') => true,
        (None, Some(b'$'), b'w') => true,
        (None, Some(b'#'), b'R' | b'|') => true,
        _ => false,
    }
}

/// Decides over a whole OSC, given without introducer and terminator.
pub fn osc(body: Vec<u8>) -> bool {
    let mut fields = body.split(|b| *b == b';');
    number(fields.next().unwrap_or_default()).is_some_and(answered)
        && fields.any(|field| field == b"?")
}

/// Whether an OSC of this number is answered if it asks `?`.
fn answered(number: u32) -> bool {
    matches!(number, 4 | 5 | 10..=19 | 52 | 7501)
}

/// Whether an unfinished OSC can still turn out to be a query.
pub fn osc_possible(body: Vec<u8>) -> bool {
    let mut fields = body.split(|b| *b == b';');
    let head = fields.next().unwrap_or_default();
    if !head.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let Some(first) = fields.next() else { return true };
    let question = |field: &[u8]| matches!(field, b"" | b"?");
    match number(head) {
        // Long texts follow: decide on their first byte.
        Some(52) => fields.next().is_none_or(question),
        Some(7501) => question(first),
        Some(number) => answered(number),
        None => false,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u32, digit: &u8| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
    Some(digits.iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_and_further_parameters_do_not_hide_a_question() {
        for body in ["006n", "5;6n", "00000c", ">00q", "?2026;7$p", "018t", "21;1t"] {
            assert!(csi(body.into()), "{body}");
        }
        assert!(osc(b"0010;?".to_vec()) && osc(b"4;1;red;2;?".to_vec()));
    }

    #[test]
    fn a_question_stays_possible_until_it_is_ruled_out() {
        for (body, possible) in [
            ("", true),
            ("5", true),
            ("52", true),
            ("52;c", true),
            ("52;c;", true),
            ("52;c;?", true),
            ("52;c;a", false),
            ("7501;", true),
            ("7501;s", false),
            ("0;", false),
            ("8", true),
            ("8;", false),
            ("P", false),
        ] {
            assert_eq!(osc_possible(body.into()), possible, "{body}");
        }
    }
}
