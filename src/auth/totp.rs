//! Codes of an authenticator app (RFC 6238: SHA-1, six digits, 30 seconds).
//!
//! 1. A code MUST be good once: the step that it was for is kept, and no earlier one counts then.
//! 2. All steps that are looked at MUST be looked at in the same time, whichever fits.

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::base::secret::Secret;
use crate::limits::login;
use data_encoding::BASE32_NOPAD;
use subtle::Choice;
use subtle::ConditionallySelectable;
use subtle::ConstantTimeEq;
use totp_lite::Sha1;
use totp_lite::totp_custom;
use zeroize::Zeroizing;

const DIGITS: u32 = 6;
/// Bytes of a secret: as many as SHA-1 has, and a whole number of base-32 digits.
const BYTES: usize = 20;

/// What the app and codepiper share.
pub struct Totp(Zeroizing<[u8; BYTES]>);

impl Totp {
    /// A new one, from the kernel.
    pub fn random() -> Result<Totp> {
        Ok(Totp(Zeroizing::new(id::random()?)))
    }

    /// One that was kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Totp> {
        let bytes = bytes.try_into().map_err(|_| Error::internal("a TOTP secret is cut"))?;
        Ok(Totp(Zeroizing::new(bytes)))
    }

    /// To be sealed and kept.
    pub fn bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// For a person to type into an app.
    pub fn text(&self) -> Secret {
        Secret::new(BASE32_NOPAD.encode(self.bytes()))
    }

    /// For an app to read as a QR code.
    pub fn uri(&self) -> Secret {
        let secret = self.text();
        Secret::new(format!(
            "otpauth://totp/CodePiper:admin?secret={}&issuer=CodePiper&algorithm=SHA1\
             &digits={DIGITS}&period={}",
            secret.expose(),
            login::CODE_STEP
        ))
    }

    /// The code of one step.
    pub fn code(&self, step: i64) -> Secret {
        let at = step.max(0) as u64 * login::CODE_STEP;
        Secret::new(totp_custom::<Sha1>(login::CODE_STEP, DIGITS, self.bytes(), at))
    }

    /// The step that a code is for, if it is good at this time (Unix milliseconds) and newer than
    /// the one that was used last.
    pub fn check(&self, code: &str, now_ms: i64, last: i64) -> Option<i64> {
        let now = now_ms.div_euclid(1000).div_euclid(login::CODE_STEP as i64);
        let (mut found, mut step_found) = (Choice::from(0), 0_i64);
        for step in now - login::CODE_SKEW..=now + login::CODE_SKEW {
            let fits = self.code(step).expose().as_bytes().ct_eq(code.as_bytes());
            // The newest of equal codes: the other is then used up with it.
            step_found = i64::conditional_select(&step_found, &step, fits);
            found |= fits;
        }
        (bool::from(found) && step_found > last).then_some(step_found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret and times of RFC 6238, appendix B; six digits are the last of its eight.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let totp = Totp::from_bytes(b"12345678901234567890").unwrap();
        for (seconds, code) in [
            (59_i64, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = seconds / 30;
            assert_eq!(totp.code(step).expose(), code);
            assert_eq!(totp.check(code, seconds * 1000, 0), Some(step));
        }
    }

    #[test]
    fn a_code_is_good_one_step_around_and_once() {
        let totp = Totp::random().unwrap();
        let code = totp.code(1000);
        let at = |step: i64| step * 30_000 + 15_000;
        for (step, good) in [(998, false), (999, true), (1000, true), (1001, true), (1002, false)] {
            assert_eq!(totp.check(code.expose(), at(step), 0).is_some(), good, "{step}");
        }
        assert_eq!(totp.check(code.expose(), at(1000), 999), Some(1000));
        assert_eq!(totp.check(code.expose(), at(1000), 1000), None, "used");
        assert_eq!(totp.check(code.expose(), at(1000), 1001), None, "older than what was used");
        for bad in ["", "12345", "1234567", "12345a", "１２３４５６", " 12345"] {
            assert_eq!(totp.check(bad, at(1000), 0), None, "{bad}");
        }
    }

    #[test]
    fn an_app_is_told_everything_in_one_address() {
        let totp = Totp::from_bytes(b"12345678901234567890").unwrap();
        assert_eq!(totp.text().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            totp.uri().expose(),
            "otpauth://totp/CodePiper:admin?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=CodePiper&algorithm=SHA1&digits=6&period=30"
        );
        assert!(Totp::from_bytes(b"short").is_err());
    }
}
