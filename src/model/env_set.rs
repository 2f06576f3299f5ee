//! Env sets as they are stored: named lists of variables whose values are sealed. What they are
//! sealed with is not known here.

use crate::base::error::{Error, Result};
use crate::limits;

/// A named list of variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvSet {
    /// UUID.
    pub id: String,
    /// Unique.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The names of its variables, in order.
    pub names: Vec<String>,
    /// Its name and its variables, sealed as one.
    pub sealed: Vec<u8>,
    /// 1 at first, one more with each change; what was sealed for another does not open.
    pub version: i64,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub updated_ms: i64,
}

/// A set's name: trimmed, one line, from 1 to [`limits::ENV_SET_NAME_CHARS`] characters.
pub fn clean_name(text: &str) -> Result<String> {
    let (name, most) = (text.trim(), limits::ENV_SET_NAME_CHARS);
    if name.is_empty() {
        return Err(Error::invalid("an env set needs a name; give it one with --name"));
    }
    if name.chars().count() > most {
        return Err(Error::invalid(format!("the name of an env set may have {most} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "the name of an env set is one line, without control characters",
        ));
    }
    Ok(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_short_line() {
        assert_eq!(clean_name(" Production keys ").unwrap(), "Production keys");
        clean_name(&"ü".repeat(100)).unwrap();
        for bad in ["", "  ", "a\nb", "a\u{1b}[2J", &"x".repeat(101)] {
            assert!(clean_name(bad).is_err(), "{bad:?}");
        }
    }
}
