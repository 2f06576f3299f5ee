//! Tokens: 256 bits as 64 hexadecimal digits, of which only the SHA-256 is kept.
//!
//! 1. There MUST be one way to write a token: another case, length or digit is another token.
//! 2. What is compared with a kept hash MUST be compared in constant time.

use crate::base::error::Result;
use crate::base::id;
use crate::base::secret::Secret;
use sha2::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Digits of a token.
pub const DIGITS: usize = 64;

/// A new one, from the kernel.
pub fn random() -> Result<Secret> {
    Ok(Secret::new(id::hex(&id::random::<32>()?)))
}

/// What is kept of it; `None` for a text that is no token.
pub fn hash(text: &str) -> Option<[u8; 32]> {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (text.len() == DIGITS && text.bytes().all(digit)).then(|| Sha256::digest(text).into())
}

/// Whether this is the token behind a kept hash.
pub fn fits(text: &str, kept: &[u8; 32]) -> bool {
    hash(text).is_some_and(|hash| hash.ct_eq(kept).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_its_own_hash_and_nothing_else_does() {
        let token = random().unwrap();
        let kept = hash(token.expose()).unwrap();
        assert!(fits(token.expose(), &kept));
        assert!(!fits(random().unwrap().expose(), &kept));
        let text = "0a".repeat(32);
        assert!(hash(&text).is_some());
        for other in [
            text.to_uppercase(),
            text[..63].to_string(),
            format!("{text}0"),
            format!("{}g", &text[..63]),
            format!("{} ", &text[..63]),
            format!("{}é", &text[..62]),
            String::new(),
        ] {
            assert!(hash(&other).is_none(), "{other}");
        }
    }
}
