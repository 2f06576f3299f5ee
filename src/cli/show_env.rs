//! What `start` tells of a session's variables: those that it would pass, and those left out. Knows
//! names; values do not come here.

use crate::base::error::Result;
use crate::base::secret::wipe;
use crate::cli::Invocation;
use crate::cli::describe::word;
use crate::cli::out::cell;
use crate::cli::policy_words::items;
use crate::cli::text;
use serde_json::Map;
use serde_json::Value;

/// Lists what a start would pass, by name. Values do not even leave this process.
pub fn show(call: &Invocation<'_>, mut body: Map<String, Value>) -> Result<i32> {
    if let Some(env) = body.get_mut("env") {
        wipe(env);
    }
    let answer = call.client.post("/sessions/env", &Value::Object(body))?;
    if call.out.json {
        return call.out.body(&answer).map(|()| 0);
    }
    let row = |one: &Value| vec![cell(word(one, "name")), cell(word(one, "from"))];
    let rows: Vec<_> = items(&answer, "passed").iter().map(row).collect();
    call.out.table(&["PASSED", "FROM"], &rows, 1)?;
    let row = |one: &Value| ["name", "from", "why"].map(|name| cell(word(one, name))).into();
    let rows: Vec<_> = items(&answer, "left").iter().map(row).collect();
    if !rows.is_empty() {
        call.out.line("")?;
        call.out.table(&["LEFT OUT", "WHERE IT IS", "WHY"], &rows, 2)?;
    }
    Ok(0)
}

/// Says which variables of its env sets a session does not get.
pub fn note_dropped(session: &Value) {
    for one in session["droppedVars"].as_array().into_iter().flatten() {
        let (name, set) = (text::clean(word(one, "name")), text::clean(word(one, "envSet")));
        eprintln!(
            "codepiper: {name} of the env set {set} is left out: it bills by token, and this \
             session is billed by subscription (-b api keeps it)"
        );
    }
}
