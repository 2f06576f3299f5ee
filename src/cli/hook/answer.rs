//! The daemon's reply to a hook, checked: an agent must take it for the verdict that it is. Knows
//! nothing of how it came.

use crate::base::json;
use crate::cli::hook::table::Failure;
use crate::cli::hook::table::Result;
use crate::model::call::Action;
use crate::provider::hook::DIALOG;
use crate::provider::hook::GATE;
use serde_json::Value;

/// What the reply comes to.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// Print this; nothing is silence.
    Print(Vec<u8>),
    /// A person has been asked: ask again, and wait for it.
    Hold,
}

/// The `output` of a reply at PreToolUse. An agent that takes a yes only as silence gets no output,
/// and only with a plain yes; one that cannot ask is told no.
pub fn at_gate(reply: &[u8]) -> Result<Said> {
    read(reply, |decision, output| {
        let Some(inner) = inner(output, GATE)? else {
            return (decision == Action::Allow).then_some(());
        };
        let told = inner.get("permissionDecision")?.as_str().and_then(Action::from_word)?;
        (told == decision || (decision, told) == (Action::Ask, Action::Deny)).then_some(())
    })
}

/// The `output` of a reply at PermissionRequest: yes, no, or silence, which leaves the dialog to
/// the person in front of it.
pub fn at_dialog(reply: &[u8]) -> Result<Said> {
    read(reply, |decision, output| {
        let Some(inner) = inner(output, DIALOG)? else { return Some(()) };
        let behavior = inner.get("decision")?.get("behavior")?.as_str()?;
        (behavior == decision.word() && decision != Action::Ask).then_some(())
    })
}

fn read(reply: &[u8], fits: impl Fn(Action, &Value) -> Option<()>) -> Result<Said> {
    let no_verdict = || Failure::Garbage.because("the daemon's reply holds no verdict");
    let reply = json::parse(reply).map_err(|_| no_verdict())?;
    let decision = reply.get("decision").and_then(Value::as_str);
    if decision == Some("hold") {
        return Ok(Said::Hold);
    }
    let decision = decision.and_then(Action::from_word).ok_or_else(no_verdict)?;
    let output = reply.get("output").ok_or_else(no_verdict)?;
    fits(decision, output).ok_or_else(no_verdict)?;
    Ok(Said::Print(match output.is_null() {
        true => Vec::new(),
        false => output.to_string().into_bytes(),
    }))
}

/// What an output says at `event`: `Some(None)` where there is none, `None` where it is about
/// something else.
fn inner<'a>(output: &'a Value, event: &str) -> Option<Option<&'a Value>> {
    if output.is_null() {
        return Some(None);
    }
    let inner = output.get("hookSpecificOutput")?;
    (inner.get("hookEventName")?.as_str()? == event).then_some(Some(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(read: fn(&[u8]) -> Result<Said>, reply: &str) -> String {
        match read(reply.as_bytes()) {
            Ok(Said::Print(bytes)) => String::from_utf8(bytes).unwrap(),
            Ok(Said::Hold) => "hold".to_string(),
            Err(failed) => format!("! {}", failed.why),
        }
    }

    #[test]
    fn a_reply_is_printed_only_if_the_agent_reads_the_same_answer_in_it() {
        let gate = |word: &str, inside: &str| {
            said(
                at_gate,
                &format!(
                    r#"{{"decision":"{word}","output":{{"hookSpecificOutput":{{"hookEventName":
                    "PreToolUse","permissionDecision":"{inside}"}}}}}}"#
                ),
            )
        };
        for (word, inside, fits) in [
            ("allow", "allow", true),
            ("deny", "deny", true),
            ("ask", "ask", true),
            ("ask", "deny", true),
            ("ask", "allow", false),
            ("deny", "allow", false),
            ("deny", "ask", false),
            ("allow", "yes", false),
        ] {
            assert_eq!(!gate(word, inside).starts_with('!'), fits, "{word} {inside}");
        }
        let dialog = |word: &str, inside: &str| {
            said(
                at_dialog,
                &format!(
                    r#"{{"decision":"{word}","output":{{"hookSpecificOutput":{{"hookEventName":
                    "PermissionRequest","decision":{{"behavior":"{inside}"}}}}}}}}"#
                ),
            )
        };
        for (word, inside, fits) in [
            ("allow", "allow", true),
            ("deny", "deny", true),
            ("deny", "allow", false),
            ("ask", "allow", false),
            ("ask", "ask", false),
        ] {
            assert_eq!(!dialog(word, inside).starts_with('!'), fits, "{word} {inside}");
        }
        let at_other = r#"{"decision":"allow","output":{"hookSpecificOutput":{"hookEventName":
            "PreToolUse","permissionDecision":"allow"}}}"#;
        assert!(said(at_dialog, at_other).starts_with('!'), "an answer to another event");
    }

    #[test]
    fn silence_is_a_yes_at_the_gate_and_no_opinion_at_the_dialog() {
        let silent = |word: &str| format!(r#"{{"decision":"{word}","output":null}}"#);
        assert_eq!(said(at_gate, &silent("allow")), "");
        for word in ["ask", "deny"] {
            assert!(said(at_gate, &silent(word)).starts_with('!'), "{word}");
            assert_eq!(said(at_dialog, &silent(word)), "");
        }
        for read in [at_gate, at_dialog] {
            assert_eq!(said(read, r#"{"decision":"hold"}"#), "hold");
            for odd in ["", "{}", "[]", r#"{"decision":"allow"}"#, r#"{"decision":1}"#] {
                assert!(said(read, odd).starts_with('!'), "{odd}");
            }
        }
    }
}
