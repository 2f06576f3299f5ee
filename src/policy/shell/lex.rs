//! A command line taken apart into words, or refused; knows nothing of what the words mean.
//!
//! 1. A text that is not plainly literal MUST be refused whole: there is no half an answer.
//! 2. bash, zsh and dash MUST all read an accepted text in the same way.
//! 3. Time and memory MUST grow with the text only; nothing here calls itself.

use crate::limits;
use crate::policy::visible;

/// How a command hangs on the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It is the first, or stands behind `;` or a newline.
    Then,
    /// `&&`: it runs if the one before went well.
    And,
    /// `||`: it runs if the one before failed.
    Or,
    /// `|`: it runs beside the one before.
    Pipe,
}

/// A program and its arguments, as the shell passes them on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simple<'a> {
    /// As it was written, for people.
    pub text: &'a str,
    /// Never empty.
    pub words: Vec<String>,
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
    "time",
    "coproc",
    "nocorrect",
    "noglob",
    "always",
    "in",
    "-",
];

type Lexed<T> = Result<T, &'static str>;

/// The commands of `text` in their order: literal words joined by `;`, `&&`, `||`, `|` and
/// newlines, with comments, continued lines, and redirections to `/dev/null` or between output and
/// error output. An error says what else is in it.
pub fn split(text: &str) -> Lexed<Vec<Simple<'_>>> {
    if text.len() > limits::COMMAND_BYTES {
        return Err("it is too long");
    }
    if text.chars().any(visible::is_hidden) {
        return Err("it has characters that cannot be seen");
    }
    let mut lexer = Lexer { text, at: 0, words: 0 };
    let (mut list, mut link) = (Vec::new(), Link::Then);
    loop {
        lexer.skip(true);
        if lexer.peek().is_none() {
            break;
        }
        if list.len() == limits::COMMAND_PARTS {
            return Err("it has too many commands");
        }
        list.push(lexer.simple(link)?);
        link = lexer.link()?;
    }
    match link {
        Link::Then if list.is_empty() => Err("it is empty"),
        Link::Then => Ok(list),
        _ => Err("it ends in an operator"),
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    words: usize,
}

/// A word, and whether any of it was quoted.
struct Word {
    text: String,
    quoted: bool,
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
    fn skip(&mut self, lines: bool) {
        loop {
            if self.take(" ") || self.take("\t") || self.take("\\\n") || lines && self.take("\n") {
                continue;
            }
            if !self.here("#") {
                return;
            }
            let rest = &self.text[self.at..];
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn simple(&mut self, link: Link) -> Lexed<Simple<'a>> {
        let (start, mut end) = (self.at, self.at);
        let (mut words, mut quoted) = (Vec::new(), false);
        loop {
            self.skip(false);
            match self.peek() {
                None | Some('\n' | ';' | '|') => break,
                Some('&') if self.here("&&") => break,
                Some('&') if !self.here("&>") => {
                    return Err("it starts something in the background");
                }
                Some('<' | '>' | '&') => self.redirection("")?,
                Some('(' | ')') => return Err("it has a subshell or a function"),
                Some(_) => {
                    let word = self.word()?;
                    let number = !word.quoted && word.text.bytes().all(|b| b.is_ascii_digit());
                    if number && (self.here("<") || self.here(">")) {
                        self.redirection(&word.text)?;
                    } else {
                        quoted |= words.is_empty() && word.quoted;
                        words.push(word.text);
                    }
                }
            }
            end = self.at;
        }
        self.words += words.len();
        let first = words.first().ok_or("a command is missing in it")?;
        if self.words > limits::COMMAND_WORDS {
            return Err("it has too many words");
        }
        if first.contains('=') {
            return Err("it sets a variable");
        }
        if !quoted && KEYWORDS.contains(&first.as_str()) {
            return Err("it has a keyword of the shell");
        }
        Ok(Simple { text: &self.text[start..end], words, link })
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
        let _ = self.take(";") || self.take("\n");
        Ok(Link::Then)
    }

    /// Takes a redirection that changes no file. `number` is what stands before the sign.
    fn redirection(&mut self, number: &str) -> Lexed<()> {
        const OTHER: &str = "it has a redirection other than to /dev/null";
        let output = matches!(number, "" | "1" | "2");
        if self.take(">&") {
            let known = output && (self.take("1") || self.take("2"));
            return if known && self.at_end_of_word() { Ok(()) } else { Err(OTHER) };
        }
        let known = (number.is_empty() && (self.take("&>>") || self.take("&>")))
            || (output && (self.take(">>") || self.take(">")))
            || (matches!(number, "" | "0") && self.take("<"));
        while self.take(" ") || self.take("\t") {}
        let null = known && self.take("/dev/null");
        if null && self.at_end_of_word() { Ok(()) } else { Err(OTHER) }
    }

    fn at_end_of_word(&self) -> bool {
        matches!(self.peek(), None | Some(' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>'))
    }

    fn word(&mut self) -> Lexed<Word> {
        let mut word = Word { text: String::new(), quoted: false };
        let mut before = None;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>' | '(' | ')' => break,
                '\'' => self.single(&mut word)?,
                '"' => self.double(&mut word)?,
                '\\' => self.escaped(&mut word)?,
                '$' | '`' => return Err("it has a variable or a substitution"),
                '*' | '?' | '[' | ']' => return Err("it has a pattern for file names"),
                '{' | '}' => return Err("it has braces"),
                '!' => return Err("it has a `!`"),
                // Patterns in a zsh that was told so, whatever they are elsewhere.
                '^' | '#' => return Err("it has a `^` or `#` outside of quotes"),
                '=' if before.is_none() => return Err("it has a word that begins with `=`"),
                '~' if matches!(before, None | Some(':' | '=')) => return Err("it has a `~`"),
                c => {
                    word.text.push(c);
                    self.at += c.len_utf8();
                }
            }
            before = Some(c);
        }
        Ok(word)
    }

    fn single(&mut self, word: &mut Word) -> Lexed<()> {
        let inside = &self.text[self.at + 1..];
        let length = inside.find('\'').ok_or("a quote in it does not end")?;
        word.text.push_str(&inside[..length]);
        word.quoted = true;
        self.at += length + 2;
        Ok(())
    }

    /// In double quotes a backslash is one, except before the four that it takes the meaning from.
    fn double(&mut self, word: &mut Word) -> Lexed<()> {
        word.quoted = true;
        self.at += 1;
        loop {
            let c = self.peek().ok_or("a quote in it does not end")?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(()),
                '$' | '`' => return Err("it has a variable or a substitution"),
                '!' => return Err("it has a `!`"),
                '\\' => match self.peek() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => {
                        word.text.push(c);
                        self.at += 1;
                    }
                    Some('\n') => self.at += 1,
                    _ => word.text.push('\\'),
                },
                c => word.text.push(c),
            }
        }
    }

    /// A backslash outside of quotes, before a mark or a blank: before a letter nobody means it.
    fn escaped(&mut self, word: &mut Word) -> Lexed<()> {
        match self.text[self.at + 1..].chars().next() {
            Some('\n') => {}
            Some(c) if c == ' ' || c.is_ascii_punctuation() => {
                word.text.push(c);
                word.quoted = true;
            }
            _ => return Err("it has a backslash before a letter"),
        }
        self.at += 2;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
