//! Variables in a file, as `env-set` reads them. Knows the grammar and nothing of where the text
//! comes from.
//!
//! ```text
//! file     = { line }
//! line     = blanks [ comment | [ "export" blanks ] NAME blanks "=" blanks value blanks ] newline
//! comment  = "#" anything, on a line of its own
//! value    = "'" anything but ' "'"                  as it is, also over several lines
//!          | '"' anything but " '"'                  the same, with \n \t \r \" and \\
//!          | anything up to the end of the line      without the blanks around it
//! ```
//!
//! Nothing is put in place of `$NAME` or of `` `command` ``. A name that comes twice is an error.
//!
//! 1. An error MUST name the line, and MUST NOT show what stands in it.

use crate::base::error::{Error, Result};
use crate::base::secret::Vars;

/// The variables of such a text.
pub fn parse(text: &str) -> Result<Vars> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut vars, mut line) = (Vars::default(), 1);
    while !rest.is_empty() {
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = first.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = after;
            line += 1;
            continue;
        }
        let wrong = |what: &str| Error::invalid(format!("line {line}: {what}"));
        let Some((name, value)) = first.split_once('=') else {
            return Err(wrong("no = in it; a line is NAME=VALUE, or begins with #"));
        };
        let name = name.trim();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(wrong("what stands before the = is no name"));
        }
        if vars.contains_key(name) {
            return Err(wrong(&format!("{name:?} is there twice; leave one of them out")));
        }
        let value = value.trim_start_matches([' ', '\t']);
        // From where the value begins, to the text's end: a quoted one may have many lines.
        let from = &rest[first.len() - value.len()..];
        let (value, taken) = match from.chars().next() {
            Some(quote @ ('\'' | '"')) => quoted(&from[1..], quote).map_err(&wrong)?,
            _ => (value.trim_end().to_string(), value.len()),
        };
        let (left, after) = from[taken..].split_once('\n').unwrap_or((&from[taken..], ""));
        if !left.trim().is_empty() {
            return Err(wrong("something stands behind the closing quote"));
        }
        line += from[..taken].matches('\n').count() + 1;
        vars.put(name, value);
        rest = after;
    }
    Ok(vars)
}

/// A value behind its opening quote, and how many bytes it took with both quotes.
fn quoted(text: &str, quote: char) -> std::result::Result<(String, usize), &'static str> {
    // Room for all of it: a buffer that grows leaves copies behind.
    let mut value = String::with_capacity(text.find(quote).unwrap_or_default() + 16);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((value, at + 2)),
            '\\' if quote == '"' => value.push(match chars.next() {
                Some((_, 'n')) => '\n',
                Some((_, 't')) => '\t',
                Some((_, 'r')) => '\r',
                Some((_, c @ ('"' | '\\'))) => c,
                _ => {
                    return Err(
                        "after a \\ comes n, t, r, \" or another \\; 'x' takes it as it is",
                    );
                }
            }),
            c => value.push(c),
        }
    }
    Err("the quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seeded;
    use crate::base::seeded::Random;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_pairs()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_string(), value.to_string())
    }

    #[test]
    fn a_file_is_read_as_the_grammar_says() {
        let text = "\u{feff}# all of it\n\n  A = plain text # no comment \r\nexport B=''\nC=\n\
                    D='as $it \\n is'\nE=\"a\\n\\t\\\"b\\\\\"  \nKEY='-----BEGIN\nabc\n-----END'\n\
                    Z=x=y'z'";
        assert_eq!(
            pairs(text),
            [
                pair("A", "plain text # no comment"),
                pair("B", ""),
                pair("C", ""),
                pair("D", "as $it \\n is"),
                pair("E", "a\n\t\"b\\"),
                pair("KEY", "-----BEGIN\nabc\n-----END"),
                pair("Z", "x=y'z'"),
            ]
        );
        assert!(pairs("").is_empty() && pairs("\n# x").is_empty());
    }

    #[test]
    fn an_error_names_its_line_and_shows_nothing_of_it() {
        for (text, line, why) in [
            ("A=1\nhunter22", 2, "no ="),
            ("=hunter22", 1, "no name"),
            ("A hunter22=x", 1, "no name"),
            ("A=1\nB='x\ny'\nA=hunter22", 4, "twice"),
            ("A='hunter22", 1, "not closed"),
            ("A=\"hunter22", 1, "not closed"),
            ("A='x' hunter22", 1, "behind the closing"),
            ("A=\"hunter22\\q\"", 1, "after a \\"),
        ] {
            let error = parse(text).unwrap_err().message;
            assert!(error.starts_with(&format!("line {line}: ")), "{text:?}: {error}");
            assert!(error.contains(why) && !error.contains("hunter22"), "{text:?}: {error}");
        }
    }

    #[test]
    fn no_text_makes_it_panic_and_what_is_quoted_comes_back() {
        let mut random = Random::new(7);
        for _ in 0..seeded::rounds(20_000) {
            let signs = ['A', '=', '\'', '"', '\\', '\n', ' ', '#', 'n', 'ü', '\r'];
            let text: String =
                (0..random.below(24)).map(|_| signs[random.below(signs.len())]).collect();
            let _ = parse(&text);
            let value: String = text.replace('\'', "");
            let vars = parse(&format!("V='{value}'")).unwrap();
            assert_eq!(vars["V"], value);
        }
    }
}
