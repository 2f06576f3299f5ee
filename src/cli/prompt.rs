//! Asks a person for a secret, without showing what is typed.
//!
//! 1. The terminal MUST be as it was before, whatever ends the question.

use crate::base::error::{Context, Error, Result};
use crate::base::secret::Secret;
use crate::limits;
use crate::sys::tty;
use crate::sys::tty::Raw;
use std::io::BufRead;
use zeroize::Zeroizing;

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const KILL_LINE: u8 = 0x15;
const DELETE: u8 = 0x7f;

/// A line from the terminal; where standard input is none, its next line.
pub fn secret(question: &str) -> Result<Secret> {
    if !tty::stdin_is_terminal() {
        return read_line(std::io::stdin().lock());
    }
    eprint!("{question}");
    // Ctrl-C comes as a byte then, and leaves through the same door.
    let raw = Raw::enter(&std::io::stdin())?;
    let line = read_line(std::io::stdin().lock());
    drop(raw);
    eprintln!();
    line
}

/// The same twice, for a password that is to be set.
pub fn new_secret(question: &str, again: &str) -> Result<Secret> {
    let first = secret(question)?;
    match secret(again)?.expose() == first.expose() {
        true => Ok(first),
        false => Err(Error::invalid("the two are not the same, nothing was changed")),
    }
}

fn read_line(input: impl BufRead) -> Result<Secret> {
    let mut line = Zeroizing::new(Vec::with_capacity(limits::login::PASSWORD_BYTES));
    let mut some = false;
    for byte in input.bytes() {
        let byte = byte.internal(|| "cannot read standard input".into())?;
        some = true;
        match byte {
            b'\r' | b'\n' => break,
            END if line.is_empty() => return Err(Error::invalid("nothing was given")),
            END => break,
            INTERRUPT => return Err(Error::invalid("interrupted, nothing was changed")),
            KILL_LINE => line.clear(),
            BACKSPACE | DELETE => {
                let begins = line.iter().rposition(|b| b & 0xc0 != 0x80);
                line.truncate(begins.unwrap_or(0));
            }
            _ if line.len() > limits::login::PASSWORD_BYTES => {
                return Err(Error::invalid("too long, nothing was changed"));
            }
            byte => line.push(byte),
        }
    }
    match std::str::from_utf8(&line) {
        Ok(text) if some => Ok(Secret::new(text)),
        Ok(_) => Err(Error::invalid("standard input has ended, nothing was changed")),
        Err(_) => Err(Error::invalid("that is not UTF-8, nothing was changed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_as_people_do() {
        for (typed, line) in [
            ("secret\r", "secret"),
            ("secret\nmore", "secret"),
            ("secret", "secret"),
            ("secrex\x7ft\r", "secret"),
            ("sécré\x08\x08\x08\x08ecret\r", "secret"),
            ("\x7f\x7fsecret\r", "secret"),
            ("wrong\x15secret\x04", "secret"),
            ("\r", ""),
        ] {
            assert_eq!(read_line(typed.as_bytes()).unwrap().expose(), line, "{typed:?}");
        }
    }

    #[test]
    fn an_interrupt_an_end_and_a_book_are_no_secrets() {
        let book = "x".repeat(5000);
        for bad in [&b"secr\x03et\r"[..], b"\x04", b"", b"\xff\r", book.as_bytes()] {
            assert!(read_line(bad).is_err());
        }
    }
}
