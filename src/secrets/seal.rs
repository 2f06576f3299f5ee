//! The arithmetic of sealing: one key, one place, one value. The form is in [`crate::secrets`].

use crate::base::error::{Code, Error, Result};
use crate::base::id;
use crate::secrets::Place;
use crate::secrets::key::Key;
use crate::sys::memory::Locked;
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::Aead;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::Payload;
use hkdf::Hkdf;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The form of a blob; another one would have another number.
const FORM: u8 = 1;
const SEAL: &[u8] = b"codepiper seal 1";
const MAC: &[u8] = b"codepiper mac 1";
/// Bytes before the sealed ones: form, key id.
const HEAD: usize = 1 + 8;
const NONCE: usize = 12;
const TAG: usize = 16;

/// See [`crate::secrets::Keyring::seal`].
pub fn seal(key: &Key, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>> {
    seal_with(key, place, plain, id::random()?)
}

fn seal_with(key: &Key, place: Place<'_>, plain: &[u8], nonce: [u8; NONCE]) -> Result<Vec<u8>> {
    let mut blob = [&[FORM][..], &key.id()].concat();
    let aad = [&blob[..], &place_bytes(place)].concat();
    let sealed = cipher(key, place)?.encrypt(&nonce.into(), Payload { msg: plain, aad: &aad });
    blob.extend_from_slice(&nonce);
    blob.extend(sealed.map_err(|_| Error::internal("a secret is too long to be sealed"))?);
    Ok(blob)
}

/// See [`crate::secrets::Keyring::open`].
pub fn open(key: &Key, place: Place<'_>, blob: &[u8]) -> Result<Locked> {
    let Place { table, row, purpose, .. } = place;
    let refuse = |why| Error::new(Code::Failed, format!("the {purpose} of {table} {row}: {why}"));
    let Some((head, rest)) = blob.split_at_checked(HEAD) else {
        return Err(refuse("it is cut"));
    };
    let Some((nonce, sealed)) = rest.split_first_chunk::<NONCE>() else {
        return Err(refuse("it is cut"));
    };
    if head[0] != FORM {
        return Err(refuse("it has a form that this codepiper does not know"));
    }
    if head[1..] != key.id() {
        return Err(refuse("it was sealed with another master.key; bring that one back"));
    }
    let aad = [head, &place_bytes(place)].concat();
    let Some((text, tag)) = sealed.split_last_chunk::<TAG>() else {
        return Err(refuse("it is cut"));
    };
    let mut plain = Locked::of(text)?;
    let opened = cipher(key, place)?.decrypt_inout_detached(
        &(*nonce).into(),
        &aad,
        (&mut plain[..]).into(),
        &(*tag).into(),
    );
    opened.map_err(|_| refuse("it was changed, or sealed for another place"))?;
    Ok(plain)
}

/// Which key a value was sealed with; `None` for what is no sealed value.
pub fn key_id(blob: &[u8]) -> Option<[u8; 8]> {
    blob.get(1..HEAD)?.try_into().ok()
}

/// What digests of a place are made with.
pub fn mac_key(key: &Key, place: Place<'_>) -> Result<Zeroizing<[u8; 32]>> {
    subkey(key, MAC, place)
}

/// See [`crate::secrets::Keyring::mac`].
pub fn mac(key: &[u8], message: &[u8]) -> Result<[u8; 32]> {
    let mac = Hmac::<Sha256>::new_from_slice(key);
    let mac = mac.map_err(|_| Error::internal("HMAC takes no key of 32 bytes"))?;
    Ok(mac.chain_update(message).finalize().into_bytes().into())
}

fn cipher(key: &Key, place: Place<'_>) -> Result<Aes256Gcm> {
    let subkey = subkey(key, SEAL, place)?;
    Aes256Gcm::new_from_slice(&subkey[..])
        .map_err(|_| Error::internal("AES-256 takes no key of 32 bytes"))
}

fn subkey(key: &Key, use_: &[u8], place: Place<'_>) -> Result<Zeroizing<[u8; 32]>> {
    let mut subkey = Zeroizing::new([0; 32]);
    let info = [use_, &place_bytes(place)].concat();
    let made = Hkdf::<Sha256>::new(None, key.bytes()).expand(&info, &mut subkey[..]);
    made.map_err(|_| Error::internal("HKDF gives no 32 bytes"))?;
    Ok(subkey)
}

/// Unambiguous: no two places have the same bytes.
fn place_bytes(place: Place<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in [place.table, place.row, place.purpose] {
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.extend_from_slice(&place.version.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { table: "t", row: "r", purpose: "p", version: 3 };

    #[test]
    fn a_blob_made_by_another_implementation_opens() {
        // Made with Python's hmac and cryptography from the form in the module's documentation.
        let key = Key::of(std::array::from_fn(|at| at as u8));
        let nonce = std::array::from_fn(|at| 0xa0 + at as u8);
        let blob = seal_with(&key, PLACE, b"attack at dawn", nonce).unwrap();
        assert_eq!(id::hex(&blob), VECTOR);
        assert_eq!(&open(&key, PLACE, &blob).unwrap()[..], b"attack at dawn");
        assert_eq!(id::hex(&digest(&key, PLACE, b"attack at dawn")), MAC_VECTOR);
    }

    fn digest(key: &Key, place: Place<'_>, message: &[u8]) -> [u8; 32] {
        mac(&mac_key(key, place).unwrap()[..], message).unwrap()
    }

    const VECTOR: &str = "01bead830abf3a9f04a0a1a2a3a4a5a6a7a8a9aaab6a732d8ab\
                          308530d8e24da7d12e9df71dc669ecf432518350c826fa6adfc";
    const MAC_VECTOR: &str = "a7fa17bd76c0bd085db966d6837984fa148fba896be8ae7e1d937a3cfb7d7d65";

    #[test]
    fn no_bit_may_change_and_no_byte_be_missing() {
        let key = Key::of([7; 32]);
        let blob = seal(&key, PLACE, b"secret").unwrap();
        for bit in 0..blob.len() * 8 {
            let mut other = blob.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, PLACE, &other).is_err(), "bit {bit}");
        }
        for length in 0..blob.len() {
            assert!(open(&key, PLACE, &blob[..length]).is_err(), "{length} bytes");
        }
        assert!(open(&key, PLACE, &[&blob[..], b"x"].concat()).is_err());
        assert!(open(&Key::of([8; 32]), PLACE, &blob).is_err());
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_place_only() {
        let key = Key::of([7; 32]);
        let blob = seal(&key, PLACE, b"secret").unwrap();
        for other in [
            Place { table: "u", ..PLACE },
            Place { row: "s", ..PLACE },
            Place { purpose: "q", ..PLACE },
            Place { version: 4, ..PLACE },
            Place { version: 2, ..PLACE },
            // The same letters, cut elsewhere.
            Place { table: "tr", row: "", ..PLACE },
            Place { row: "rp", purpose: "", ..PLACE },
        ] {
            assert!(open(&key, other, &blob).is_err(), "{other:?}");
            assert_ne!(digest(&key, other, b"x"), digest(&key, PLACE, b"x"));
        }
        assert_ne!(seal(&key, PLACE, b"secret").unwrap(), blob, "the same twice is not the same");
    }
}
