//! Names of keys to the bytes that a terminal sends for them.

use crate::base::error::{Error, Result};

/// What the error for an unknown name lists.
const KNOWN: &str = "enter, escape (esc), tab, backspace, delete, insert, up, down, left, right, \
home, end, pageup, pagedown, f1 to f12, space, single characters, \
and ctrl+, alt+ or shift+ before them";

/// How a named key is sent.
enum Key {
    /// These bytes.
    Plain(&'static str),
    /// `CSI 1 ; m X`, or without modifiers `CSI X`, or `SS3 X` in application mode.
    Cursor(char),
    /// `SS3 X`, with modifiers `CSI 1 ; m X`.
    Function(char),
    /// `CSI n ~` or `CSI n ; m ~`.
    Tilde(u8),
}

fn named(name: &str) -> Option<Key> {
    Some(match name {
        "enter" | "return" => Key::Plain("\r"),
        "escape" | "esc" => Key::Plain("\x1b"),
        "tab" => Key::Plain("\t"),
        "backspace" => Key::Plain("\x7f"),
        "space" => Key::Plain(" "),
        "up" => Key::Cursor('A'),
        "down" => Key::Cursor('B'),
        "right" => Key::Cursor('C'),
        "left" => Key::Cursor('D'),
        "home" => Key::Cursor('H'),
        "end" => Key::Cursor('F'),
        "insert" => Key::Tilde(2),
        "delete" => Key::Tilde(3),
        "pageup" => Key::Tilde(5),
        "pagedown" => Key::Tilde(6),
        "f1" => Key::Function('P'),
        "f2" => Key::Function('Q'),
        "f3" => Key::Function('R'),
        "f4" => Key::Function('S'),
        "f5" => Key::Tilde(15),
        "f6" => Key::Tilde(17),
        "f7" => Key::Tilde(18),
        "f8" => Key::Tilde(19),
        "f9" => Key::Tilde(20),
        "f10" => Key::Tilde(21),
        "f11" => Key::Tilde(23),
        "f12" => Key::Tilde(24),
        _ => return None,
    })
}

#[derive(Default, Clone, Copy, PartialEq)]
struct Modifiers {
    shift: bool,
    alt: bool,
    ctrl: bool,
}

impl Modifiers {
    /// xterm's number for them; 1 is none.
    fn number(self) -> u8 {
        1 + u8::from(self.shift) + 2 * u8::from(self.alt) + 4 * u8::from(self.ctrl)
    }
}

/// The bytes for one key. Names are trimmed and case does not matter, except in a single
/// character. `application_cursor` is what the program asked for, see
/// [`Screen::application_cursor`](crate::term::screen::Screen::application_cursor).
pub fn encode(name: &str, application_cursor: bool) -> Result<Vec<u8>> {
    let unknown = || {
        let shown: String = name.chars().take(40).flat_map(char::escape_default).collect();
        Error::invalid(format!("unknown key '{shown}'; known are {KNOWN}"))
    };
    let mut rest = name.trim();
    let mut held = Modifiers::default();
    while let Some((word, after)) = rest.split_once('+').filter(|(_, after)| !after.is_empty()) {
        let flag = match word.trim().to_lowercase().as_str() {
            "ctrl" | "control" => &mut held.ctrl,
            "alt" => &mut held.alt,
            "shift" => &mut held.shift,
            _ => return Err(unknown()),
        };
        *flag = true;
        rest = after.trim();
    }
    let bytes = match named(&rest.to_lowercase()) {
        Some(key) => key_bytes(key, held, application_cursor),
        None => character(rest, held),
    };
    bytes.ok_or_else(unknown)
}

fn key_bytes(key: Key, held: Modifiers, application_cursor: bool) -> Option<Vec<u8>> {
    let number = held.number();
    let text = match key {
        Key::Plain(text) => return plain(text, held),
        Key::Cursor(last) | Key::Function(last) if number > 1 => format!("\x1b[1;{number}{last}"),
        Key::Cursor(last) if !application_cursor => format!("\x1b[{last}"),
        Key::Cursor(last) | Key::Function(last) => format!("\x1bO{last}"),
        Key::Tilde(code) if number > 1 => format!("\x1b[{code};{number}~"),
        Key::Tilde(code) => format!("\x1b[{code}~"),
    };
    Some(text.into_bytes())
}

/// Keys that are a control character or a blank. Only those combinations that terminals had
/// before keyboard protocols: the others look like the bare key to a program.
fn plain(text: &str, held: Modifiers) -> Option<Vec<u8>> {
    let text = match (text, held.ctrl, held.shift) {
        (text, false, false) => text,
        ("\t", false, true) => "\x1b[Z",
        (" ", true, false) => "\0",
        ("\x7f", true, false) => "\x08",
        _ => return None,
    };
    Some(with_alt(held, text.as_bytes()))
}

fn character(text: &str, held: Modifiers) -> Option<Vec<u8>> {
    let mut chars = text.chars();
    let (Some(c), None) = (chars.next(), chars.next()) else { return None };
    if c.is_control() {
        return None;
    }
    if held.ctrl {
        let code = match c {
            'a'..='z' | 'A'..='Z' | '@' | '[' | '\\' | ']' | '^' | '_' => c as u8 & 0x1f,
            '?' => 0x7f,
            _ => return None,
        };
        return (!held.shift).then(|| with_alt(held, &[code]));
    }
    if held.shift && !c.is_alphabetic() {
        return None;
    }
    let typed = if held.shift { c.to_uppercase().collect() } else { c.to_string() };
    Some(with_alt(held, typed.as_bytes()))
}

fn with_alt(held: Modifiers, bytes: &[u8]) -> Vec<u8> {
    let mut out = if held.alt { vec![0x1b] } else { Vec::new() };
    out.extend_from_slice(bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sent_as_xterm_sends_them() {
        for (name, bytes) in [
            ("enter", "\r"),
            (" Enter ", "\r"),
            ("ESC", "\x1b"),
            ("escape", "\x1b"),
            ("tab", "\t"),
            ("shift+tab", "\x1b[Z"),
            ("Shift + Tab", "\x1b[Z"),
            ("backspace", "\x7f"),
            ("alt+backspace", "\x1b\x7f"),
            ("delete", "\x1b[3~"),
            ("insert", "\x1b[2~"),
            ("up", "\x1b[A"),
            ("ctrl+left", "\x1b[1;5D"),
            ("home", "\x1b[H"),
            ("pageup", "\x1b[5~"),
            ("shift+pagedown", "\x1b[6;2~"),
            ("f1", "\x1bOP"),
            ("F5", "\x1b[15~"),
            ("f12", "\x1b[24~"),
            ("ctrl+alt+f2", "\x1b[1;7Q"),
            ("space", " "),
            ("ctrl+space", "\0"),
            ("ctrl+c", "\x03"),
            ("Ctrl+C", "\x03"),
            ("ctrl+[", "\x1b"),
            ("alt+x", "\x1bx"),
            ("alt+X", "\x1bX"),
            ("alt+enter", "\x1b\r"),
            ("ctrl+alt+d", "\x1b\x04"),
            ("shift+a", "A"),
            ("y", "y"),
            ("Y", "Y"),
            ("é", "é"),
            ("+", "+"),
            ("alt++", "\x1b+"),
        ] {
            assert_eq!(encode(name, false).unwrap(), bytes.as_bytes(), "{name}");
        }
    }

    #[test]
    fn application_mode_changes_only_bare_cursor_keys() {
        assert_eq!(encode("up", true).unwrap(), b"\x1bOA");
        assert_eq!(encode("end", true).unwrap(), b"\x1bOF");
        assert_eq!(encode("ctrl+up", true).unwrap(), b"\x1b[1;5A");
        assert_eq!(encode("delete", true).unwrap(), b"\x1b[3~");
        assert_eq!(encode("enter", true).unwrap(), b"\r");
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        for name in
            ["", " ", "entr", "ctrl+", "ctrl+é", "ctrl+enter", "hyper+x", "f13", "\x03", "shift+1"]
        {
            let error = encode(name, false).unwrap_err();
            assert!(error.message.contains("pageup"), "{name:?}: {error}");
            assert!(!error.message.contains('\x03'));
        }
    }
}
