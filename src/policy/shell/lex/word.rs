//! One word: quotes, and the patterns that are understood. Knows no programs.
//!
//! 1. A word that is both quoted and a pattern MUST be refused: which of it is literal is lost.

use super::Lexed;
use super::Lexer;
use crate::limits;

/// A word as a program would get it.
pub(super) struct Word {
    /// Without its quotes.
    pub text: String,
    /// Any of it was quoted.
    pub quoted: bool,
    /// It begins with a name and `=`, none of which was quoted.
    pub sets: bool,
    /// Globs, if the shell takes it for several words.
    pub many: Vec<String>,
}

/// A word that is being read.
#[derive(Default)]
struct Open {
    text: String,
    quoted: bool,
    sets: bool,
    /// It has `*`, `?` or `[`.
    wild: bool,
    /// It has the number that says how a command ended.
    status: bool,
    /// Where braces stand in `text`, with what is behind the closing one.
    braces: Vec<(usize, usize)>,
}

impl Lexer<'_> {
    pub(super) fn word(&mut self) -> Lexed<Word> {
        let mut word = Open::default();
        let mut before = None;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>' | '(' | ')' => break,
                '\'' => self.single(&mut word)?,
                '"' => self.double(&mut word)?,
                '\\' => self.escaped(&mut word)?,
                '$' | '`' => self.status(&mut word)?,
                '*' | '?' => {
                    word.wild = true;
                    self.push(c, &mut word);
                }
                '[' | ']' if before.is_none() && self.is_alone() => self.push(c, &mut word),
                '[' => self.set(&mut word)?,
                ']' => return Err("it has a `]` outside of a pattern"),
                '{' if self.take("{}") => word.text.push_str("{}"),
                '{' => self.braces(&mut word)?,
                '}' => return Err("it has braces"),
                '!' if before.is_none() && self.is_alone() => self.push(c, &mut word),
                '!' => return Err("it has a `!`"),
                // Patterns in a zsh that was told so, whatever they are elsewhere.
                '^' | '#' => return Err("it has a `^` or `#` outside of quotes"),
                '=' if before.is_none() && self.is_alone() => self.push(c, &mut word),
                '=' if before.is_none() => return Err("it has a word that begins with `=`"),
                '~' if before.is_none() => self.home(&mut word)?,
                '~' if matches!(before, Some(':' | '=')) => return Err("it has a `~`"),
                c => {
                    word.sets |= c == '=' && !word.quoted && is_name(&word.text);
                    self.push(c, &mut word);
                }
            }
            before = Some(c);
        }
        word.close()
    }

    fn push(&mut self, c: char, word: &mut Open) {
        word.text.push(c);
        self.at += c.len_utf8();
    }

    /// Whether the character that comes is all of its word.
    fn is_alone(&self) -> bool {
        let behind = self.text[self.at..].chars().nth(1);
        matches!(behind, None | Some(' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>'))
    }

    /// Takes `$?`, which is a number whatever it is, and bash's for a part of a pipe.
    fn status(&mut self, word: &mut Open) -> Lexed<()> {
        let rest = &self.text[self.at..];
        let pipe = rest.strip_prefix("${PIPESTATUS[").and_then(|rest| rest.split_once("]}"));
        let pipe = pipe.filter(|(n, _)| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()));
        let length = if rest.starts_with("$?") { 2 } else { pipe.map_or(0, |_| 16) };
        if length == 0 {
            return Err("it has a variable or a substitution");
        }
        word.status = true;
        word.text.push_str(&rest[..length]);
        self.at += length;
        Ok(())
    }

    /// `[a-z]`, with nothing odd in it.
    fn set(&mut self, word: &mut Open) -> Lexed<()> {
        let rest = &self.text[self.at + 1..];
        let inside = rest.split(']').next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let whole = inside.len() < rest.len() && !inside.is_empty() && inside.chars().all(plain);
        if !whole || inside.starts_with('-') {
            return Err("it has an odd pattern for file names");
        }
        word.wild = true;
        word.text.push_str(&self.text[self.at..self.at + inside.len() + 2]);
        self.at += inside.len() + 2;
        Ok(())
    }

    /// `{a,b}`, with no braces and nothing odd in it; `{1..3}` counts, and is refused.
    fn braces(&mut self, word: &mut Open) -> Lexed<()> {
        let rest = &self.text[self.at + 1..];
        let inside = rest.split('}').next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,*?@+".contains(c);
        let whole = inside.len() < rest.len() && inside.contains(',') && inside.chars().all(plain);
        if !whole || inside.contains("..") || word.text.is_empty() && inside.contains(",,") {
            return Err("it has braces");
        }
        let from = word.text.len();
        word.wild |= inside.contains(['*', '?']);
        word.text.push_str(&self.text[self.at..self.at + inside.len() + 2]);
        word.braces.push((from, word.text.len()));
        self.at += inside.len() + 2;
        Ok(())
    }

    fn home(&mut self, word: &mut Open) -> Lexed<()> {
        self.push('~', word);
        match self.peek() {
            None | Some('/' | ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>') => Ok(()),
            Some(_) => Err("it has a `~`"),
        }
    }

    fn single(&mut self, word: &mut Open) -> Lexed<()> {
        let inside = &self.text[self.at + 1..];
        let length = inside.find('\'').ok_or("a quote in it does not end")?;
        if inside[..length].contains('\n') {
            self.no_document()?;
        }
        word.text.push_str(&inside[..length]);
        word.quoted = true;
        self.at += length + 2;
        Ok(())
    }

    /// In double quotes a backslash is one, except before the four that it takes the meaning from.
    fn double(&mut self, word: &mut Open) -> Lexed<()> {
        word.quoted = true;
        self.at += 1;
        loop {
            if self.here("$(cat <<'") {
                self.text_of_document(word)?;
                continue;
            }
            let c = self.peek().ok_or("a quote in it does not end")?;
            if c == '`' || c == '$' && !self.here("$\"") {
                self.status(word)?;
                continue;
            }
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(()),
                // Where a shell looks up what was typed before, it does not do so here.
                '!' if matches!(self.peek(), Some(' ' | '=' | '"')) => word.text.push('!'),
                '!' => return Err("it has a `!`"),
                '\n' => {
                    self.no_document()?;
                    word.text.push('\n');
                }
                '\\' => match self.peek() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => {
                        word.text.push(c);
                        self.at += 1;
                    }
                    Some('\n') => {
                        self.no_document()?;
                        self.at += 1;
                    }
                    _ => word.text.push('\\'),
                },
                c => word.text.push(c),
            }
        }
    }

    /// Takes the text of a here-document, as agents write what is to be committed:
    /// `$(cat <<'END'`, lines, and a line `END`, and one `)`. There must be nothing in it that
    /// could end it earlier for a shell that looks for the `)` first.
    fn text_of_document(&mut self, word: &mut Open) -> Lexed<()> {
        const ODD: &str = "it has a substitution with a here-document that is not plain";
        self.no_document()?;
        let rest = &self.text[self.at + "$(cat <<'".len()..];
        let (end, rest) = rest.split_once("'\n").ok_or(ODD)?;
        let named = !end.is_empty() && end.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let (body, behind) = rest.split_once(&format!("\n{end}\n")).ok_or(ODD)?;
        let behind = behind.trim_start_matches([' ', '\n']).strip_prefix(')').ok_or(ODD)?;
        let odd = body.contains(['\'', '"', '`', '\\', '$', '(', ')', '#', '!', '{', '}']);
        if !named || odd || body.contains("<<") || body.lines().any(|line| line == end) {
            return Err(ODD);
        }
        word.text.push_str(body.trim_end_matches('\n'));
        self.at = self.text.len() - behind.len();
        Ok(())
    }

    /// A backslash outside of quotes, before a mark or a blank: before a letter nobody means it.
    fn escaped(&mut self, word: &mut Open) -> Lexed<()> {
        match self.text[self.at + 1..].chars().next() {
            Some('\n') => self.no_document()?,
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

impl Open {
    fn close(self) -> Lexed<Word> {
        let Open { text, quoted, sets, wild, status, braces } = self;
        if status {
            let plain = !wild && braces.is_empty();
            let many = if plain { with_numbers(&text) } else { None };
            let many = many.ok_or("it has a variable and a pattern in one word")?;
            return Ok(Word { text, quoted, sets, many });
        }
        if !wild && braces.is_empty() {
            return Ok(Word { text, quoted, sets, many: Vec::new() });
        }
        if quoted {
            return Err("it has a pattern that is partly quoted");
        }
        let mut many = vec![String::new()];
        let mut from = 0;
        for (start, end) in braces {
            let inside = &text[start + 1..end - 1];
            let fixed = &text[from..start];
            let each = many
                .iter()
                .flat_map(|head| inside.split(',').map(move |one| format!("{head}{fixed}{one}")));
            many = each.take(limits::gate::COMMAND_BRACES + 1).collect();
            if many.len() > limits::gate::COMMAND_BRACES {
                return Err("it has too many words in braces");
            }
            from = end;
        }
        many.iter_mut().for_each(|head| head.push_str(&text[from..]));
        let option = text.starts_with('-');
        let odd = |one: &String| one.is_empty() || one.starts_with('-') != option;
        if many.iter().any(odd) {
            return Err("it has a pattern for file names that could be options");
        }
        // A shell without braces passes them on.
        if from > 0 {
            many.push(text.clone());
        }
        Ok(Word { text, quoted, sets, many })
    }
}

/// A text with the number of a command's end in it, as globs; what else looks like one is literal.
fn with_numbers(text: &str) -> Option<Vec<String>> {
    let mut many = vec![String::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let marks: &[&str] = if rest.starts_with("$?") {
            rest = &rest[2..];
            &["[0-9]", "[0-9][0-9]", "[0-9][0-9][0-9]"]
        } else if rest.starts_with("${PIPESTATUS[") {
            // Other shells than bash have none.
            rest = rest.split_once('}')?.1;
            &["", "[0-9]", "[0-9][0-9]", "[0-9][0-9][0-9]"]
        } else {
            rest = &rest[c.len_utf8()..];
            let literal = match c {
                '*' | '?' | '[' => format!("[{c}]"),
                c => c.to_string(),
            };
            many.iter_mut().for_each(|one| one.push_str(&literal));
            continue;
        };
        let each = many.iter().flat_map(|one| marks.iter().map(move |mark| format!("{one}{mark}")));
        many = each.take(limits::gate::COMMAND_BRACES + 1).collect();
        if many.len() > limits::gate::COMMAND_BRACES {
            return None;
        }
    }
    Some(many)
}

/// Whether this is what a variable may be called.
fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    text.bytes().next().is_some_and(letter) && text.bytes().all(|b| letter(b) || b.is_ascii_digit())
}
