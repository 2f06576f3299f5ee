//! The arithmetic by which the audit log shows that it was rewritten. Knows no database and no
//! file.
//!
//! Each row's hash is over the row and the hash before it:
//!
//! ```text
//! hash(n) = SHA-256(0x01 ‖ hash(n-1) ‖ field ‖ field ‖ …)         hash(0) = 32 zero bytes
//! field   = tag ‖ length as 8 bytes, big-endian ‖ bytes
//! tag     = 0 for NULL (no length, no bytes), 1 integer (8 bytes, big-endian), 2 text, 3 bytes
//! ```
//!
//! The fields are the columns of `audit` in the order of schema.sql, up to `about`. Whoever can
//! write the database can make such a chain anew, so from a person's first key on each row also has
//! a keyed mark, whose key is thrown away with it:
//!
//! ```text
//! mac(n) = HMAC-SHA256(key(n), hash(n))       key(n+1) = SHA-256("codepiper audit next" ‖ key(n))
//! ```
//!
//! 1. From a key no earlier key MUST be derivable: only the newest is kept, so whoever steals it
//!    can forge what comes and nothing that was.
//! 2. A secret and a key MUST NOT be shown by `Debug`.

use crate::base::error::{Error, Result};
use crate::base::id;
use data_encoding::BASE32_NOPAD;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Digest;
use sha2::Sha256;
use std::fmt;

/// The form of the rows that are hashed; a row of another form would have another number.
const FORM: u8 = 1;

/// Bytes of a secret: 160 bits, and a whole number of base-32 digits.
const SECRET_BYTES: usize = 20;
/// Digits of its text that check the others: one in a million slips goes unnoticed.
const CHECK_DIGITS: usize = 4;

/// What stands before the first row.
pub const START: [u8; 32] = [0; 32];

/// One column of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    /// Nothing, which is not the same as an empty text.
    Null,
    /// A whole number.
    Integer(i64),
    /// Text, as its bytes.
    Text(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// The hash of a row behind the row with the hash `before`.
pub fn hash<'a>(before: &[u8; 32], fields: impl IntoIterator<Item = Field<'a>>) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update([FORM]);
    sha.update(before);
    for field in fields {
        let number;
        let (tag, bytes) = match field {
            Field::Null => {
                sha.update([0]);
                continue;
            }
            Field::Integer(value) => {
                number = value.to_be_bytes();
                (1, &number[..])
            }
            Field::Text(text) => (2, text),
            Field::Bytes(bytes) => (3, bytes),
        };
        sha.update([tag]);
        sha.update((bytes.len() as u64).to_be_bytes());
        sha.update(bytes);
    }
    sha.finalize().into()
}

/// What a person keeps: the first key of an epoch of the log comes from it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// A new one, from the kernel.
    pub fn random() -> Result<Secret> {
        Ok(Secret(id::random()?))
    }

    /// As a person writes it down: nine groups of four, the last of which checks the others.
    pub fn text(&self) -> String {
        let digits = BASE32_NOPAD.encode(&self.0) + &self.check();
        let groups: Vec<&str> =
            (0..digits.len()).step_by(4).map(|at| &digits[at..at + 4]).collect();
        groups.join("-")
    }

    /// Reads what [`Secret::text`] made; case, spaces and dashes make no difference.
    pub fn parse(text: &str) -> Result<Secret> {
        let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let digits: String = kept.take(100).map(|c| c.to_ascii_uppercase()).collect();
        let wrong = |why: &str| Error::invalid(format!("this is no key of the audit log: {why}"));
        let wanted = SECRET_BYTES * 8 / 5 + CHECK_DIGITS;
        if digits.len() != wanted || !digits.is_ascii() {
            return Err(wrong("it has nine groups of four letters and digits"));
        }
        let (body, check) = digits.split_at(wanted - CHECK_DIGITS);
        let bytes = BASE32_NOPAD.decode(body.as_bytes()).ok().and_then(|b| b.try_into().ok());
        let bytes = bytes.ok_or_else(|| wrong("it has A to Z and 2 to 7 only"))?;
        let secret = Secret(bytes);
        match secret.check() == check {
            true => Ok(secret),
            false => Err(wrong("its last group does not fit the others; look for a slip")),
        }
    }

    fn check(&self) -> String {
        let digest = digest("codepiper audit check", &self.0);
        BASE32_NOPAD.encode(&digest)[..CHECK_DIGITS].to_string()
    }

    /// The key of the first row of the epoch that this secret begins.
    pub fn first_key(&self) -> Key {
        Key(digest("codepiper audit first", &self.0))
    }

    /// The name of that epoch, which tells nothing of the secret: 16 digits.
    pub fn name(&self) -> String {
        id::hex(&digest("codepiper audit name", &self.0)[..8])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The key of one row.
#[derive(Clone, Copy)]
pub struct Key([u8; 32]);

impl Key {
    /// From bytes that were kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    /// To be kept until the next row.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The mark of the row with this hash.
    pub fn mac(&self, hash: &[u8; 32]) -> [u8; 32] {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return START };
        mac.update(hash);
        mac.finalize().into_bytes().into()
    }

    /// The key of the row behind.
    pub fn next(&self) -> Key {
        Key(digest("codepiper audit next", &self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

fn digest(domain: &str, bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(domain).chain_update(bytes).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_one_hash() {
        let rows: [&[Field<'_>]; 9] = [
            &[],
            &[Field::Null],
            &[Field::Null, Field::Null],
            &[Field::Text(b"")],
            &[Field::Bytes(b"")],
            &[Field::Text(b"ab"), Field::Text(b"c")],
            &[Field::Text(b"a"), Field::Text(b"bc")],
            &[Field::Integer(1)],
            &[Field::Bytes(&[0, 0, 0, 0, 0, 0, 0, 1])],
        ];
        let mut seen = Vec::new();
        for before in [START, [1; 32]] {
            seen.extend(rows.iter().map(|row| hash(&before, row.iter().copied())));
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn the_form_of_the_hash_is_what_the_text_above_says() {
        let mut bytes = vec![1];
        bytes.extend([0; 32]);
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7]);
        bytes.push(0);
        bytes.extend([2, 0, 0, 0, 0, 0, 0, 0, 2, b'h', b'i']);
        let fields = [Field::Integer(7), Field::Null, Field::Text(b"hi")];
        assert_eq!(hash(&START, fields), <[u8; 32]>::from(Sha256::digest(&bytes)));
    }

    #[test]
    fn a_secret_is_read_back_and_a_slip_is_noticed() {
        let secret = Secret::random().unwrap();
        let text = secret.text();
        assert_eq!((text.len(), text.split('-').count()), (44, 9));
        assert_eq!(Secret::parse(&text).unwrap(), secret);
        let spoken = text.to_lowercase().replace('-', " ");
        assert_eq!(Secret::parse(&format!(" {spoken}\n")).unwrap(), secret);
        let first = if text.starts_with('A') { "B" } else { "A" };
        let slip = format!("{first}{}", &text[1..]);
        for (bad, why) in
            [(slip.as_str(), "slip"), ("", "nine"), ("ü", "nine"), (&text[5..], "nine")]
        {
            let error = Secret::parse(bad).unwrap_err().message;
            assert!(error.contains(why), "{bad}: {error}");
            assert!(!error.contains(&text[5..20]), "an error does not repeat what was typed");
        }
        assert_eq!(format!("{secret:?} {:?}", secret.first_key()), "[secret] [key]");
    }

    #[test]
    fn keys_go_forward_and_differ() {
        let secret = Secret([7; SECRET_BYTES]);
        let (one, two) = (secret.first_key(), secret.first_key().next());
        assert_ne!(one.bytes(), two.bytes());
        assert_ne!(one.mac(&START), two.mac(&START));
        assert_eq!(secret.name().len(), 16);
    }
}
