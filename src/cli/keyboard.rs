//! The detach keys: a machine that lets every byte of a keyboard pass but the one sequence that
//! means "let me out".

use crate::base::error::{Error, Result};

/// The keys that detach: a control character, then a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    lead: u8,
    then: u8,
}

/// `ctrl-\,d`.
pub const DEFAULT: Keys = Keys { lead: 0x1c, then: b'd' };

/// Reads `ctrl-\,d` or `none`.
pub fn parse(text: &str) -> Result<Option<Keys>> {
    let wrong = || {
        Error::invalid(format!(
            "detach keys are written like 'ctrl-\\,d' (a control character, then a key) or none, \
             not {text:?}"
        ))
    };
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let (lead, then) = text.split_once(',').ok_or_else(wrong)?;
    let lead = lead.get(..5).filter(|p| p.eq_ignore_ascii_case("ctrl-")).and(lead.get(5..));
    let lead = match lead.map(str::as_bytes) {
        // Enter, tab and escape are control characters too; as a lead they would swallow keys.
        Some([c]) => match c.to_ascii_uppercase() {
            b'M' | b'J' | b'I' | b'[' => return Err(wrong()),
            c @ b'@'..=b'_' => c & 0x1f,
            _ => return Err(wrong()),
        },
        _ => return Err(wrong()),
    };
    match then.as_bytes() {
        [then @ b'!'..=b'~'] => Ok(Some(Keys { lead, then: *then })),
        _ => Err(wrong()),
    }
}

/// How people write the keys.
pub fn shown(keys: Keys) -> String {
    format!("Ctrl-{} then {}", (keys.lead | 0x40) as char, keys.then as char)
}

/// The machine. A lead key is held back until the next key says what it meant: the detach key ends
/// the visit, the lead again sends one lead, anything else sends both.
pub struct Keyboard {
    keys: Option<Keys>,
    held: Vec<u8>,
}

/// One key as a terminal wrote it.
struct Key {
    /// Its bytes.
    length: usize,
    /// The character that the key would send on an old terminal; `None` for other keys.
    plain: Option<u8>,
    /// The key went up, which only the kitty protocol tells.
    release: bool,
}

impl Keyboard {
    /// A machine for `keys`; without them every byte passes.
    pub fn new(keys: Option<Keys>) -> Keyboard {
        Keyboard { keys, held: Vec::new() }
    }

    /// Moves what the program shall get from `bytes` to `pass`. True: detach now.
    pub fn feed(&mut self, bytes: &[u8], pass: &mut Vec<u8>) -> bool {
        let Some(keys) = self.keys else {
            pass.extend_from_slice(bytes);
            return false;
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let key = next_key(rest);
            let (raw, behind) = rest.split_at(key.length);
            rest = behind;
            let is_lead = key.plain == Some(keys.lead);
            if self.held.is_empty() {
                match is_lead && !key.release {
                    true => self.held.extend_from_slice(raw),
                    false => pass.extend_from_slice(raw),
                }
                continue;
            }
            if key.release {
                // The lead going up again is no second key; it follows the lead, wherever.
                self.held.extend_from_slice(raw);
                continue;
            }
            if key.plain == Some(keys.then) {
                return true;
            }
            pass.append(&mut self.held);
            if !is_lead {
                pass.extend_from_slice(raw);
            }
        }
        false
    }
}

/// The first key in `bytes`: one byte, or the longer forms that programs may ask a terminal for:
/// `CSI code ; modifiers : event u` (kitty) and `CSI 27 ; modifiers ; code ~` (xterm).
fn next_key(bytes: &[u8]) -> Key {
    let single = Key { length: 1, plain: Some(bytes[0]), release: false };
    let Some(body) = bytes.strip_prefix(b"\x1b[") else { return single };
    let parameters = body.iter().take_while(|b| b.is_ascii_digit() || matches!(b, b';' | b':'));
    let count = parameters.count();
    let Some(last) = body.get(count).filter(|b| matches!(b, b'u' | b'~')) else { return single };
    let fields: Vec<Vec<u32>> = body[..count]
        .split(|b| *b == b';')
        .map(|field| {
            let numbers = field.split(|b| *b == b':');
            numbers.map(|n| std::str::from_utf8(n).unwrap_or("").parse().unwrap_or(0)).collect()
        })
        .collect();
    let number = |field: usize, part: usize| {
        fields.get(field).and_then(|f| f.get(part)).copied().unwrap_or(0)
    };
    let (code, modifiers, event) = match last {
        b'u' => (number(0, 0), number(1, 0), number(1, 1)),
        _ if number(0, 0) == 27 => (number(2, 0), number(1, 0), 0),
        _ => return single,
    };
    // One more than the sum of shift 1, alt 2, ctrl 4; locks (64 and up) do not matter.
    let modifiers = modifiers.saturating_sub(1) & 0x3f;
    let plain = match (u8::try_from(code), modifiers) {
        (Ok(c), 4) => Some(c.to_ascii_uppercase() & 0x1f),
        (Ok(c), 0 | 1) => Some(c),
        _ => None,
    };
    Key { length: 2 + count + 1, plain, release: event == 3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds each chunk and shows what passes; `!` where it detaches.
    fn check(chunks: &[&str], expected: &str) {
        let mut keyboard = Keyboard::new(Some(DEFAULT));
        let mut text = Vec::new();
        for chunk in chunks {
            if keyboard.feed(chunk.as_bytes(), &mut text) {
                text.push(b'!');
                break;
            }
        }
        assert_eq!(String::from_utf8_lossy(&text), expected, "{chunks:?}");
    }

    #[test]
    fn every_byte_passes_but_the_detach_keys() {
        check(&["ab\x03\x1a\x1b[A\u{e9}"], "ab\x03\x1a\x1b[A\u{e9}");
        check(&["ab\x1cdcd"], "ab!");
        check(&["ab\x1c", "d"], "ab!");
        check(&["ab\x1c"], "ab");
        check(&["d\x1cx", "d"], "d\x1cxd");
        check(&["\x1c\x1c", "d"], "\x1cd");
        check(&["\x1c\x1c\x1cd"], "\x1c!");
        check(&["\x1c", "\x1b[A", "d"], "\x1c\x1b[Ad");
        check(&["\x1cD"], "\x1cD");
    }

    #[test]
    fn the_keys_work_in_the_longer_forms_too() {
        check(&["\x1b[92;5u", "d"], "!");
        check(&["x\x1b[92;5:1u\x1b[92;5:3u", "\x1b[100;1:1u"], "x!");
        check(&["\x1b[27;5;92~d"], "!");
        check(&["\x1b[92;5u", "x"], "\x1b[92;5ux");
        check(&["\x1b[92;5u\x1b[92;5u"], "\x1b[92;5u");
        check(&["\x1b[97;5u\x1b[3~\x1b[1;5A"], "\x1b[97;5u\x1b[3~\x1b[1;5A");
        check(&["\x1b[92;69u", "d"], "!");
        check(&["\x1b[", "\x1b", "[92;5u"], "\x1b[\x1b[92;5u");
    }

    #[test]
    fn other_keys_and_none_can_be_chosen() {
        assert_eq!(parse("ctrl-\\,d").unwrap(), Some(DEFAULT));
        assert_eq!(parse("Ctrl-a,q").unwrap(), Some(Keys { lead: 1, then: b'q' }));
        assert_eq!(parse("none").unwrap(), None);
        for bad in ["", "d", "ctrl-\\", "ctrl-,d", "ctrl-[,d", "ctrl-m,x", "x,d", "ctrl-\\,dd"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let mut all = Vec::new();
        assert!(!Keyboard::new(None).feed(b"\x1cd", &mut all));
        assert_eq!((all, shown(DEFAULT).as_str()), (b"\x1cd".to_vec(), "Ctrl-\\ then d"));
    }
}
