//! Where a byte stream stands between escape sequences; the same table as the `vte` parser's, but
//! visible, because a repaint must know whether it falls into the middle of a sequence.

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Text and control characters.
    Ground,
    /// After ESC.
    Esc,
    /// After ESC and an intermediate byte, as in `ESC ( 0`.
    EscInter,
    /// In `CSI …`.
    Csi,
    /// In `OSC …`.
    Osc,
    /// In the parameters of `DCS …`.
    DcsHead,
    /// In the data of `DCS …`.
    DcsBody,
    /// In SOS, PM or APC.
    Str,
}

/// ESC.
pub const ESC: u8 = 0x1b;
/// Ends an OSC, as ST does.
pub const BEL: u8 = 0x07;
/// Aborts a sequence.
pub const CAN: u8 = 0x18;
/// Aborts a sequence.
pub const SUB: u8 = 0x1a;

impl State {
    /// The state after `byte`.
    #[inline]
    pub fn step(self, byte: u8) -> State {
        match (self, byte) {
            (_, ESC) => State::Esc,
            (_, CAN | SUB) => State::Ground,
            (State::Esc, b'[') => State::Csi,
            (State::Esc, b']') => State::Osc,
            (State::Esc, b'P') => State::DcsHead,
            (State::Esc, b'X' | b'^' | b'_') => State::Str,
            (State::Esc | State::EscInter, 0x20..=0x2f) => State::EscInter,
            (State::Esc | State::EscInter, 0x30..=0x7e) => State::Ground,
            (State::Csi, 0x40..=0x7e) => State::Ground,
            (State::Osc, BEL) => State::Ground,
            (State::DcsHead, 0x40..=0x7e) => State::DcsBody,
            (State::DcsBody, 0x9c) => State::Ground,
            (state, _) => state,
        }
    }
}

/// Whether `byte` ends an OSC, well or not.
pub fn ends_osc(byte: u8) -> bool {
    matches!(byte, BEL | ESC | CAN | SUB)
}

/// Index of the first byte at or after `from` that `wanted` picks, else the length. Between two
/// escape sequences there are often few bytes; behind those, blocks of 32 are tested without a
/// branch, so that plain text costs next to nothing.
#[inline]
pub fn find(bytes: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let near = bytes.len().min(from + 16);
    if let Some(found) = bytes[from..near].iter().position(|&b| wanted(b)) {
        return from + found;
    }
    let mut at = near;
    for block in bytes[near..].chunks(32) {
        if block.iter().fold(false, |hit, &b| hit | wanted(b)) {
            return at + block.iter().position(|&b| wanted(b)).unwrap_or(0);
        }
        at += block.len();
    }
    at
}

/// How many bytes at the end of `bytes` are the beginning of a UTF-8 character.
pub fn unfinished_utf8(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let lead = bytes[bytes.len() - back];
        let need = match lead {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 0,
        };
        let tail = &bytes[bytes.len() - back..];
        // An impossible beginning (as in E0 80) is not unfinished but invalid.
        let possible = std::str::from_utf8(tail).is_err_and(|e| e.error_len().is_none());
        return if need > back && possible { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(bytes: &[u8]) -> State {
        bytes.iter().fold(State::Ground, |state, &b| state.step(b))
    }

    #[test]
    fn sequences_end_where_terminals_end_them() {
        for whole in ["\x1b[31m", "\x1b(0", "\x1b]0;t\x07", "\x1b]0;t\x1b\\", "\x1bP1$qx\x1b\\"] {
            assert_eq!(end(whole.as_bytes()), State::Ground, "{whole:?}");
            for cut in 1..whole.len() {
                assert_ne!(end(&whole.as_bytes()[..cut]), State::Ground, "{whole:?} at {cut}");
            }
        }
        assert_eq!(end(b"\x1b[3\x18"), State::Ground);
        assert_eq!(end(b"\x1b]0;a\x1b[3"), State::Csi);
    }

    #[test]
    fn find_sees_every_position() {
        for len in 0..100 {
            for at in 0..=len {
                let mut bytes = vec![b'x'; len];
                if let Some(b) = bytes.get_mut(at) {
                    *b = ESC;
                }
                assert_eq!(find(&bytes, 0, |b| b == ESC), at);
            }
        }
    }

    #[test]
    fn only_a_possible_beginning_is_unfinished() {
        for (bytes, held) in [
            (&b"abc"[..], 0),
            (b"a\xc3", 1),
            (b"a\xe2\x82", 2),
            (b"\xf0\x9f\x98", 3),
            (b"\xf0\x9f\x98\x80", 0),
            (b"\x80\x80\x80", 0),
            (b"\xe0\x80", 0),
            (b"\xff", 0),
        ] {
            assert_eq!(unfinished_utf8(bytes), held, "{bytes:?}");
        }
    }
}
