//! Passwords: which ones may be chosen, and their hashes (argon2id, as PHC strings).
//!
//! 1. A password's length MUST be looked at before it is hashed.
//! 2. Where there is no password to compare with, a check MUST take as long and say no.

use crate::base::error::{Context, Error, Result};
use crate::base::id;
use crate::base::secret::Secret;
use crate::limits::login;
use argon2::Config;
use argon2::ThreadMode;
use argon2::Variant;
use argon2::Version;

/// Passwords that everybody tries, in lower case; one a line.
const COMMON: &str = include_str!("common_passwords.txt");

/// A hash that no password is known for, made like those of passwords.
const NOBODYS: &str = "$argon2id$v=19$m=65536,t=3,p=1$ZWCsKXUezTeNQp9sKqSGZg\
    $8zDObwlUdvbWDI08yF0C/zSPm2JtaLRsgfYLLxMNYYk";

fn config() -> Config<'static> {
    Config {
        ad: &[],
        hash_length: 32,
        lanes: 1,
        mem_cost: login::HASH_KIB,
        secret: &[],
        thread_mode: ThreadMode::Sequential,
        time_cost: login::HASH_PASSES,
        variant: Variant::Argon2id,
        version: Version::Version13,
    }
}

/// Whether a password may be chosen; the error says what it needs.
pub fn check_new(password: &Secret) -> Result<()> {
    let text = password.expose();
    if text.len() > login::PASSWORD_BYTES {
        let most = login::PASSWORD_BYTES;
        return Err(Error::invalid(format!("a password has at most {most} bytes")));
    }
    if text.chars().count() < login::PASSWORD_CHARS {
        let least = login::PASSWORD_CHARS;
        return Err(Error::invalid(format!("a password has at least {least} characters")));
    }
    let plain = text.to_lowercase();
    let first = plain.chars().next();
    if COMMON.lines().any(|common| common == plain) || plain.chars().all(|c| Some(c) == first) {
        return Err(Error::invalid(
            "that password is among the first that others would try; choose another",
        ));
    }
    Ok(())
}

/// The hash of a password, with a salt of its own.
pub fn hash(password: &Secret) -> Result<String> {
    let salt = id::random::<16>()?;
    argon2::hash_encoded(password.expose().as_bytes(), &salt, &config())
        .internal(|| "cannot hash a password".into())
}

/// Whether this is the password behind a hash. Without a hash it takes as long and is not.
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    if password.len() > login::PASSWORD_BYTES {
        return false;
    }
    let fits = argon2::verify_encoded(hash.unwrap_or(NOBODYS), password.as_bytes());
    fits.unwrap_or(false) && hash.is_some()
}

/// Whether a hash was made with less work than today's are.
pub fn is_weak(hash: &str) -> bool {
    let (memory, passes) = (login::HASH_KIB, login::HASH_PASSES);
    !hash.starts_with(&format!("$argon2id$v=19$m={memory},t={passes},p=1$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let made = hash(&Secret::new("correct horse")).unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=65536,t=3,p=1$") && !is_weak(&made), "{made}");
        assert!(verify("correct horse", Some(&made)));
        assert!(!verify("correct horsf", Some(&made)));
        assert!(!verify(&"x".repeat(1025), Some(&made)));
        assert!(!verify("correct horse", Some("nonsense")));
    }

    #[test]
    fn a_hash_of_another_implementation_with_less_work_fits_and_is_weak() {
        // Made with the reference implementation: argon2 somesalt -id -t 2 -m 16 -p 1 -l 32 -e.
        let weak = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
                    $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(verify("password", Some(weak)) && is_weak(weak));
    }

    #[test]
    fn without_a_password_nothing_fits() {
        assert!(!verify("", None) && !is_weak(NOBODYS));
        assert!(argon2::verify_encoded(NOBODYS, b"").is_ok(), "it is compared with all the same");
    }

    #[test]
    fn short_endless_and_common_passwords_are_refused() {
        let check = |text: &str| check_new(&Secret::new(text));
        for fine in ["correct horse", "zq8-Lm2x", "пароль-длинный", &"xy".repeat(512)]
        {
            assert!(check(fine).is_ok(), "{fine}");
        }
        for bad in [
            "",
            "1234567",
            "åäöåäöå",
            "password",
            "PassWord1",
            "codepiper",
            "CodePiper123",
            "qwertyuiop",
            "12345678",
            "zzzzzzzzzzzz",
            &"xy".repeat(513),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_list_holds_what_can_be_meant() {
        let mut lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() > 1000, "{}", lines.len());
        for line in &lines {
            assert!(line.chars().count() >= login::PASSWORD_CHARS, "{line} is too short anyway");
            assert_eq!(*line, line.to_lowercase(), "never compared with");
        }
        lines.dedup();
        assert_eq!(lines.len(), COMMON.lines().count(), "sorted, each once");
        assert!(lines.is_sorted());
    }
}
