//! A QR code as a picture: one SVG path of black squares on white, with the quiet zone that
//! readers need.

use crate::base::error::{Code, Context, Result};
use qrcodegen::QrCode;
use qrcodegen::QrCodeEcc;
use std::fmt::Write;

/// Modules of white around the code (ISO 18004).
const QUIET: i32 = 4;

/// The text as a picture that may be put into a page as it is: it holds numbers only.
pub fn svg(text: &str) -> Result<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium)
        .code(Code::Invalid, || "too long for a QR code".into())?;
    let size = code.size();
    let whole = size + 2 * QUIET;
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {whole}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{whole}v{whole}h-{whole}z\"/>\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_quiet_zone_and_nothing_but_numbers() {
        let svg = svg("otpauth://totp/x?secret=<script>").unwrap();
        // Version 3 has 29 modules; its finder pattern begins behind four of white.
        assert!(svg.contains("viewBox=\"0 0 37 37\""), "{svg}");
        assert!(svg.contains("M4 4h1v1h-1z") && !svg.contains("M3 "));
        assert!(!svg.contains("script") && svg.matches('<').count() == 4);
        assert!(super::svg(&"x".repeat(5000)).is_err());
    }
}
