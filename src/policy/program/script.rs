//! Words that are more than words: numbers, tasks, and scripts in small languages. Opens nothing.
//!
//! 1. Of a script, what is not plainly reading or printing MUST be refused.

use super::Kind;
use crate::policy::glob::Budget;
use crate::policy::glob::Glob;
use crate::policy::path::is_secret_name;
use std::sync::LazyLock;

/// Whether a word is of this kind, where that is a matter of its text alone.
pub fn fits(kind: &Kind, word: &str) -> bool {
    match kind {
        Kind::Any | Kind::Text => true,
        Kind::Number => is_number(word),
        Kind::Name => {
            word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-,".contains(c))
        }
        Kind::Word => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-,.:+%@=".contains(c);
            word.chars().all(plain) && !word.contains("..") && !is_secret_name(word)
        }
        Kind::OneOf(list) => list.contains(&word),
        Kind::Task => is_task(word),
        Kind::Mode => is_mode(word),
        Kind::Printf => is_printf(word),
        Kind::Format => word.starts_with('+'),
        Kind::Sed => is_sed(word),
        Kind::Jq => is_jq(word),
        Kind::Sets => is_harmless_variable(word),
        Kind::Read | Kind::Write | Kind::Copy | Kind::Move | Kind::InPlace => false,
        Kind::Dir | Kind::Verb | Kind::Command | Kind::Script => false,
    }
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['-', '+']);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".,:%".contains(&b);
    word.len() - digits.len() < 2
        && digits.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && digits.bytes().all(plain)
}

/// Whether the name of a task says nothing about more than building and testing.
fn is_task(word: &str) -> bool {
    static OTHERS: LazyLock<Vec<Glob>> = LazyLock::new(|| {
        let lines = include_str!("../programs/tasks.txt").lines();
        let names = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        names.map(|name| Glob::parse(name).expect("a name in tasks.txt")).collect()
    });
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    let (name, budget) = (word.to_ascii_lowercase(), Budget::new(u64::MAX));
    word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.chars().all(plain)
        && !OTHERS.iter().any(|other| other.matches(&name, &budget))
}

/// `644`, `u+x,go-w`; never a bit that changes who a program runs as.
fn is_mode(word: &str) -> bool {
    let octal = word.len() == 3 && word.bytes().all(|b| (b'0'..b'8').contains(&b));
    let one = |part: &str| {
        let rest = part.trim_start_matches(['u', 'g', 'o', 'a']);
        let bits = rest.strip_prefix(['+', '-', '=']);
        bits.is_some_and(|bits| bits.chars().all(|c| "rwxX".contains(c)))
    };
    octal || word.split(',').all(one)
}

/// Whether a format of printf only puts in text: some shells calculate what a number is, which can
/// run commands, and `%n` sets a variable.
fn is_printf(format: &str) -> bool {
    let plain = |behind: &str| {
        let rest = behind.trim_start_matches(|c: char| c.is_ascii_digit() || "-.".contains(c));
        rest.starts_with(['s', 'b', 'c', 'q'])
    };
    format.replace("%%", "").split('%').skip(1).all(plain)
}

/// `NAME=value` of a variable that changes no more than how something looks.
pub fn is_harmless_variable(word: &str) -> bool {
    static HARMLESS: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let lines = include_str!("../programs/variables.txt").lines();
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    });
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-,.:+= ".contains(c);
    word.split_once('=')
        .is_some_and(|(name, value)| HARMLESS.contains(&name) && value.chars().all(plain))
}

/// Whether a script of sed has no command but those that choose, change and print lines: none that
/// reads, writes or runs.
fn is_sed(script: &str) -> bool {
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', ';']);
        if rest.is_empty() {
            return true;
        }
        let Some(behind) = sed_command(rest) else { return false };
        rest = behind.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with([';', '\n']) {
            return false;
        }
    }
}

/// Takes one command with its addresses; what is behind it.
fn sed_command(text: &str) -> Option<&str> {
    let mut rest = text;
    if let Some(behind) = sed_address(rest) {
        rest = behind.trim_start();
        if let Some(second) = rest.strip_prefix(',') {
            let second = second.trim_start();
            let second = second.strip_prefix(['+', '~']).unwrap_or(second);
            rest = sed_address(second)?.trim_start();
        }
    }
    rest = rest.strip_prefix('!').unwrap_or(rest).trim_start_matches(' ');
    let mut chars = rest.chars();
    let command = chars.next()?;
    let behind = chars.as_str();
    match command {
        'p' | 'd' | '=' | 'n' | 'N' | 'D' | 'P' | 'g' | 'G' | 'h' | 'H' | 'x' | 'l' => Some(behind),
        'q' => Some(behind.trim_start_matches(|c: char| c.is_ascii_digit())),
        's' | 'y' => {
            let mark = behind.chars().next().filter(|c| c.is_ascii_punctuation() && *c != '\\')?;
            let (_, behind) = sed_until(&behind[1..], mark)?;
            let (_, behind) = sed_until(behind, mark)?;
            let flags = |c: char| command == 's' && ("gpiI".contains(c) || c.is_ascii_digit());
            Some(behind.trim_start_matches(flags))
        }
        _ => None,
    }
}

fn sed_address(text: &str) -> Option<&str> {
    match text.chars().next()? {
        '$' => Some(&text[1..]),
        '/' => {
            let (_, behind) = sed_until(&text[1..], '/')?;
            Some(behind.trim_start_matches(['I', 'M']))
        }
        c if c.is_ascii_digit() => {
            Some(text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '~'))
        }
        _ => None,
    }
}

/// What stands before the next `mark` that has no backslash before it, and what stands behind.
/// A mark in brackets, which some take for the end and some do not, is refused.
fn sed_until(text: &str, mark: char) -> Option<(&str, &str)> {
    let (mut bracket, mut at) = (None, 0);
    while let Some(c) = text[at..].chars().next() {
        let behind = &text[at + c.len_utf8()..];
        match (c, bracket) {
            ('\\', _) => at += behind.chars().next()?.len_utf8(),
            ('\n', _) => return None,
            (c, None) if c == mark => return Some((&text[..at], behind)),
            (c, Some(_)) if c == mark => return None,
            // A class within brackets, as in `[[:alpha:]_]`.
            ('[', Some(_)) if behind.starts_with(':') => at += behind.find(":]")? + 2,
            ('[', Some(_)) if behind.starts_with(['.', '=']) => return None,
            ('[', None) => bracket = Some(at),
            (']', Some(from)) if !text[from..at].trim_start_matches(['[', '^']).is_empty() => {
                bracket = None;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    None
}

/// Whether a filter of jq looks at nothing but its input.
fn is_jq(filter: &str) -> bool {
    let others = ["env", "ENV", "import", "include", "input", "modulemeta", "get_search_list"];
    !others.iter().any(|word| filter.contains(word))
}
