//! `policy default`: what becomes of a call that no rule is about.

use crate::base::error::Result;
use crate::cli::Invocation;
use crate::cli::text;
use serde_json::json;

/// Shows the default action, or sets it.
pub fn run(call: &Invocation<'_>) -> Result<i32> {
    const TARGET: &str = "/settings/daemon";
    let body = match call.args.words.first() {
        None => call.client.get(TARGET)?,
        Some(action) => call.client.put(TARGET, &json!({"defaultPolicyAction": action}))?,
    };
    let action = &body["settings"]["defaultPolicyAction"];
    match call.out.json {
        true => call.out.body(&body)?,
        false => {
            let action = text::clean(action.as_str().unwrap_or("?"));
            call.out.line(&format!("a call that no rule is about: {action}"))?;
        }
    }
    Ok(0)
}
