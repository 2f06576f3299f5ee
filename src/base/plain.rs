//! Text of strangers in one line: nothing in it acts on a terminal or hides its true order.

/// `text` without anything that a terminal would act on or that would hide its true order: control
/// characters and bidirectional overrides are written as `\x1b` or `\u{202e}`.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if (c as u32) < 0x100 && c.is_control() => {
                clean.push_str(&format!("\\x{:02x}", c as u32));
            }
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                clean.push_str(&c.escape_unicode().to_string());
            }
            c => clean.push(c),
        }
    }
    clean
}
