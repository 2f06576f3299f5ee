//! `policy load`: a file becomes a policy, or the policy of that name becomes what the file says.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::describe::word;
use crate::cli::policy_words;
use crate::cli::policy_words::items;
use crate::cli::policy_words::summary;
use crate::cli::rules;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::path::Path;

const KNOWN: [&str; 6] = ["name", "description", "priority", "enabled", "scope", "rules"];

/// Loads the file and says what became different.
pub fn load(call: &Invocation<'_>) -> Result<i32> {
    let file = &call.args.words[0];
    let read = rules::read_file(file, std::io::stdin().lock())?;
    let mut wanted = described(read, file, call.args.value("--name"))?;
    let session = call.args.value("--session");
    let query = session.map_or("null".to_string(), encode);
    let known = call.client.get(&format!("/policies?sessionId={query}"))?;
    let name = wanted["name"].clone();
    let before = items(&known, "policies").iter().find(|one| one["name"] == name);
    let answer = match before {
        None => {
            if let Some(session) = session {
                wanted.insert("sessionId".into(), json!(session));
            }
            call.client.post("/policies", &Value::Object(wanted))?
        }
        Some(before) => {
            // Whoever changed it since we looked is not overwritten.
            wanted.insert("version".into(), before["version"].clone());
            call.client.put(&policy_words::path(word(before, "id")), &Value::Object(wanted))?
        }
    };
    if call.out.json {
        return call.out.body(&answer).map(|()| 0);
    }
    let after = &answer["policy"];
    let Some(before) = before else {
        call.out.line(&format!("made {}", summary(after)))?;
        return policy_words::print_rules(call, after).map(|()| 0);
    };
    let lines = rules::changes(items(before, "rules"), items(after, "rules"));
    let count = |mark: char| lines.iter().filter(|line| line.starts_with(mark)).count();
    let what = match (lines.is_empty(), before["rules"] == after["rules"]) {
        (false, _) => {
            format!("{} added, {} removed, {} changed", count('+'), count('-'), count('~'))
        }
        (true, true) => "the rules are as they were".to_string(),
        (true, false) => "the same rules in another order".to_string(),
    };
    call.out.line(&format!("loaded {}; {what}", summary(after)))?;
    lines.iter().try_for_each(|line| call.out.line(line))?;
    Ok(0)
}

/// What a file says of its policy. A list of rules takes its name from `name` or from the file.
fn described(read: Value, file: &str, name: Option<&str>) -> Result<Map<String, Value>> {
    let mut wanted = match read {
        Value::Object(map) => map,
        rules => Map::from_iter([("rules".to_string(), rules)]),
    };
    let whole = Value::Object(wanted.clone());
    let fields = Fields::of(&whole)?;
    let of_file = |error: Error| Error { message: format!("{file}: {}", error.message), ..error };
    fields.only(&KNOWN).map_err(of_file)?;
    if fields.get("rules").is_none() {
        return Err(Error::invalid(format!("{file}: field \"rules\" is missing")));
    }
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
    let named = fields.text("name").map_err(of_file)?;
    match name.or(named).or(stem.filter(|stem| *stem != "-")) {
        Some(name) => wanted.insert("name".into(), json!(name.trim())),
        None => return Err(Error::invalid("say what to call the policy with --name NAME")),
    };
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Code;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    #[test]
    fn a_name_comes_from_the_option_the_file_or_its_path() {
        let name = |read: Value, file: &str, name: Option<&str>| {
            described(read, file, name).map(|wanted| wanted["name"].clone())
        };
        let object = json!({"name": "inside", "rules": []});
        assert_eq!(name(object.clone(), "/a/b.json", None).unwrap(), "inside");
        assert_eq!(name(object, "/a/b.json", Some("said")).unwrap(), "said");
        assert_eq!(name(json!([]), "/a/strict.rules.json", None).unwrap(), "strict.rules");
        assert_eq!(name(json!([]), "-", Some("said")).unwrap(), "said");
        for (read, file, words) in [
            (json!([]), "-", "--name"),
            (json!({"name": "a", "rule": []}), "f", "f: unknown field \"rule\""),
            (json!({"name": "a"}), "f", "f: field \"rules\" is missing"),
            (json!({"name": 7, "rules": []}), "f", "f: field \"name\" must be"),
        ] {
            let error = name(read, file, None).unwrap_err();
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.contains(words), "{error}");
        }
    }

    #[test]
    fn the_policy_of_that_name_is_brought_to_what_the_file_says_unless_it_changed_meanwhile() {
        let path = std::env::temp_dir().join(format!("cp-load-{}.json", std::process::id()));
        std::fs::write(&path, r#"{"name":"mine","rules":[{"action":"ask"}]}"#).unwrap();
        let file = path.to_str().unwrap();
        let known = r#"{"policies":[{"id":"p9","name":"mine","version":4,"rules":[]}]}"#;
        let fake = Fake::api(move |line, body| match line.starts_with("GET") {
            true => (200, known.to_string()),
            false => {
                let body: Value = serde_json::from_str(body).unwrap();
                assert_eq!(body["version"], 4, "{body}");
                (200, json!({"policy": {"id": "p9", "rules": body["rules"]}}).to_string())
            }
        });
        assert_eq!(load(&invocation(&fake, &["policy", "load", file])).unwrap(), 0);
        assert_eq!(fake.lines(), ["GET /policies?sessionId=null", "PUT /policies/p9"]);
        let other = ["policy", "load", file, "--name", "new", "--session", "s1"];
        let fake = Fake::api(move |line, body| match line.starts_with("GET") {
            true => (200, known.to_string()),
            false => {
                let body: Value = serde_json::from_str(body).unwrap();
                assert_eq!((&body["name"], &body["sessionId"]), (&json!("new"), &json!("s1")));
                (201, json!({"policy": {"id": "p1"}}).to_string())
            }
        });
        assert_eq!(load(&invocation(&fake, &other)).unwrap(), 0);
        assert_eq!(fake.lines(), ["GET /policies?sessionId=s1", "POST /policies"]);
        std::fs::remove_file(&path).unwrap();
    }
}
