//! Characters that a person does not see, or sees as something else. Knows no shell and no rules.

use std::fmt::Write;

/// Whether `c` shows nothing, moves the cursor, turns the line around, or looks like a blank and
/// is none. A tab and a newline are what they look like.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\t' | '\n' | ' '..='~' => false,
        // Fillers and blanks that are neither white space nor control to Unicode.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => {
            true
        }
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' => true,
        '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control() || c.is_whitespace(),
    }
}

/// `text` for one line of words: what is hidden is written as `U+202E`, a newline as `⏎`, and what
/// is longer than `chars_max` ends in `…`.
pub fn shown(text: &str, chars_max: usize) -> String {
    let (mut out, mut count) = (String::new(), 0);
    let mut put = |piece: &str, out: &mut String| {
        count += piece.chars().count();
        if count < chars_max {
            out.push_str(piece);
        }
        count < chars_max
    };
    let mut piece = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        piece.clear();
        match c {
            '\n' => piece.push('⏎'),
            '\t' => piece.push(' '),
            c if is_hidden(c) => {
                let _ = write!(piece, "U+{:04X}", c as u32);
            }
            c => piece.push(c),
        }
        // The last character may take the place that `…` would have.
        let last = chars.peek().is_none() && piece.chars().count() == 1;
        if !put(&piece, &mut out) {
            if last && out.chars().count() < chars_max {
                out.push_str(&piece);
            } else {
                out.push('…');
            }
            break;
        }
    }
    out
}

/// All of `text`, line by line: what is hidden is written as `U+202E`, and so is what would be
/// taken for the end of a line and is none.
pub fn lines(text: &str) -> Vec<String> {
    let shown = |line: &str| {
        let mut out = String::with_capacity(line.len());
        for c in line.chars() {
            match is_hidden(c) {
                true => drop(write!(out, "U+{:04X}", c as u32)),
                false => out.push(c),
            }
        }
        out
    };
    text.split('\n').map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_nothing_is_hidden_and_what_people_write_is_not() {
        for c in "\0\r\u{1b}\u{7f}\u{85}\u{a0}\u{202e}\u{200b}\u{2003}\u{feff}\u{e0041}".chars() {
            assert!(is_hidden(c), "{:04x}", c as u32);
        }
        for c in "aZ0 ~\t\né日🎉\u{fe0f}".chars() {
            assert!(!is_hidden(c), "{:04x}", c as u32);
        }
    }

    #[test]
    fn whole_texts_lose_nothing_and_hide_nothing() {
        let text = "a\tb\n\u{202e}c\r\n\nd\u{200b}";
        assert_eq!(lines(text), ["a\tb", "U+202EcU+000D", "", "dU+200B"]);
        assert_eq!(lines(&"x".repeat(100_000))[0].len(), 100_000);
    }

    #[test]
    fn a_line_of_words_is_whole_characters_and_never_longer_than_asked() {
        assert_eq!(shown("a\nb\u{202e}c", 80), "a⏎bU+202Ec");
        assert_eq!(shown("äöü", 3), "äöü");
        assert_eq!(shown("äöüß", 3), "äö…");
        assert_eq!(shown("ab\u{202e}", 4), "ab…");
        for max in 1..12 {
            assert!(shown("日本語\u{202e}日本語", max).chars().count() <= max);
        }
    }
}
