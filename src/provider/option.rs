//! The option `--model`, which all agents share: found and replaced in an agent's arguments. Knows
//! nothing of which models there are.

/// The model that arguments ask for, as the last `--model` says.
pub fn model_of(args: &[String]) -> Option<&str> {
    let named = args.iter().enumerate().rev().find(|(_, arg)| is_model(arg))?;
    match named.1.split_once('=') {
        Some((_, model)) => Some(model),
        None => args.get(named.0 + 1).map(String::as_str),
    }
}

/// The same arguments with this model and no other.
pub fn with_model(args: &[String], model: &str) -> Vec<String> {
    let mut rest = args.iter();
    let mut changed = vec!["--model".to_string(), model.to_string()];
    while let Some(arg) = rest.next() {
        match is_model(arg) {
            false => changed.push(arg.clone()),
            true if arg.contains('=') => {}
            true => drop(rest.next()),
        }
    }
    changed
}

fn is_model(arg: &str) -> bool {
    arg == "--model" || arg.starts_with("--model=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_once_whatever_was_named_before() {
        for (line, before) in [
            ("--verbose", None),
            ("--model opus --verbose", Some("opus")),
            ("--model=opus --verbose --model haiku", Some("haiku")),
            ("--verbose --model", None),
        ] {
            let args: Vec<String> = line.split(' ').map(String::from).collect();
            assert_eq!(model_of(&args), before, "{line}");
            assert_eq!(with_model(&args, "sonnet").join(" "), "--model sonnet --verbose", "{line}");
        }
    }
}
