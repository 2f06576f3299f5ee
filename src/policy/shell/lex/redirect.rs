//! Redirections and here-documents, as far as they are literal. Knows no paths.

use super::Lexed;
use super::Lexer;
use super::Simple;

/// A redirection to or from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// To it, or else from it.
    pub writes: bool,
    /// The file, as it was written.
    pub path: String,
}

impl<'a> Lexer<'a> {
    /// Takes a redirection between output and error output, or to or from a literal file.
    /// `number` is what stands before the sign.
    pub(super) fn redirection(&mut self, number: &str, simple: &mut Simple<'a>) -> Lexed<()> {
        const OTHER: &str = "it has a redirection that is not to a plain file";
        let output = matches!(number, "" | "1" | "2");
        if self.take(">&") {
            let known = output && (self.take("1") || self.take("2"));
            return if known && self.at_end_of_word() { Ok(()) } else { Err(OTHER) };
        }
        if matches!(number, "" | "0") && self.take("<<") {
            simple.is_fed = true;
            return self.document();
        }
        let writes = (number.is_empty() && (self.take("&>>") || self.take("&>")))
            || (output && (self.take(">>") || self.take(">")));
        let reads = !writes && matches!(number, "" | "0") && self.take("<");
        if !writes && !reads {
            return Err(OTHER);
        }
        while self.take(" ") || self.take("\t") {}
        let word = match self.peek() {
            None | Some('\n' | ';' | '|' | '&' | '<' | '>' | '(' | ')' | '#') => return Err(OTHER),
            Some(_) => self.word()?,
        };
        if !word.many.is_empty() || word.text.is_empty() || !self.at_end_of_word() {
            return Err(OTHER);
        }
        // bash opens a connection by such a name, and other shells a file.
        if word.text.starts_with("/dev/") && word.text != "/dev/null" {
            return Err("it has a redirection to a device");
        }
        if word.text != "/dev/null" {
            simple.is_fed |= !writes;
            simple.files.push(Redirect { writes, path: word.text });
        }
        Ok(())
    }

    /// Takes what stands behind `<<`: the word that ends a here-document.
    fn document(&mut self) -> Lexed<()> {
        const ODD: &str = "it has a here-document with an odd end";
        while self.take(" ") || self.take("\t") {}
        let quote = self.peek().filter(|c| matches!(c, '\'' | '"'));
        self.at += usize::from(quote.is_some());
        let rest = &self.text[self.at..];
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = rest.find(|c| !plain(c)).unwrap_or(rest.len());
        self.at += length;
        let closed = quote.is_none_or(|q| self.take(q.encode_utf8(&mut [0; 4])));
        if length == 0 || !closed || !self.at_end_of_word() {
            return Err(ODD);
        }
        self.ends.push((&rest[..length], quote.is_some()));
        Ok(())
    }

    /// Goes past the here-documents that begin here, at the start of a line.
    pub(super) fn documents(&mut self) -> Lexed<()> {
        for (end, literal) in std::mem::take(&mut self.ends) {
            loop {
                let rest = &self.text[self.at..];
                if rest.is_empty() {
                    return Err("it has a here-document that does not end");
                }
                let line = rest.split('\n').next().unwrap_or(rest);
                self.at += (line.len() + 1).min(rest.len());
                if line == end {
                    break;
                }
                if !literal && line.contains(['$', '`', '\\']) {
                    return Err("it has a here-document in which something is replaced");
                }
            }
        }
        Ok(())
    }

    /// A line that ends here must not be one behind which a here-document begins.
    pub(super) fn no_document(&self) -> Lexed<()> {
        if self.ends.is_empty() { Ok(()) } else { Err("it has a here-document with an odd start") }
    }
}
