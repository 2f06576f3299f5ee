//! The one error type: a code for programs, a message for people, a source for the log.
//!
//! Messages are lower case without a full stop, name the thing and the way out. `Internal` reaches
//! users only as "internal error"; its whole chain goes to the daemon's log.

use std::fmt;

/// What a program may branch on. HTTP status and exit code are derived from it, once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request is wrong; asking again will not help.
    Invalid,
    /// Whoever asks has not shown who they are.
    Unauthorized,
    /// Understood and refused.
    Denied,
    /// No such thing.
    NotFound,
    /// It clashes with what is there.
    Conflict,
    /// It was tried, and did not work out there.
    Failed,
    /// Try again later.
    Busy,
    /// Too many attempts; the next one counts after so many seconds.
    Wait(u32),
    /// A deadline passed.
    Timeout,
    /// The daemon (or the other side) is not there.
    Unreachable,
    /// Our fault or the machine's.
    Internal,
}

impl Code {
    /// The word used in the `code` field of API errors.
    pub fn word(self) -> &'static str {
        match self {
            Code::Invalid => "invalid",
            Code::Unauthorized => "unauthorized",
            Code::Denied => "denied",
            Code::NotFound => "not_found",
            Code::Conflict => "conflict",
            Code::Failed => "failed",
            Code::Busy => "busy",
            Code::Wait(_) => "rate_limited",
            Code::Timeout => "timeout",
            Code::Unreachable => "unreachable",
            Code::Internal => "internal",
        }
    }

    /// The code for an API error's word; unknown words are `Internal`.
    pub fn from_word(word: &str) -> Code {
        use Code::*;
        const ALL: [Code; 10] = [
            Invalid,
            Unauthorized,
            Denied,
            NotFound,
            Conflict,
            Failed,
            Busy,
            Wait(0),
            Timeout,
            Unreachable,
        ];
        ALL.into_iter().find(|c| c.word() == word).unwrap_or(Internal)
    }
}

/// An error on its way up: handled by `code`, reported by `message`.
#[derive(Debug)]
pub struct Error {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
    /// For the log.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without a source.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), source: None }
    }

    /// Shorthand for [`Code::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(Code::Invalid, message)
    }

    /// Shorthand for [`Code::Unauthorized`].
    pub fn unauthorized(message: impl Into<String>) -> Error {
        Error::new(Code::Unauthorized, message)
    }

    /// Shorthand for [`Code::Denied`].
    pub fn denied(message: impl Into<String>) -> Error {
        Error::new(Code::Denied, message)
    }

    /// Shorthand for [`Code::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(Code::NotFound, message)
    }

    /// Shorthand for [`Code::Conflict`].
    pub fn conflict(message: impl Into<String>) -> Error {
        Error::new(Code::Conflict, message)
    }

    /// Shorthand for [`Code::Busy`].
    pub fn busy(message: impl Into<String>) -> Error {
        Error::new(Code::Busy, message)
    }

    /// Shorthand for [`Code::Internal`].
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(Code::Internal, message)
    }

    /// Message and every source behind it, for the log and for a person at the terminal.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut next: Option<&dyn std::error::Error> =
            self.source.as_ref().map(|s| s.as_ref() as &dyn std::error::Error);
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|s| s.as_ref() as _)
    }
}

/// Gives a foreign error its code and the sentence that says what was being done.
pub trait Context<T> {
    /// Wraps the error; `message` runs only on failure.
    fn code(self, code: Code, message: impl FnOnce() -> String) -> Result<T>;

    /// [`Code::Internal`] with a sentence.
    fn internal(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> Context<T> for std::result::Result<T, E> {
    fn code(self, code: Code, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Error { code, message: message(), source: Some(Box::new(e)) })
    }

    fn internal(self, message: impl FnOnce() -> String) -> Result<T> {
        self.code(Code::Internal, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_names_every_source() {
        let io = std::io::Error::other("disk on fire");
        let error = Err::<(), _>(io).internal(|| "cannot write /x".into()).unwrap_err();
        assert_eq!(error.chain(), "cannot write /x: disk on fire");
        assert_eq!(error.to_string(), "cannot write /x");
    }

    #[test]
    fn words_and_codes_are_one_list() {
        for code in [Code::Invalid, Code::Unauthorized, Code::Failed, Code::Wait(0), Code::Internal]
        {
            assert_eq!(Code::from_word(code.word()), code);
        }
        assert_eq!(Code::from_word("nonsense"), Code::Internal);
    }
}
