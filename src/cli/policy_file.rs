//! `policy test`: the examples in files of rules. Needs no daemon.

use crate::base::error::Result;
use crate::cli::Invocation;
use crate::cli::out::Color;
use crate::cli::rules;
use crate::cli::text;
use crate::cli::verb::Verb;
use crate::policy::example;
use crate::policy::example::Outcome;
use crate::policy::rule::Rule;
use crate::policy::source;
use serde_json::Value;
use serde_json::json;

/// The verb of this file.
pub const TEST: Verb = Verb {
    name: "test",
    aliases: &[],
    usage: "FILE|-",
    about: "Judge the examples in a file of rules; exit 1 where one is wrong",
    options: &[],
    words: (1, 1),
    run,
};

fn run(call: &Invocation<'_>) -> Result<i32> {
    let (shown, bytes) = rules::read_named(&call.args.words[0])?;
    let list = source::rules_only(shown, &bytes)?;
    let outcomes = example::run(&list);
    let failed = outcomes.iter().filter(|outcome| outcome.wrong.is_some()).count();
    let code = i32::from(failed > 0);
    if call.out.json {
        let all: Vec<Value> = outcomes.iter().map(|one| shape(one, &list)).collect();
        let body = json!({"file": shown, "rules": list.len(), "failed": failed, "examples": all});
        return call.out.body(&body).map(|()| code);
    }
    for one in &outcomes {
        let sign = if one.matches { "match" } else { "no-match" };
        let (rule, example) = (name(one, &list), text::clean(&one.text));
        let line = match &one.wrong {
            None => format!("ok    {rule}  {sign}: {example}"),
            Some(what) => {
                let mark = call.out.paint(Color::Red, "FAIL");
                format!("{mark}  {rule}  {sign}: {example}  ({})", text::clean(what))
            }
        };
        call.out.line(&line)?;
    }
    let (rules, examples) = (list.len(), outcomes.len());
    let shown = text::clean(shown);
    call.out.line(&format!("{shown}: {rules} rules, {examples} examples, {failed} failed"))?;
    Ok(code)
}

fn name(outcome: &Outcome, rules: &[Rule]) -> String {
    let id = rules.get(outcome.rule - 1).and_then(|rule| rule.id.as_deref());
    id.map_or_else(|| format!("rule {}", outcome.rule), text::clean)
}

fn shape(outcome: &Outcome, rules: &[Rule]) -> Value {
    json!({
        "rule": name(outcome, rules),
        "example": outcome.text,
        "match": outcome.matches,
        "ok": outcome.wrong.is_none(),
        "problem": outcome.wrong,
    })
}
