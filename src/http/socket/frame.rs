//! Binary frames of a terminal; see [`crate::http::socket`]. Pure.

/// The version of the layout.
const VERSION: u8 = 1;
const HEAD: usize = 12;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes for the terminal.
    Output = 1,
    /// Bytes that paint the whole screen.
    Snapshot = 2,
    /// Output is gone.
    Gap = 3,
    /// The terminal's size.
    Resize = 4,
}

/// A frame in the making: its body is appended, its head is filled in at the end.
pub struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// Begins a frame of the subscription with this number.
    pub fn new(kind: Kind, id: u16) -> Frame {
        let [low, high] = id.to_le_bytes();
        let mut bytes = vec![VERSION, kind as u8, low, high];
        bytes.resize(HEAD, 0);
        Frame { bytes }
    }

    /// A whole frame.
    pub fn whole(kind: Kind, id: u16, offset: u64, body: &[u8]) -> Vec<u8> {
        let mut frame = Frame::new(kind, id);
        frame.bytes.extend_from_slice(body);
        frame.seal(offset)
    }

    /// Where to append the body.
    pub fn body(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEAD
    }

    /// The bytes to send; the stream goes on at `offset`.
    pub fn seal(mut self, offset: u64) -> Vec<u8> {
        self.bytes[4..HEAD].copy_from_slice(&offset.to_le_bytes());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_laid_out_as_documented() {
        let frame = Frame::whole(Kind::Gap, 0x0201, 0x0a09_0807_0605_0403, b"xy");
        assert_eq!(frame, [1, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, b'x', b'y']);
        let mut frame = Frame::new(Kind::Output, 7);
        assert!(frame.is_empty());
        frame.body().push(b'z');
        assert!(!frame.is_empty());
        assert_eq!(frame.seal(1), [1, 1, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0, b'z']);
    }
}
