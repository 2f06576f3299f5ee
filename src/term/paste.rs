//! Text that a program types, as a terminal would paste it.
//!
//! 1. Pasted text must not end the bracket around it, and no byte of it may act as a key: neither
//!    Escape nor Ctrl-C can be smuggled in a prompt.

/// The bytes for `text`. With `bracketed` (the program asked for it) line ends stay line feeds:
/// agents take such a paste as one prompt and submit at the Enter that follows in a later write.
/// Otherwise a line end is what the Enter key sends, a carriage return: a program that does not
/// know pastes expects typed lines.
///
/// Control characters other than line ends and tabs arrive as their visible pictures (`␛`).
pub fn paste(text: &str, bracketed: bool) -> Vec<u8> {
    let mut out = String::with_capacity(text.len() + 12);
    if bracketed {
        out.push_str("\x1b[200~");
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
        out.push_str("\x1b[201~");
    }
    out.into_bytes()
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
    fn other_text_passes_unchanged() {
        assert_eq!(paste("naïve 日本 👩‍👩‍👧", false), "naïve 日本 👩‍👩‍👧".as_bytes());
    }
}
