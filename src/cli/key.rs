//! `key`: the master key that everything secret in the database is sealed under.

use crate::base::error::Result;
use crate::cli::Invocation;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::describe::word;
use crate::cli::text;
use crate::cli::verb;
use crate::cli::verb::Verb;
use crate::limits;
use serde_json::json;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "key",
    aliases: &[],
    group: Group::Daemon,
    usage: "VERB ...",
    about: "Change the key that secrets in the database are sealed under",
    options: &[],
    words: Words::Verbs(&[Verb {
        name: "rotate",
        aliases: &[],
        usage: "",
        about: "Make a new master key and seal everything anew under it",
        options: &[],
        words: (0, 0),
        run: rotate,
    }]),
    details: "Env sets and the authenticator's secret are sealed under master.key in the state\n\
              directory. rotate makes another, seals all of it anew, and overwrites and\n\
              removes the old key at the end. Nothing is lost by it: recovery codes and known\n\
              browsers go on. Whatever ends it on the way, everything still opens, and the\n\
              next start of the daemon brings it to its end. Copies of the database from\n\
              before open with the old key only: make a new backup of database and key.",
    examples: &["codepiper key rotate"],
    run: verb::run,
}];

fn rotate(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.json("POST", "/key/rotate", Some(&json!({})), limits::PROVE_WAIT)?;
    if call.out.json {
        return call.out.body(&body).map(|()| 0);
    }
    let (id, values) = (text::clean(word(&body, "keyId")), &body["values"]);
    let how = match body["resumed"] == json!(true) {
        true => "brought the change of the master key to its end",
        false => "changed the master key",
    };
    call.out.line(&format!("{how}: {values} values are sealed under {id}, the old key is gone"))?;
    eprintln!("codepiper: make a new backup of the database together with master.key");
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    #[test]
    fn rotate_asks_its_own_route() {
        let fake = Fake::api(|_, _| (200, r#"{"keyId":"ab","values":3,"resumed":false}"#.into()));
        assert_eq!(verb::run(&invocation(&fake, &["key", "rotate"])).unwrap(), 0);
        assert_eq!(fake.lines(), ["POST /key/rotate"]);
    }
}
