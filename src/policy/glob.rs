//! Wildcards within one word or name. Knows neither blanks nor slashes: who splits, asks piece by
//! piece. Whether two patterns could mean the same is decided with doubts as a yes. The grammar
//! stands in [`crate::policy::pattern`].

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

    /// Whether a text could fit both, this one being a shell's: there a wildcard in front is no
    /// dot.
    pub fn meets(&self, other: &Glob, budget: &Budget) -> bool {
        let (one, other) = (self.all_pieces(), other.all_pieces());
        let is_dot = |pieces: &[Piece]| pieces.first() == Some(&Piece::Char('.'));
        let is_wild = |pieces: &[Piece]| pieces.first().is_some_and(|p| p.char().is_none());
        let hidden = is_wild(&one) && is_dot(&other);
        !hidden && meeting(&one, &other, |p| *p == Piece::Any, Piece::meets, budget)
    }

    fn all_pieces(&self) -> Vec<Piece> {
        match self.is_literal() {
            true => self.text.chars().map(Piece::Char).collect(),
            false => self.pieces.clone(),
        }
    }

    /// Whether all that it covers ends so.
    pub fn ends_with(&self, end: &str) -> bool {
        if self.is_literal() { self.text.ends_with(end) } else { self.tail.ends_with(end) }
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

/// One name of a path, or any number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `**`
    Many,
    /// A glob over the name.
    One(Glob),
}

/// Whether two lists of names could mean the same path; `one` is a shell's.
pub fn meet(one: &[Name], other: &[Name], budget: &Budget) -> bool {
    let pair = |a: &Name, b: &Name| match (a, b) {
        (Name::One(a), Name::One(b)) => a.meets(b, budget),
        _ => true,
    };
    meeting(one, other, |name| *name == Name::Many, pair, budget)
}

/// Whether two lists of elements, some of which stand for `many` others or for none, could stand
/// for the same. Takes the product of both lengths.
fn meeting<T>(
    one: &[T],
    other: &[T],
    many: impl Fn(&T) -> bool,
    pair: impl Fn(&T, &T) -> bool,
    budget: &Budget,
) -> bool {
    // Whether what was seen of `one` can stand for as much of `other`.
    let mut reach = vec![true];
    for b in other {
        reach.push(many(b) && reach[reach.len() - 1]);
    }
    for a in one {
        let mut next = vec![many(a) && reach[0]];
        for (at, b) in other.iter().enumerate() {
            if !budget.step() {
                return true;
            }
            let (skip, take) = (next[at] || reach[at + 1], reach[at]);
            next.push(if many(a) || many(b) { skip } else { take && pair(a, b) });
        }
        reach = next;
    }
    reach[other.len()]
}

impl Piece {
    /// Whether one character could be both.
    fn meets(&self, other: &Piece) -> bool {
        match (self, other) {
            (Piece::Char(c), piece) | (piece, Piece::Char(c)) => piece.covers(*c),
            _ => true,
        }
    }

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
    fn two_patterns_meet_where_a_text_could_fit_both() {
        let budget = Budget::new(1_000_000);
        for (one, other, want) in [
            ("a*", "*b", true),
            ("a*", "b*", false),
            ("*.rs", "main.*", true),
            ("*.rs", "*.go", false),
            ("a?c", "abc", true),
            ("a?c", "abbc", false),
            ("[ab]x", "[bc]x", true),
            ("[ab]x", "cx", false),
            ("id_rsa", "id_*", true),
            ("x", "x", true),
            ("x", "y", false),
            // A shell's wildcard in front is no dot.
            ("*", ".env", false),
            ("?env", ".env", false),
            (".e*", ".env", true),
            (".env", "*", true),
            ("*", "*.env", true),
            (".e*", "*.env", true),
        ] {
            let [a, b] = [one, other].map(|text| Glob::parse(text).unwrap());
            assert_eq!(a.meets(&b, &budget), want, "{one} {other}");
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
