//! Text that a program types, as a terminal would paste it.
//!
//! 1. Pasted text must not end the bracket around it, and no byte of it may act as a key: neither
//!    Escape nor Ctrl-C can be smuggled in a prompt.

const BEGIN: &str = "\x1b[200~";
const END: &str = "\x1b[201~";

/// The bytes for `text`. With `bracketed` (the program asked for it) line ends stay line feeds:
/// agents take such a paste as one prompt and submit at the Enter that follows in a later write.
/// Otherwise a line end is what the Enter key sends, a carriage return: a program that does not
/// know pastes expects typed lines.
///
/// Control characters other than line ends and tabs arrive as their visible pictures (`␛`).
pub fn paste(text: &str, bracketed: bool) -> Vec<u8> {
    let mut out = String::with_capacity(text.len() + 12);
    if bracketed {
        out.push_str(BEGIN);
    }
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => out.push(if bracketed { '\n' } else { '\r' }),
            '\t' => out.push('\t'),
            '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or(' ')),
            '\u{7f}' => out.push('␡'),
            '\u{80}'..='\u{9f}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    if bracketed {
        out.push_str(END);
    }
    out.into_bytes()
}

/// What must be sent of `bytes` when no more than `sent` of them should: a begun paste is closed,
/// a begun character finished. The result begins with the same `sent` bytes.
pub fn cut(bytes: &[u8], sent: usize) -> Vec<u8> {
    let mut end = sent.min(bytes.len());
    let marked = bytes.starts_with(BEGIN.as_bytes()) && bytes.ends_with(END.as_bytes());
    let (first, last) = if marked { (BEGIN.len(), bytes.len() - END.len()) } else { (0, end) };
    if marked && end > last {
        return bytes.to_vec();
    }
    end = end.max(first);
    while bytes.get(end).is_some_and(|b| b & 0xc0 == 0x80) {
        end += 1;
    }
    let close = if marked { END } else { "" };
    [&bytes[..end], close.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_paste_keeps_its_lines() {
        assert_eq!(paste("a\r\nb\n\tc\rd", true), b"\x1b[200~a\nb\n\tc\nd\x1b[201~");
        assert_eq!(paste("", true), b"\x1b[200~\x1b[201~");
    }

    #[test]
    fn an_unmarked_paste_is_typed_line_by_line() {
        assert_eq!(paste("make\r\ntest\n", false), b"make\rtest\r");
    }

    #[test]
    fn text_cannot_leave_its_bracket_or_press_keys() {
        let hostile: String = (0..0xa0).filter_map(char::from_u32).collect();
        for text in ["x\x1b[201~\rrm -rf /\r", "x\u{9b}201~y", &hostile] {
            for bracketed in [true, false] {
                let bytes = String::from_utf8(paste(text, bracketed)).unwrap();
                let inner = if bracketed { &bytes[6..bytes.len() - 6] } else { &bytes[..] };
                let wrong = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
                assert!(!inner.contains(wrong), "{inner:?}");
                assert!(!bracketed || !inner.contains('\r'));
            }
        }
        assert_eq!(paste("a\x1bb\x03", false), "a␛b␃".as_bytes());
    }

    #[test]
    fn a_paste_that_is_cut_short_is_closed_and_no_character_is_halved() {
        let (whole, bare) = (paste("aéb", true), paste("aéb", false));
        for sent in 1..=whole.len() {
            let cut = cut(&whole, sent);
            assert!(cut.starts_with(&whole[..sent]), "{sent}: {cut:?}");
            let text = String::from_utf8(cut).unwrap();
            assert!(text.starts_with(BEGIN) && text.ends_with(END), "{sent}: {text:?}");
            assert_eq!(text.matches(END).count(), 1, "{sent}: {text:?}");
        }
        assert_eq!(cut(&whole, 7), b"\x1b[200~a\x1b[201~");
        assert_eq!((cut(&bare, 1), cut(&bare, 2)), (b"a".to_vec(), "aé".into()));
    }

    #[test]
    fn other_text_passes_unchanged() {
        assert_eq!(paste("naïve 日本 👩‍👩‍👧", false), "naïve 日本 👩‍👩‍👧".as_bytes());
    }
}
