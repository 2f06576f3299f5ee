//! Pastes that come in pieces, put together again. Pure: it is told what time it is.

use crate::base::error::{Error, Result};
use crate::limits::socket::PASTE_BYTES;
use crate::limits::socket::PASTE_WAIT;
use crate::limits::socket::PASTES_OPEN;
use std::time::Instant;

/// Pastes that have begun.
#[derive(Default)]
pub struct Pastes {
    open: Vec<Paste>,
}

struct Paste {
    /// Session and request.
    key: (String, String),
    count: u64,
    next: u64,
    text: String,
    /// When the last piece came.
    at: Instant,
}

impl Pastes {
    /// Adds a piece: the whole text, once that was the last. A piece that does not fit ends its
    /// paste.
    pub fn add(
        &mut self,
        key: (String, String),
        (index, count): (u64, u64),
        data: &str,
        now: Instant,
    ) -> Result<Option<String>> {
        self.open.retain(|paste| now.duration_since(paste.at) < PASTE_WAIT);
        let found = self.open.iter().position(|paste| paste.key == key);
        let mut paste = match found.map(|at| self.open.swap_remove(at)) {
            Some(paste) => paste,
            None if self.open.len() >= PASTES_OPEN => {
                let most = PASTES_OPEN;
                return Err(Error::busy(format!("{most} pastes are under way; end one first")));
            }
            None => Paste { key, count, next: 0, text: String::new(), at: now },
        };
        if (paste.next, paste.count) != (index, count) {
            let (next, count) = (paste.next, paste.count);
            return Err(Error::invalid(format!("chunk {next} of {count} is due; begin anew")));
        }
        if paste.text.len() + data.len() > PASTE_BYTES {
            return Err(Error::invalid(format!("a paste may have {PASTE_BYTES} bytes")));
        }
        paste.text.push_str(data);
        (paste.next, paste.at) = (index + 1, now);
        if paste.next == paste.count {
            return Ok(Some(paste.text));
        }
        self.open.push(paste);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(request: &str) -> (String, String) {
        ("s".into(), request.into())
    }

    #[test]
    fn pieces_make_the_whole_and_pastes_do_not_mix() {
        let (mut pastes, now) = (Pastes::default(), Instant::now());
        let mut add = |request, index, data| pastes.add(key(request), (index, 2), data, now);
        assert_eq!(add("a", 0, "x").unwrap(), None);
        assert_eq!(add("b", 0, "1").unwrap(), None);
        assert_eq!(add("a", 1, "y").unwrap().unwrap(), "xy");
        assert_eq!(add("b", 1, "2").unwrap().unwrap(), "12");
        assert_eq!(pastes.add(key("a"), (0, 1), "", now).unwrap().unwrap(), "");
    }

    #[test]
    fn a_piece_out_of_order_or_too_much_ends_its_paste() {
        let (mut pastes, now) = (Pastes::default(), Instant::now());
        let large = "x".repeat(PASTE_BYTES);
        let mut add = |at, data: &str| pastes.add(key("a"), at, data, now);
        assert!(add((1, 2), "x").is_err());
        for wrong in [((0, 3), "x"), ((2, 3), "x"), ((1, 2), "x"), ((1, 3), large.as_str())] {
            assert_eq!(add((0, 3), "x").unwrap(), None);
            assert!(add(wrong.0, wrong.1).is_err());
        }
        assert_eq!(add((0, 1), &large).unwrap().unwrap().len(), PASTE_BYTES);
    }

    #[test]
    fn few_are_open_and_those_left_behind_are_forgotten() {
        let (mut pastes, now) = (Pastes::default(), Instant::now());
        for number in 0..PASTES_OPEN {
            pastes.add(key(&number.to_string()), (0, 2), "x", now).unwrap();
        }
        assert!(pastes.add(key("one more"), (0, 2), "x", now).is_err());
        let later = now + PASTE_WAIT;
        assert_eq!(pastes.add(key("one more"), (0, 2), "x", later).unwrap(), None);
        assert_eq!(pastes.open.len(), 1);
    }
}
