//! Little-endian fields in byte strings: the reading and writing of our own wire and file formats.

use crate::base::error::{Error, Result};

/// Appends fields to a byte string.
#[derive(Default)]
pub struct Put {
    bytes: Vec<u8>,
}

impl Put {
    /// An empty byte string.
    pub fn new() -> Put {
        Put::default()
    }

    /// An empty one with room for so many bytes: what fits is never moved, and leaves no copy.
    pub fn with_room(bytes: usize) -> Put {
        Put { bytes: Vec::with_capacity(bytes) }
    }

    /// One byte.
    pub fn u8(mut self, value: u8) -> Put {
        self.bytes.push(value);
        self
    }

    /// Two bytes.
    pub fn u16(mut self, value: u16) -> Put {
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// Four bytes.
    pub fn u32(mut self, value: u32) -> Put {
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// Four bytes, signed.
    pub fn i32(mut self, value: i32) -> Put {
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// Eight bytes.
    pub fn u64(mut self, value: u64) -> Put {
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// Eight bytes, signed.
    pub fn i64(self, value: i64) -> Put {
        self.u64(value as u64)
    }

    /// A length of four bytes, then the bytes.
    pub fn blob(self, value: &[u8]) -> Put {
        self.u32(value.len() as u32).raw(value)
    }

    /// A count of four bytes, then each as a [`Put::blob`].
    pub fn blobs<'a>(self, values: impl ExactSizeIterator<Item = &'a [u8]>) -> Put {
        let counted = self.u32(values.len() as u32);
        values.fold(counted, Put::blob)
    }

    /// The bytes alone; only the frame's own length ends them.
    pub fn raw(mut self, value: &[u8]) -> Put {
        self.bytes.extend_from_slice(value);
        self
    }

    /// The finished byte string.
    pub fn done(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes fields off the front of a byte string. Too few bytes are an error; bytes left over are
/// not, so that a newer writer may append fields.
pub struct Take<'a> {
    rest: &'a [u8],
}

impl<'a> Take<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Take<'a> {
        Take { rest: bytes }
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let short = || Error::invalid("a message ends too early");
        let (head, rest) = self.rest.split_at_checked(count).ok_or_else(short)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Four bytes, signed.
    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Eight bytes, signed.
    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// What [`Put::blob`] wrote.
    pub fn blob(&mut self) -> Result<&'a [u8]> {
        let length = self.u32()? as usize;
        self.bytes(length)
    }

    /// What [`Put::blobs`] wrote.
    pub fn blobs(&mut self) -> Result<Vec<Vec<u8>>> {
        let count = self.u32()?;
        (0..count).map(|_| self.blob().map(<[u8]>::to_vec)).collect()
    }

    /// A [`Put::blob`] that is UTF-8.
    pub fn text(&mut self) -> Result<String> {
        let bytes = self.blob()?.to_vec();
        String::from_utf8(bytes).map_err(|_| Error::invalid("a message holds broken text"))
    }

    /// Everything that is left.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_and_short_messages_are_errors() {
        let bytes = Put::new().u8(1).u16(2).i64(-3).blob(b"four").raw(b"rest").done();
        let mut take = Take::new(&bytes);
        assert_eq!(take.u8().unwrap(), 1);
        assert_eq!(take.u16().unwrap(), 2);
        assert_eq!(take.i64().unwrap(), -3);
        assert_eq!(take.text().unwrap(), "four");
        assert_eq!(take.rest(), b"rest");
        for end in 0..bytes.len() - 4 {
            let mut take = Take::new(&bytes[..end]);
            let all = take.u8().and(take.u16()).and(take.i64()).and(take.blob());
            assert!(all.is_err(), "{end} bytes");
        }
        assert!(Take::new(&u32::MAX.to_le_bytes()).blob().is_err());
        assert!(Take::new(&u32::MAX.to_le_bytes()).blobs().is_err());
    }
}
