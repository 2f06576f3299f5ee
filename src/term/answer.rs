//! Answers to terminal queries. The daemon gives them once, in place of whoever is attached.
//!
//! 1. The list is closed: what is not here gets silence.
//! 2. No answer may carry text that the program chose: a title or a setting that is reported back
//!    would be typed into the program as input.
//! 3. The clipboard is never read.

use crate::term::modes::Modes;

/// Foreground, background and cursor of a dark terminal.
const COLOURS: [(u8, u8, u8); 3] = [(0xd0, 0xd0, 0xd0), (0x10, 0x10, 0x10), (0xd0, 0xd0, 0xd0)];

/// The sixteen named colours, as xterm has them.
const NAMED: [(u8, u8, u8); 16] = [
    (0x00, 0x00, 0x00),
    (0xcd, 0x00, 0x00),
    (0x00, 0xcd, 0x00),
    (0xcd, 0xcd, 0x00),
    (0x00, 0x00, 0xee),
    (0xcd, 0x00, 0xcd),
    (0x00, 0xcd, 0xcd),
    (0xe5, 0xe5, 0xe5),
    (0x7f, 0x7f, 0x7f),
    (0xff, 0x00, 0x00),
    (0x00, 0xff, 0x00),
    (0xff, 0xff, 0x00),
    (0x5c, 0x5c, 0xff),
    (0xff, 0x00, 0xff),
    (0x00, 0xff, 0xff),
    (0xff, 0xff, 0xff),
];

/// The answer to a CSI query with first prefix or intermediate `i1`, second `i2`, first parameter
/// `param` and final byte `last`; `None` if it is not one of ours.
pub fn csi(
    screen: &vt100::Screen,
    modes: &Modes,
    intro: (Option<u8>, Option<u8>),
    param: u16,
    last: char,
) -> Option<String> {
    let (row, col) = screen.cursor_position();
    let (rows, cols) = (screen.size().0.get(), screen.size().1.get());
    let (row, col) = (row + 1, (col + 1).min(cols));
    Some(match (intro, last, param) {
        // A VT220 with colours; no sixel, no clipboard.
        ((None, None), 'c', 0) => "\x1b[?62;22c".into(),
        // What xterm.js says.
        ((Some(b'>'), None), 'c', 0) => "\x1b[>0;276;0c".into(),
        ((Some(b'>'), None), 'q', 0) => {
            concat!("\x1bP>|codepiper(", env!("CARGO_PKG_VERSION"), ")\x1b\\").into()
        }
        ((None, None), 'n', 5) => "\x1b[0n".into(),
        ((None, None), 'n', 6) => format!("\x1b[{row};{col}R"),
        ((Some(b'?'), None), 'n', 6) => format!("\x1b[?{row};{col}R"),
        // Dark, as the colours below.
        ((Some(b'?'), None), 'n', 996) => "\x1b[?997;1n".into(),
        ((Some(b'?'), None), 'u', _) => {
            format!("\x1b[?{}u", modes.kitty_flags(screen.alternate_screen()))
        }
        ((Some(b'?'), Some(b'$')), 'p', mode) => {
            format!("\x1b[?{mode};{}$y", mode_state(screen, modes, mode))
        }
        ((None, None), 't', 18) => format!("\x1b[8;{rows};{cols}t"),
        _ => return None,
    })
}

/// 1 set, 2 reset, 0 not known to us.
fn mode_state(screen: &vt100::Screen, modes: &Modes, mode: u16) -> u8 {
    use vt100::MouseProtocolEncoding as Encoding;
    use vt100::MouseProtocolMode as Mouse;
    let set = match mode {
        1 => screen.application_cursor(),
        25 => !screen.hide_cursor(),
        9 => screen.mouse_protocol_mode() == Mouse::Press,
        1000 => screen.mouse_protocol_mode() == Mouse::PressRelease,
        1002 => screen.mouse_protocol_mode() == Mouse::ButtonMotion,
        1003 => screen.mouse_protocol_mode() == Mouse::AnyMotion,
        1005 => screen.mouse_protocol_encoding() == Encoding::Utf8,
        1006 => screen.mouse_protocol_encoding() == Encoding::Sgr,
        47 | 1047 | 1049 => screen.alternate_screen(),
        2004 => screen.bracketed_paste(),
        _ => match modes.private(mode) {
            Some(set) => set,
            None => return 0,
        },
    };
    if set { 1 } else { 2 }
}

/// The answers to an OSC, given its fields; empty if it asks nothing that is answered.
pub fn osc(fields: &[&[u8]]) -> String {
    let mut out = String::new();
    match fields {
        [b"7501", b"?"] => out.push_str("\x1b]7501;?\x1b\\"),
        [b"4", pairs @ ..] => {
            for pair in pairs.chunks_exact(2) {
                if let (Some(index), b"?") = (number(pair[0]), pair[1]) {
                    out.push_str(&format!("\x1b]4;{index};{}\x1b\\", spec(palette(index))));
                }
            }
        }
        [first @ (b"10" | b"11" | b"12"), rest @ ..] => {
            // `OSC 10;?;?` asks for 10 and 11.
            let first = usize::from(first[1] - b'0');
            for (place, field) in (first..COLOURS.len()).zip(rest) {
                if *field == b"?" {
                    out.push_str(&format!("\x1b]1{place};{}\x1b\\", spec(COLOURS[place])));
                }
            }
        }
        _ => {}
    }
    out
}

fn number(digits: &[u8]) -> Option<u8> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn palette(index: u8) -> (u8, u8, u8) {
    let level = |step: u8| if step == 0 { 0 } else { 55 + step * 40 };
    match index {
        0..=15 => NAMED[usize::from(index)],
        16..=231 => {
            let cube = index - 16;
            (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        _ => {
            let grey = 8 + (index - 232) * 10;
            (grey, grey, grey)
        }
    }
}

fn spec((r, g, b): (u8, u8, u8)) -> String {
    format!("rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use crate::limits;
    use crate::term::query::Filter;
    use crate::term::screen::Screen;

    fn ask(question: &str) -> String {
        let mut screen = Screen::new(80, 24);
        screen.feed(b"\x1b[3;5H\x1b[?2004h\x1b[>5u\x1b]0;rm -rf\x07");
        screen.feed(question.as_bytes());
        String::from_utf8(screen.take_replies()).unwrap()
    }

    #[test]
    fn each_query_of_the_list_gets_its_answer() {
        for (question, answer) in [
            ("\x1b[c", "\x1b[?62;22c"),
            ("\x1b[0c", "\x1b[?62;22c"),
            ("\x1bZ", "\x1b[?62;22c"),
            ("\x1b[>c", "\x1b[>0;276;0c"),
            ("\x1b[5n", "\x1b[0n"),
            ("\x1b[6n", "\x1b[3;5R"),
            ("\x1b[?6n", "\x1b[?3;5R"),
            ("\x1b[?996n", "\x1b[?997;1n"),
            ("\x1b[?u", "\x1b[?5u"),
            ("\x1b[?2004$p", "\x1b[?2004;1$y"),
            ("\x1b[?2026$p", "\x1b[?2026;2$y"),
            ("\x1b[?7$p", "\x1b[?7;1$y"),
            ("\x1b[?4711$p", "\x1b[?4711;0$y"),
            ("\x1b[18t", "\x1b[8;24;80t"),
            ("\x1b]7501;?\x1b\\", "\x1b]7501;?\x1b\\"),
            ("\x1b]11;?\x07", "\x1b]11;rgb:1010/1010/1010\x1b\\"),
            ("\x1b]10;?;?\x07", "\x1b]10;rgb:d0d0/d0d0/d0d0\x1b\\\x1b]11;rgb:1010/1010/1010\x1b\\"),
            ("\x1b]4;196;?\x07", "\x1b]4;196;rgb:ffff/0000/0000\x1b\\"),
            (
                "\x1b]4;232;?;9;?\x07",
                "\x1b]4;232;rgb:0808/0808/0808\x1b\\\x1b]4;9;rgb:ffff/0000/0000\x1b\\",
            ),
        ] {
            assert_eq!(ask(question), answer, "{question:?}");
            let (mut filter, mut out) = (Filter::new(), Vec::new());
            filter.push(question.as_bytes(), &mut out);
            assert!(out.is_empty(), "a viewer would answer {question:?} again");
        }
        assert!(ask("\x1b[>0q").starts_with("\x1bP>|codepiper("));
    }

    #[test]
    fn everything_else_gets_silence() {
        for question in [
            "\x1b[21t",
            "\x1b[20t",
            "\x1b[14t",
            "\x1b]52;c;?\x07",
            "\x1bP$qm\x1b\\",
            "\x1bP+q544e\x1b\\",
            "\x1b[=c",
            "\x1b[x",
            "\x1b]4;1;red\x07",
            "\x1b]10;#fff\x07",
            "\x1b]2;?\x07",
            "\x1b]7501;state=idle\x07",
            "\x05",
        ] {
            assert_eq!(ask(question), "", "{question:?}");
        }
    }

    #[test]
    fn replies_are_collected_only_when_asked_for_and_never_without_bound() {
        let mut screen = Screen::new(80, 24);
        screen.feed_quiet(b"\x1b[c\x1b[6n");
        assert!(screen.take_replies().is_empty());
        screen.feed(&b"\x1b[c".repeat(100_000));
        let replies = screen.take_replies();
        assert!(replies.len() <= limits::REPLY_BYTES && replies.len() > limits::REPLY_BYTES / 2);
        assert!(screen.take_replies().is_empty());
    }

    #[test]
    fn a_pending_wrap_is_reported_as_the_last_column() {
        let mut screen = Screen::new(10, 2);
        screen.feed(b"0123456789\x1b[6n");
        assert_eq!(screen.take_replies(), b"\x1b[1;10R");
    }
}
