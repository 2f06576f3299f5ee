//! Lines and JSON are two ways to write the same rules.

use super::*;
use crate::policy::rule;
use crate::policy::tests::Dice;
use serde_json::json;

fn read(text: &str) -> Value {
    rule::to_json(&parse("policy.txt", text).unwrap())
}

#[test]
fn a_line_is_a_rule() {
    for (line, want) in [
        ("allow shell git status *", json!({"action": "allow", "command": "git status *"})),
        ("deny read ~/.ssh/**", json!({"action": "deny", "read": "~/.ssh/**"})),
        ("ask write **   # all of them", json!({"action": "ask", "write": "**"})),
        ("allow tool Read Glob", json!({"action": "allow", "tool": ["Read", "Glob"]})),
        ("deny host *.evil.example", json!({"action": "deny", "host": "*.evil.example"})),
        (
            "allow shell cargo test;shell  cargo  build ; cwd sub/** ; id c ; reason why # not",
            json!({"action": "allow", "command": ["cargo test", "cargo build"], "cwd": "sub/**",
                "id": "c", "reason": "why"}),
        ),
        (
            "deny tool mcp__x ; args \"a b\" x* y ; args n 1",
            json!({"action": "deny", "tool": "mcp__x", "args": {"a b": ["x*", "y"], "n": "1"}}),
        ),
        (
            "deny shell \"a ; b  c\" ; reason \"a \\\" ; # b\"",
            json!({"action": "deny", "command": "a ; b  c", "reason": "a \" ; # b"}),
        ),
        ("deny read a#b \"c d\"", json!({"action": "deny", "read": ["a#b", "c d"]})),
        ("deny shell echo \"a b\" c", json!({"action": "deny", "command": "echo \"a b\" c"})),
    ] {
        assert_eq!(read(line), json!([want]), "{line}");
    }
    let text = "# mine\n\nallow shell ls *\n  match: ls --x  # no comment\n\n\tno-match: rm x\n\
        ask tool *\r\n";
    let want = json!([{"action": "allow", "command": "ls *", "noMatch": "rm x"},
        {"action": "ask", "tool": "*"}]);
    assert_eq!(read(&text.replace("  match: ls --x  # no comment\n", "")), want);
    let error = parse("p", text).unwrap_err().message;
    assert!(
        error.starts_with("p:4:10: \"ls --x  # no comment\": the rule is not about it"),
        "{error}"
    );
}

#[test]
fn whatever_is_not_understood_is_refused_with_line_and_column() {
    for (line, want) in [
        ("permit tool x", "2:1: \"permit\" is not allow, deny or ask"),
        ("allow", "2:6: the rule says nothing"),
        ("allow # x", "2:7: the rule says nothing"),
        ("; allow", "2:1: \"\" is not allow"),
        ("allow toool x", "2:7: unknown word \"toool\"; known are tool, shell, read"),
        ("allow tool", "2:11: nothing behind \"tool\""),
        ("allow tool x ;", "2:15: nothing behind the `;`"),
        ("allow tool x ; ; id y", "2:16: nothing behind the `;`"),
        ("allow tool x ; id a ; id b", "2:26: a second \"id\""),
        ("allow tool \"x", "2:12: a JSON string"),
        ("allow tool \"x\"y", "2:15: something sticks"),
        ("allow tool x\"y\"", "2:13: a quote within"),
        ("allow tool \"\"", "2:12: field \"tool\" has an empty pattern"),
        ("deny tool x ; read a//b", "2:20: field \"read\" has an empty name"),
        ("deny read é a/ ; read a", "2:11: field \"read\" has an empty name"),
        ("allow shell * x", "2:13: field \"command\" has"),
        ("allow shell g* x ; id y", "2:13: field \"command\" has"),
        ("deny id x", "2:1: has none of \"tool\""),
        ("deny tool x ; id first", "2:18: field \"id\" is \"first\", which an earlier"),
        ("deny tool x ; args a", "2:21: no pattern behind the field \"a\""),
        ("  matches: ls", "2:3: a line below a rule"),
        ("  no-match: x", "2:13: \"x\": the rule is about it"),
        ("  match: Read {\"a\"", "2:10: \"Read {\\\"a\\\"\": not valid JSON"),
    ] {
        let error = parse("policy.txt", &format!("deny tool * ; id first\n{line}")).unwrap_err();
        assert!(error.message.starts_with(&format!("policy.txt:{want}")), "{error} for {line}");
    }
    assert!(parse("p", "  match: x").unwrap_err().message.starts_with("p:1:3: an example without"));
    assert!(parse("p", &"deny tool *\n".repeat(limits::gate::RULES + 1)).is_err());
}

#[test]
fn rules_survive_the_way_through_lines_whatever_is_in_them() {
    let mut dice = Dice::new(31);
    let odd =
        ["a", "b c", "x;y", "#z", "a#", "\"", "\\", "é", "*", "  a  b ", "'", "[a-z]*", "-x", "ls"];
    let some = |dice: &mut Dice| -> Value {
        let list: Vec<&str> = (0..1 + dice.roll(3)).map(|_| *dice.pick(&odd)).collect();
        match list.as_slice() {
            [one] if dice.roll(2) == 0 => json!(one),
            list => json!(list),
        }
    };
    let (mut tried, mut good) = (0, 0);
    while good < 3000 && tried < 60_000 {
        tried += 1;
        let mut rule = json!({"action": *dice.pick(&["allow", "deny", "ask"])});
        for field in ["tool", "command", "read", "write", "host", "cwd", "match", "noMatch"] {
            if dice.roll(3) == 0 {
                rule[field] = some(&mut dice);
            }
        }
        if dice.roll(3) == 0 {
            rule["args"] = json!({*dice.pick(&odd): some(&mut dice), *dice.pick(&odd): "x"});
        }
        for field in ["id", "reason"] {
            if dice.roll(3) == 0 {
                rule[field] = json!(dice.pick(&odd));
            }
        }
        let Ok(rules) = rule::parse(&json!([rule])) else { continue };
        good += 1;
        let text = print(&rules);
        let (back, _) = parse_only("p", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(back, rules, "{text}");
        assert_eq!(rule::to_json(&back), rule::to_json(&rules));
    }
    assert!(good > 1000, "only {good} of {tried} were rules: this test sees little");
}
