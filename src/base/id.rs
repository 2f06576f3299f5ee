//! Random identifiers and secrets, straight from the kernel.

use crate::base::error::{Context, Result};

/// `N` random bytes. Fails only where the kernel has no randomness to give.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Random bytes in a place of the caller's.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).internal(|| "the kernel gives no random bytes".into())
}

/// A version 4 UUID (RFC 9562 §5.4) in lower case.
pub fn uuid() -> Result<String> {
    let mut bytes = random::<16>()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Whether `text` has the shape of a UUID in lower case.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_their_shape_and_differ() {
        let (a, b) = (uuid().unwrap(), uuid().unwrap());
        assert!(is_uuid(&a) && is_uuid(&b) && a != b);
        assert_eq!(a.as_bytes()[14], b'4');
        assert!(!is_uuid("0b7e4c1e-XXXX-4000-8000-000000000000"));
    }
}
