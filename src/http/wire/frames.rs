//! Counts the frames of a client's messages as their bytes pass. Pure; whether frames are otherwise
//! right is for others to judge.

use crate::limits::socket::FRAGMENTS;

/// The longest head: two bytes, eight of length, four of mask.
const HEAD: usize = 14;

/// Where in the stream of frames we are.
#[derive(Default)]
pub struct Frames {
    head: [u8; HEAD],
    have: usize,
    /// Bytes of the current frame's payload that are still to come.
    payload: u64,
    /// Frames of the message that is coming in.
    count: u32,
}

impl Frames {
    /// Looks at bytes on their way in; false once a message has too many frames.
    pub fn see(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let skip = self.payload.min(bytes.len() as u64);
                self.payload -= skip;
                bytes = &bytes[skip as usize..];
                continue;
            }
            bytes = rest;
            self.head[self.have] = *byte;
            self.have += 1;
            if self.have == self.head_length() {
                self.begin();
                if self.count > FRAGMENTS {
                    return false;
                }
            }
        }
        true
    }

    fn head_length(&self) -> usize {
        let [_, second, ..] = self.head;
        let length = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 != 0 { 4 } else { 0 };
        // The second byte of the last frame says nothing about this one.
        if self.have < 2 { HEAD } else { 2 + length + mask }
    }

    fn begin(&mut self) {
        let [first, second, rest @ ..] = self.head;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
        self.payload = match second & 0x7f {
            126 => number(&rest[..2]),
            127 => number(&rest[..8]),
            short => u64::from(short),
        };
        self.have = 0;
        let is_control = first & 0x08 != 0;
        if !is_control {
            self.count += 1;
            if first & 0x80 != 0 && self.count <= FRAGMENTS {
                self.count = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seeded::Random;
    use crate::base::seeded::rounds;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..=125 => bytes.push(0x80 | length as u8),
            126..=0xffff => {
                bytes.push(0xfe);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0xff);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        // A payload that looks like frames.
        bytes.resize(bytes.len() + length, 0x00);
        bytes
    }

    #[test]
    fn a_message_of_too_many_frames_is_found_and_one_of_as_many_as_allowed_passes() {
        let message = |frames: u32, length: usize| -> Vec<u8> {
            let middle = (1..frames - 1).flat_map(|_| [frame(0x00, length), frame(0x89, 3)]);
            let all = std::iter::once(frame(0x01, length)).chain(middle.flatten().map(|b| vec![b]));
            all.chain([frame(0x80, length)]).flatten().collect()
        };
        for length in [0, 1, 125, 126, 400, 70_000] {
            let (fine, bad) = (message(FRAGMENTS, length), message(FRAGMENTS + 1, length));
            let mut frames = Frames::default();
            for _ in 0..3 {
                assert!(frames.see(&fine), "{length}");
            }
            assert!(!frames.see(&bad), "{length}");
        }
        assert!(Frames::default().see(&frame(0x82, 10).repeat(10_000)), "messages of one frame");
        assert!(
            Frames::default().see(&frame(0x89, 0).repeat(10_000)),
            "pings are counted elsewhere"
        );
    }

    #[test]
    fn pieces_make_no_difference_and_noise_is_survived() {
        let mut random = Random::new(6455);
        for _ in 0..rounds(500) {
            let mut bytes = Vec::new();
            for _ in 0..random.below(150) {
                let length = [0, 3, 125, 126, 300][random.below(5)];
                bytes.extend(frame([0x00, 0x01, 0x02, 0x80, 0x89, 0x81][random.below(6)], length));
            }
            if random.below(3) == 0 && !bytes.is_empty() {
                let at = random.below(bytes.len());
                bytes[at] = random.byte();
            }
            let whole = Frames::default().see(&bytes);
            let mut frames = Frames::default();
            let pieces = random.pieces(&bytes).into_iter().all(|piece| frames.see(piece));
            assert_eq!(pieces, whole);
        }
    }
}
