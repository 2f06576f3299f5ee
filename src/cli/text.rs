//! Words for a terminal: what strangers wrote is made harmless, measured and cut to fit.

use crate::base::plain;

/// See [`plain::clean`].
pub fn clean(text: &str) -> String {
    plain::clean(text)
}

/// Like [`clean`], but lines and tabs stay: for text that may be longer than a line, such as the
/// output of a program that failed to start.
pub fn clean_lines(text: &str) -> String {
    let lines = text.split('\n').map(|l| l.trim_end_matches('\r').split('\t'));
    let lines = lines.map(|cells| cells.map(clean).collect::<Vec<_>>().join("\t"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Columns that `text` takes on a terminal. Right for what names and paths hold in practice; a
/// wrong guess moves a column, nothing more.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => {
            0
        }
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// The end of `text` in at most `columns`, with `…` for what was cut: of a path, the end tells.
pub fn keep_end(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let mut kept: Vec<char> = Vec::new();
    let mut used = 1;
    for c in text.chars().rev() {
        used += char_width(c);
        if used > columns {
            break;
        }
        kept.push(c);
    }
    std::iter::once('…').chain(kept.into_iter().rev()).collect()
}

/// The start of `text` in at most `columns`, with `…` for what was cut.
pub fn keep_start(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += char_width(*c);
        used <= columns
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push('…');
    kept
}

/// A span of time in one unit: `12s`, `5m`, `3h`, `2d`.
pub fn age(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Bytes in a unit that people read: `812 bytes`, `4.1 KiB`, `63.9 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    match count {
        1 => return "1 byte".to_string(),
        0..1024 => return format!("{count} bytes"),
        _ => {}
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_never_reaches_the_terminal_raw() {
        assert_eq!(clean("a\x1b[31m\r\n\x7f\u{9b}b"), "a\\x1b[31m\\x0d\\x0a\\x7f\\x9bb");
        assert_eq!(clean("x\u{202e}cod.exe"), "x\\u{202e}cod.exe");
        assert_eq!(clean("Größe 終 ✓"), "Größe 終 ✓");
        assert_eq!(clean_lines("a\r\n\tb\x07"), "a\n\tb\\x07");
    }

    #[test]
    fn wide_characters_count_two_and_accents_nothing() {
        assert_eq!((width("ab"), width("終端"), width("e\u{301}"), width("🚀")), (2, 4, 1, 2));
        assert_eq!(keep_end("/home/ann/project", 8), "…project");
        assert_eq!(keep_end("終端終端", 5), "…終端");
        assert_eq!(keep_start("終端終端", 4), "終…");
        assert_eq!(keep_end("short", 5), "short");
    }

    #[test]
    fn ages_and_sizes_are_short() {
        let ages = [-5, 59_999, 60_000, 7_200_000, 172_800_000].map(age);
        assert_eq!(ages, ["0s", "59s", "1m", "2h", "2d"]);
        let sizes = [1, 99, 1023, 4200, 67_000_000].map(bytes);
        assert_eq!(sizes, ["1 byte", "99 bytes", "1023 bytes", "4.1 KiB", "63.9 MiB"]);
    }
}
