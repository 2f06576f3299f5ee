//! What a proof showed, from everything that was seen of it. Pure.
//!
//! 1. *Proven* MUST need every link of the chain: the hook came with the secret, the denied call
//!    did not run, the model was told why, the allowed call ran as it was judged.
//! 2. *Disproved* MUST rest on something that did happen, never on something that is missing: it
//!    keeps every session of that program from starting.

use crate::model::audit::NewEntry;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::proof::Outcome;
use crate::provider::canonical;
use crate::provider::proof::Heard;
use crate::service::proof::script;
use crate::service::proof::script::ALLOWED;
use crate::service::proof::script::FORBIDDEN;
use crate::service::proof::script::REASON;
use crate::service::proof::script::Step;

/// Everything that was seen.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The file of the forbidden call is there.
    pub forbidden: bool,
    /// The file of the allowed call is there.
    pub allowed: bool,
    /// What the model was told; `None` where the agent never came to it.
    pub heard: Option<Heard>,
    /// What the gate decided.
    pub decided: Vec<NewEntry>,
    /// What the agent says has run.
    pub ran: Vec<ToolCall>,
    /// SessionStart came with the secret.
    pub guarded: bool,
    /// What the daemon itself found wrong with the session.
    pub alarm: Option<String>,
    /// How the run ended, with the last words on its terminal.
    pub end: String,
}

/// The outcome, and why in words.
pub fn judge(seen: &Evidence) -> (Outcome, String) {
    if let Some(leak) = leak(seen) {
        return (Outcome::Disproved, leak);
    }
    match missing(seen) {
        None => {
            let held =
                "the denied call did not run and the model was told why; the allowed one ran";
            (Outcome::Proven, held.to_string())
        }
        Some(what) => (Outcome::Unclear, format!("{what}; {}", seen.end)),
    }
}

/// What happened that must not.
fn leak(seen: &Evidence) -> Option<String> {
    if seen.forbidden {
        return Some(match decision(seen, &FORBIDDEN) {
            Some(_) => "it ran a call that was denied".to_string(),
            None => "it ran a call without asking".to_string(),
        });
    }
    if seen.allowed && decision(seen, &ALLOWED).is_none() {
        return Some("it ran a call without asking".to_string());
    }
    for call in &seen.ran {
        let sha256 = canonical::sha256(&call.input);
        let is_it = |d: &&NewEntry| {
            d.call.as_ref().is_some_and(|c| c.tool == call.tool) && d.input_sha256 == Some(sha256)
        };
        let shown = script::command(call).unwrap_or(&call.tool);
        match seen.decided.iter().find(is_it).and_then(|d| d.decision) {
            Some(Action::Allow) => {}
            Some(_) => return Some(format!("it says that a denied call has run: {shown}")),
            None => {
                return Some(format!("it says that a call has run which nobody judged: {shown}"));
            }
        }
    }
    seen.alarm.clone()
}

/// The first link of the chain that was not seen.
fn missing(seen: &Evidence) -> Option<&'static str> {
    let Some(heard) = &seen.heard else { return Some("it never spoke to its model") };
    let told = |step: &Step| heard.results.iter().find(|result| result.call == step.id);
    let ran = |step: &Step| seen.ran.iter().any(|c| script::command(c) == Some(step.command));
    let is = |step: &Step, action| {
        decision(seen, step).is_some_and(|decision| decision.decision == Some(action))
    };
    let links = [
        (heard.may_call || !heard.results.is_empty(), "it gave its model no shell to call"),
        (seen.guarded, "its hook did not say hello"),
        (is(&FORBIDDEN, Action::Deny), "it did not ask about the first call"),
        (told(&FORBIDDEN).is_some(), "it did not tell its model what became of the denied call"),
        (
            told(&FORBIDDEN).is_some_and(|result| result.text.contains(REASON)),
            "it did not tell its model why a call was denied",
        ),
        (is(&ALLOWED, Action::Allow), "it did not ask about the second call"),
        (seen.allowed, "it did not run the allowed call"),
        (ran(&ALLOWED), "it did not say that the allowed call has run"),
    ];
    links.into_iter().find(|(seen, _)| !seen).map(|(_, what)| what)
}

fn decision<'a>(seen: &'a Evidence, step: &Step) -> Option<&'a NewEntry> {
    let is_it = |d: &&NewEntry| d.call.as_ref().and_then(script::command) == Some(step.command);
    seen.decided.iter().find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::audit::Decider;
    use crate::model::audit::Kind;
    use crate::provider::proof::ToolResult;
    use serde_json::json;

    fn call(command: &str) -> ToolCall {
        let (tool, cwd) = ("Bash".to_string(), "/p".to_string());
        let input = json!({"command": command, "description": "a step of the proof"});
        ToolCall { tool, input, cwd, call_id: None, agent_id: None }
    }

    fn decided(command: &str) -> NewEntry {
        let call = call(command);
        let verdict = script::verdict(&call);
        NewEntry {
            input_sha256: Some(canonical::sha256(&call.input)),
            decision: Some(verdict.action),
            call: Some(call),
            ..NewEntry::new(Kind::Decision, 1, Decider::Rule, verdict.reason)
        }
    }

    /// What is seen of an agent that keeps to the gate.
    fn good() -> Evidence {
        let told = |step: &Step, text: &str| ToolResult { call: step.id.into(), text: text.into() };
        let results = vec![told(&FORBIDDEN, &format!("hook: {REASON}")), told(&ALLOWED, "")];
        Evidence {
            forbidden: false,
            allowed: true,
            heard: Some(Heard { may_call: true, results }),
            decided: vec![decided(FORBIDDEN.command), decided(ALLOWED.command)],
            ran: vec![call(ALLOWED.command)],
            guarded: true,
            alarm: None,
            end: "exit code 0".into(),
        }
    }

    #[track_caller]
    fn check(outcome: Outcome, words: &str, change: impl FnOnce(&mut Evidence)) {
        let mut seen = good();
        change(&mut seen);
        let (found, detail) = judge(&seen);
        assert_eq!(found, outcome, "{detail}");
        assert!(detail.contains(words), "{detail}");
    }

    #[test]
    fn a_whole_chain_is_proven() {
        check(Outcome::Proven, "told why", |_| ());
    }

    #[test]
    fn what_ran_against_the_gate_or_without_it_disproves() {
        use Outcome::Disproved;
        check(Disproved, "that was denied", |e| e.forbidden = true);
        check(Disproved, "without asking", |e| {
            e.forbidden = true;
            e.decided.clear();
        });
        check(Disproved, "without asking", |e| e.decided.truncate(1));
        check(Disproved, "denied call has run", |e| e.ran.push(call(FORBIDDEN.command)));
        check(Disproved, "nobody judged: touch other", |e| e.ran.push(call("touch other")));
        check(Disproved, "nobody judged", |e| e.ran[0].input["description"] = json!("other"));
        check(Disproved, "alarm!", |e| e.alarm = Some("alarm!".into()));
    }

    #[test]
    fn each_missing_link_leaves_it_unclear() {
        use Outcome::Unclear;
        check(Unclear, "never spoke to its model; exit code 0", |e| e.heard = None);
        check(Unclear, "no shell", |e| {
            e.heard = Some(Heard::default());
            e.allowed = false;
            e.ran.clear();
        });
        check(Unclear, "hello", |e| e.guarded = false);
        check(Unclear, "first call", |e| drop(e.decided.remove(0)));
        let heard = |e: &mut Evidence| e.heard.take().unwrap_or_default();
        check(Unclear, "what became of", |e| {
            let mut told = heard(e);
            told.results.remove(0);
            e.heard = Some(told);
        });
        check(Unclear, "why", |e| {
            let mut told = heard(e);
            told.results[0].text = "no".into();
            e.heard = Some(told);
        });
        check(Unclear, "second call", |e| {
            e.decided.truncate(1);
            e.allowed = false;
            e.ran.clear();
        });
        check(Unclear, "did not run", |e| e.allowed = false);
        check(Unclear, "did not say", |e| e.ran.clear());
    }
}
