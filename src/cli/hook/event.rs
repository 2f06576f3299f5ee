//! Which event a hook's stdin is about, also where it is cut off or no JSON: it decides how a
//! failure ends.
//!
//! 1. What is not certainly another event MUST count as the gate's.

use crate::provider::hook::DIALOG;
use crate::provider::hook::GATE;
use crate::provider::hook::TELLS;

/// What an agent makes of the end of the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It runs the call, unless it is told not to.
    Gate,
    /// It asks a person, unless it is told the answer before.
    Dialog,
    /// It goes on.
    Tells,
}

/// The kind of an event by its name; `None` for one that neither agent has.
pub fn kind(name: &str) -> Option<Kind> {
    match name {
        GATE => Some(Kind::Gate),
        DIALOG => Some(Kind::Dialog),
        _ => TELLS.contains(&name).then_some(Kind::Tells),
    }
}

/// The `hook_event_name` of the outer object, also where the text is cut off or too long to be
/// parsed. An escaped, repeated or odd name is none.
pub fn name(data: &[u8]) -> Option<&str> {
    let (mut depth, mut at) = (0_usize, 0);
    let (mut key, mut found): (Option<&[u8]>, Option<&[u8]>) = (None, None);
    if !data.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    while at < data.len() {
        match data[at] {
            b'{' | b'[' => (depth, key) = (depth + 1, None),
            b'}' | b']' => (depth, key) = (depth.checked_sub(1)?, None),
            b',' => key = None,
            b'"' => {
                let Some(end) = string_end(data, at) else { break };
                let text = &data[at + 1..end];
                match key {
                    None => key = Some(text),
                    Some(b"hook_event_name") if depth == 1 && found.is_some() => return None,
                    Some(b"hook_event_name") if depth == 1 => found = Some(text),
                    Some(_) => {}
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    let is_plain = |name: &&[u8]| !name.is_empty() && name.iter().all(u8::is_ascii_alphabetic);
    std::str::from_utf8(found.filter(is_plain)?).ok()
}

/// Index of the quote that closes the string which opens at `at`.
fn string_end(data: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    while *data.get(end)? != b'"' {
        end += if data[end] == b'\\' { 2 } else { 1 };
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;
    use crate::provider;
    use crate::provider::LaunchRequest;
    use std::collections::BTreeMap;

    #[test]
    fn every_event_that_an_agent_is_told_to_run_the_hook_for_is_known() {
        let given = BTreeMap::new();
        let request = LaunchRequest {
            session: "0b7e4c1e-9d43-4c5e-8a7e-1f5a3b2c4d5e",
            args: &[],
            given: &given,
            hook_program: "/h/codepiper",
            hook_socket: "/h/hook.sock",
            secret: "s",
            dir: "/d",
            resume: None,
            fork: false,
            cwd: "/p",
            project_settings: false,
        };
        let mut names = Vec::new();
        for provider in provider::PROVIDERS.iter().filter(|p| p.capabilities.native_hooks) {
            let launch = provider::launch(provider, &request).unwrap();
            let overlay =
                launch.files.first().map(|file| json::parse(file.text.as_bytes()).unwrap());
            let hooks = overlay.iter().filter_map(|o| o["hooks"].as_object());
            names.extend(hooks.flat_map(|hooks| hooks.keys().cloned()));
            let options = launch.args.iter().filter_map(|arg| arg.strip_prefix("--config=hooks."));
            let options = options.filter(|option| !option.starts_with("state="));
            names.extend(options.map(|option| option.split('=').next().unwrap().to_string()));
        }
        assert!(names.len() > 15 && names.contains(&"Interrupt".to_string()), "{names:?}");
        for name in names {
            assert!(kind(&name).is_some(), "{name}");
        }
    }
}
