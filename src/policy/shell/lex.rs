//! A command line taken apart into words, or refused; knows nothing of what the words mean.
//!
//! 1. A text that is not plainly literal MUST be refused whole: there is no half an answer.
//! 2. bash, zsh and dash MUST all read an accepted text in the same way.
//! 3. Time and memory MUST grow with the text only; nothing here calls itself.

pub mod redirect;
mod word;

use crate::limits;
use crate::policy::shell::lex::redirect::Redirect;
use crate::policy::visible;

/// How a command hangs on the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    /// It is the first, or stands behind `;` or a newline.
    #[default]
    Then,
    /// `&&`: it runs if the one before went well.
    And,
    /// `||`: it runs if the one before failed.
    Or,
    /// `|`: it runs beside the one before.
    Pipe,
}

/// A program and its arguments, as the shell passes them on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simple<'a> {
    /// As it was written, for people.
    pub text: &'a str,
    /// Never empty. A word that is in `many` stands here as it was written.
    pub words: Vec<String>,
    /// Words, by their place, that the shell takes for several: as globs, one of which each of
    /// them fits. A word that fits nothing is passed on as it was written.
    pub many: Vec<(usize, Vec<String>)>,
    /// `NAME=value` in front of it.
    pub sets: Vec<String>,
    /// Files that it is redirected to, but for `/dev/null`.
    pub files: Vec<Redirect>,
    /// It has text or a file for its input.
    pub is_fed: bool,
    /// What stands before it.
    pub link: Link,
}

/// Words that are no program's name where a command begins.
const KEYWORDS: &[&str] = &[
    "if",
    "then",
    "elif",
    "else",
    "fi",
    "for",
    "foreach",
    "end",
    "while",
    "until",
    "do",
    "done",
    "case",
    "esac",
    "select",
    "repeat",
    "function",
    "coproc",
    "nocorrect",
    "noglob",
    "always",
    "in",
    "-",
    "!",
];

type Lexed<T> = Result<T, &'static str>;

/// The commands of `text` in their order: words joined by `;`, `&&`, `||`, `|` and newlines, with
/// comments, continued lines, literal variables in front, redirections to and from literal files
/// or between output and error output, and here-documents in which nothing is replaced. Words are
/// literal, but that they may have `*`, `?`, `[a-z]`, `{a,b}`, a `~/` in front, and `$?`. An error
/// says what else is in it.
pub fn split(text: &str) -> Lexed<Vec<Simple<'_>>> {
    if text.len() > limits::gate::COMMAND_BYTES {
        return Err("it is too long");
    }
    if text.chars().any(visible::is_hidden) {
        return Err("it has characters that cannot be seen");
    }
    let mut lexer = Lexer { text, at: 0, words: 0, ends: Vec::new() };
    let (mut list, mut link) = (Vec::new(), Link::Then);
    loop {
        lexer.skip(true)?;
        if lexer.peek().is_none() {
            break;
        }
        if list.len() == limits::gate::COMMAND_PARTS {
            return Err("it has too many commands");
        }
        list.push(lexer.simple(link)?);
        link = lexer.link()?;
    }
    match link {
        _ if !lexer.ends.is_empty() => Err("it has a here-document that does not end"),
        Link::Then if list.is_empty() => Err("it is empty"),
        Link::Then => Ok(list),
        _ => Err("it ends in an operator"),
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    words: usize,
    /// The last lines of here-documents that begin with the next line, and whether in them a
    /// backslash or a `$` means nothing.
    ends: Vec<(&'a str, bool)>,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn here(&self, text: &str) -> bool {
        self.text[self.at..].starts_with(text)
    }

    fn take(&mut self, text: &str) -> bool {
        let here = self.here(text);
        if here {
            self.at += text.len();
        }
        here
    }

    /// Goes past blanks, continued lines and a comment, and past newlines where `lines` says so.
    fn skip(&mut self, lines: bool) -> Lexed<()> {
        loop {
            if self.take(" ") || self.take("\t") {
                continue;
            }
            if self.here("\\\n") || lines && self.here("\n") {
                self.no_document()?;
                self.at += if self.here("\n") { 1 } else { 2 };
                continue;
            }
            if !self.here("#") {
                return Ok(());
            }
            let rest = &self.text[self.at..];
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn simple(&mut self, link: Link) -> Lexed<Simple<'a>> {
        let (start, mut end) = (self.at, self.at);
        let mut simple = Simple { link, ..Simple::default() };
        // Up to the second word, whether any of it was quoted.
        let mut quoted = Vec::new();
        loop {
            self.skip(false)?;
            match self.peek() {
                None | Some('\n' | ';' | '|') => break,
                Some('&') if self.here("&&") => break,
                Some('&') if !self.here("&>") => {
                    return Err("it starts something in the background");
                }
                Some('<' | '>' | '&') => self.redirection("", &mut simple)?,
                Some('(' | ')') => return Err("it has a subshell or a function"),
                Some(_) => {
                    let word = self.word()?;
                    let number = !word.quoted && word.text.bytes().all(|b| b.is_ascii_digit());
                    if number && (self.here("<") || self.here(">")) {
                        self.redirection(&word.text, &mut simple)?;
                    } else if simple.words.is_empty() && word.sets && word.many.is_empty() {
                        simple.sets.push(word.text);
                    } else {
                        quoted.push(word.quoted);
                        if !word.many.is_empty() {
                            simple.many.push((simple.words.len(), word.many));
                        }
                        simple.words.push(word.text);
                    }
                }
            }
            end = self.at;
        }
        self.words += simple.words.len() + simple.sets.len() + simple.files.len();
        if self.words > limits::gate::COMMAND_WORDS {
            return Err("it has too many words");
        }
        simple.text = &self.text[start..end];
        begins_with_a_program(&simple, &quoted)?;
        Ok(simple)
    }

    fn link(&mut self) -> Lexed<Link> {
        if self.take("&&") {
            return Ok(Link::And);
        }
        if self.take("||") {
            return Ok(Link::Or);
        }
        if self.here("|&") {
            return Err("it has a pipe for error output");
        }
        if self.take("|") {
            return Ok(Link::Pipe);
        }
        if !self.take(";") && self.take("\n") {
            self.documents()?;
        }
        Ok(Link::Then)
    }

    fn at_end_of_word(&self) -> bool {
        matches!(self.peek(), None | Some(' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>'))
    }
}

/// Whether the first words are those of a program, which `time` alone may stand before.
fn begins_with_a_program(simple: &Simple<'_>, quoted: &[bool]) -> Lexed<()> {
    for (at, word) in simple.words.iter().enumerate() {
        if word.contains('=') {
            return Err("it sets a variable");
        }
        if !quoted[at] && word.starts_with('~') {
            return Err("it has a `~` where a program's name stands");
        }
        let is_keyword = |word: &str| KEYWORDS.contains(&word) || at == 1 && word.starts_with('-');
        if !quoted[at] && is_keyword(word) {
            return Err("it has a keyword of the shell");
        }
        if simple.many.iter().any(|(place, _)| *place == at) {
            return Err("it has a pattern where a program's name stands");
        }
        if quoted[at] || word != "time" {
            return Ok(());
        }
        if at == 1 {
            break;
        }
    }
    Err("a command is missing in it")
}

#[cfg(test)]
mod tests;
