//! Wildcards within one word or name. Knows neither blanks nor slashes: who splits, asks piece by
//! piece. The grammar stands in [`crate::policy::pattern`].

use std::cell::Cell;

/// What one evaluation may still spend on comparing, so that no rules and no call take long.
pub struct Budget {
    left: Cell<u64>,
}

impl Budget {
    /// A budget of so many steps.
    pub fn new(steps: u64) -> Budget {
        Budget { left: Cell::new(steps) }
    }

    /// Takes a step; `false` once all is spent, and whatever was found since is worth nothing.
    pub fn step(&self) -> bool {
        let left = self.left.get().saturating_sub(1);
        self.left.set(left);
        left > 0
    }

    /// Whether anything is left.
    pub fn is_spent(&self) -> bool {
        self.left.get() == 0
    }
}

/// Text with wildcards, taken apart once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    // Empty where the text has no wildcards: then it is compared as it is.
    pieces: Vec<Piece>,
    // The characters before the first wildcard and behind the last: most texts fail by these.
    head: String,
    tail: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Char(char),
    Any,
    One,
    Set { not: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Takes a pattern apart; the error says what is broken.
    pub fn parse(text: &str) -> Result<Glob, String> {
        if text.is_empty() {
            return Err("has an empty pattern".to_string());
        }
        let (mut pieces, mut chars, mut wild) = (Vec::new(), text.chars(), false);
        while let Some(c) = chars.next() {
            let piece = match c {
                '*' if pieces.last() == Some(&Piece::Any) => {
                    return Err(format!("has `**` within {text:?}; one `*` covers as much"));
                }
                '*' => Piece::Any,
                '?' => Piece::One,
                '[' => set(&mut chars).ok_or_else(|| {
                    format!("has a broken `[` in {text:?}; a bracket itself is written `[[]`")
                })?,
                c => Piece::Char(c),
            };
            wild |= !matches!(piece, Piece::Char(_));
            pieces.push(piece);
        }
        if !wild {
            pieces.clear();
        }
        let head = pieces.iter().map_while(Piece::char).collect();
        let mut tail: Vec<char> = pieces.iter().rev().map_while(Piece::char).collect();
        tail.reverse();
        Ok(Glob { text: text.to_string(), head, tail: tail.into_iter().collect(), pieces })
    }

    /// A pattern that is only about this text.
    pub fn literal(text: &str) -> Glob {
        let (head, tail) = (String::new(), String::new());
        Glob { text: text.to_string(), pieces: Vec::new(), head, tail }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it has no wildcards.
    pub fn is_literal(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether it covers all of `text`.
    pub fn matches(&self, text: &str, budget: &Budget) -> bool {
        if self.is_literal() {
            return self.text == text;
        }
        let (head, tail) = (self.head.as_str(), self.tail.as_str());
        if text.len() < head.len() + tail.len() || !text.starts_with(head) || !text.ends_with(tail)
        {
            return false;
        }
        let (mut piece, mut at) = (0, 0);
        // Where the newest `*` stands, and how far it reaches by now: earlier ones need no second
        // try, so the time is at most the product of both lengths.
        let mut star: Option<(usize, usize)> = None;
        while budget.step() {
            let c = text[at..].chars().next();
            match (self.pieces.get(piece), c) {
                (None, None) => return true,
                (Some(Piece::Any), _) => {
                    star = Some((piece, at));
                    piece += 1;
                    continue;
                }
                (Some(one), Some(c)) if one.covers(c) => {
                    piece += 1;
                    at += c.len_utf8();
                    continue;
                }
                _ => {}
            }
            let Some((any, reach)) = star else { return false };
            let Some(skipped) = text[reach..].chars().next() else { return false };
            at = reach + skipped.len_utf8();
            star = Some((any, at));
            piece = any + 1;
        }
        false
    }
}

impl Piece {
    fn char(&self) -> Option<char> {
        match self {
            Piece::Char(c) => Some(*c),
            _ => None,
        }
    }

    fn covers(&self, c: char) -> bool {
        match self {
            Piece::Char(own) => *own == c,
            Piece::Any | Piece::One => true,
            Piece::Set { not, ranges } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *not
            }
        }
    }
}

/// What follows `[`: `]` first stands for itself, `a-z` is a range, `!` or `^` turns it around.
fn set(chars: &mut std::str::Chars<'_>) -> Option<Piece> {
    let mut rest = chars.clone();
    let not = matches!(rest.clone().next(), Some('!' | '^'));
    if not {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        match rest.next()? {
            ']' if !ranges.is_empty() => break,
            from => {
                let mut ahead = rest.clone();
                let to = match (ahead.next(), ahead.next()) {
                    (Some('-'), Some(to)) if to != ']' => {
                        rest = ahead;
                        to
                    }
                    _ => from,
                };
                if to < from {
                    return None;
                }
                ranges.push((from, to));
            }
        }
    }
    *chars = rest;
    Some(Piece::Set { not, ranges })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, text: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(text, &Budget::new(1_000_000))
    }

    #[test]
    fn wildcards_cover_what_the_table_says_and_nothing_else() {
        for (pattern, yes, no) in [
            ("a", vec!["a"], vec!["", "A", "aa", "b"]),
            ("*", vec!["", "a", "ä/b"], vec![]),
            ("a*", vec!["a", "ab", "a*"], vec!["", "ba"]),
            ("*.rs", vec![".rs", "a.rs", "a.rs.rs"], vec!["rs", "a.rsx"]),
            ("a*b*c", vec!["abc", "a-b-c", "abbcc"], vec!["ac", "abcd", "acb"]),
            ("?", vec!["a", "日"], vec!["", "ab"]),
            ("x[a-c]y", vec!["xay", "xcy"], vec!["xdy", "xy", "xa", "x-y"]),
            ("[!a-c]", vec!["d", "-"], vec!["a", ""]),
            ("[^a]", vec!["b", "^"], vec!["a"]),
            ("[[]", vec!["["], vec!["]"]),
            ("[]a]", vec!["]", "a"], vec!["["]),
            ("[a-]", vec!["a", "-"], vec!["b"]),
            ("[*]?", vec!["*x"], vec!["ax", "*"]),
            ("mcp__github__*", vec!["mcp__github__x"], vec!["mcp__git"]),
        ] {
            for text in yes {
                assert!(covers(pattern, text), "{pattern} must cover {text:?}");
            }
            for text in no {
                assert!(!covers(pattern, text), "{pattern} must not cover {text:?}");
            }
        }
    }

    #[test]
    fn a_broken_pattern_is_refused() {
        for bad in ["", "git [status", "[", "[]", "[!]", "[a", "[a-", "[c-a]", "a**", "**"] {
            assert!(Glob::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_made_to_be_slow_ends_with_the_budget() {
        let budget = Budget::new(10_000);
        let glob = Glob::parse(&("*a".repeat(500) + "c*b")).unwrap();
        assert!(!glob.matches(&("a".repeat(50_000) + "b"), &budget));
        assert!(budget.is_spent());
    }
}
