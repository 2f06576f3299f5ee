//! Random words for people to copy: groups of four base-32 digits, read back whatever became of
//! case, dashes and spaces. Recovery codes, bootstrap passwords and generated passwords are made
//! of them.

use crate::base::error::Result;
use crate::base::id;
use crate::base::secret::Secret;
use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

/// Bytes of a recovery code: 80 bits.
pub const RECOVERY: usize = 10;
/// Bytes of a bootstrap password, and of a generated one: 160 bits.
pub const PASSWORD: usize = 20;

/// `N` random bytes as words; `N` is a multiple of 5.
pub fn random<const N: usize>() -> Result<Secret> {
    let bytes = Zeroizing::new(id::random::<N>()?);
    let digits = Zeroizing::new(BASE32_NOPAD.encode(&bytes[..]).to_ascii_lowercase());
    let groups: Vec<&str> = (0..digits.len()).step_by(4).map(|at| &digits[at..at + 4]).collect();
    Ok(Secret::new(groups.join("-")))
}

/// The bytes behind words; `None` for a text that is no `N` of them.
pub fn parse<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    // No longer text can be right, and nobody's megabyte is copied.
    if text.len() > 4 * N {
        return None;
    }
    let digits = text.chars().filter(|c| !matches!(c, '-' | ' '));
    let digits = Zeroizing::new(digits.collect::<String>().to_ascii_uppercase());
    let bytes = Zeroizing::new(BASE32_NOPAD.decode(digits.as_bytes()).ok()?);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_in_any_case_and_grouping() {
        let words = random::<RECOVERY>().unwrap();
        let text = words.expose();
        assert_eq!((text.len(), text.matches('-').count()), (19, 3), "four groups of four");
        let bytes = parse::<RECOVERY>(text).unwrap();
        for same in [
            text.to_uppercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            format!(" {text} "),
        ] {
            assert_eq!(parse::<RECOVERY>(&same).as_ref(), Some(&bytes), "{same}");
        }
        assert_eq!(random::<PASSWORD>().unwrap().expose().len(), 39);
    }

    #[test]
    fn what_is_no_code_is_none() {
        for bad in ["", "abcd-efgh-ijkl-mno", "abcd-efgh-ijkl-mnop-q", "abcd-efgh-ijkl-mno1", "é"]
        {
            assert!(parse::<RECOVERY>(bad).is_none(), "{bad}");
        }
        assert!(parse::<RECOVERY>(&"a".repeat(1 << 20)).is_none());
    }
}
