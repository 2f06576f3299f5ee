//! Nonsense, the same in each run: nothing panics, takes long, or is allowed unawares.

use super::*;
use crate::base::seeded::rounds;
use crate::policy::shell::lex;
use std::time::Duration;
use std::time::Instant;

const PIECES: &[&str] = &[
    "a",
    "b",
    "-x",
    "ls",
    "cat",
    "cd",
    "..",
    "/",
    "'",
    "\"",
    "\\",
    "$",
    "`",
    "*",
    "?",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    "&",
    "|",
    ";",
    "\n",
    " ",
    "\t",
    "#",
    "!",
    "~",
    "=",
    "^",
    "%",
    "@",
    ":",
    "/dev/null",
    "2>&1",
    "&&",
    "||",
    "<<'E'",
    "\nE\n",
    "if",
    "é",
    "\u{202e}",
    "\0",
    "\r",
    "日本",
];

fn nonsense(dice: &mut Dice, pieces: &[&str], most: usize) -> String {
    (0..dice.roll(most)).map(|_| *dice.pick(pieces)).collect()
}

#[test]
fn a_command_of_nonsense_is_never_allowed_with_anything_but_words_in_it() {
    let everything = policies(&rules(json!([{"action": "allow", "tool": "*"}])));
    let (mut dice, mut allowed, tried) = (Dice::new(7), 0, rounds(30_000));
    for _ in 0..tried {
        let text = nonsense(&mut dice, PIECES, 14);
        let verdict = evaluate(&everything, &bash(&text), &PLACE);
        if verdict.action == Action::Allow {
            allowed += 1;
            // Outside of quotes, what is left is words, operators and safe redirections.
            let bare = unquoted(&without_documents(&text));
            let bare = bare.replace("$?", "");
            let odd = ["$", "`", "(", ")", "\0", "\u{202e}", "<<<", ">(", "<("];
            assert!(odd.iter().all(|o| !bare.contains(o)), "{text:?} is allowed");
        }
    }
    assert!(allowed > 20, "only {allowed} of {tried} were words: this test sees nothing");
}

/// The text without the bodies of here documents whose quoted word makes them plain text.
fn without_documents(text: &str) -> String {
    let Some((before, rest)) = text.split_once("<<'E'") else { return text.to_string() };
    let body = rest.split_once('\n').and_then(|(line, body)| {
        let after = body.strip_prefix("E\n").or(body.split_once("\nE\n").map(|(_, after)| after));
        after.map(|after| format!("{before}{line}\n{}", without_documents(after)))
    });
    body.unwrap_or_else(|| text.to_string())
}

/// The text without comments, quoted pieces and characters behind a backslash.
fn unquoted(text: &str) -> String {
    let (mut out, mut chars, mut quote) = (String::new(), text.chars(), None);
    let mut start = true;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '#') if start => {
                // A comment ends with its line.
                while chars.next().is_some_and(|c| c != '\n') {}
            }
            (None, '\'' | '"') => quote = Some(c),
            // A line that goes on is as if it had not ended.
            (None, '\\') if chars.as_str().starts_with('\n') => {
                chars.next();
                continue;
            }
            (None | Some('"'), '\\') => drop(chars.next()),
            (Some(open), c) if open == c => quote = None,
            (None, c) => out.push(c),
            _ => {}
        }
        start = quote.is_none() && matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '#');
    }
    out
}

#[test]
fn what_is_slipped_into_a_harmless_command_is_never_allowed() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/policy");
    let text = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let policies = policies(&rules(json::parse(text("developer_policy.json").as_bytes()).unwrap()));
    let place = Place { project: "/home/u/proj", home: "/home/u", own: &[], resolve: &normal };
    let is_allowed = |command: &str| {
        let call = call("Bash", json!({"command": command}), "/home/u/proj");
        evaluate(&policies, &call, &place).action == Action::Allow
    };
    let lines = text("real_commands.jsonl");
    let lines = lines.lines().map(|line| json::parse(line.as_bytes()).unwrap());
    let commands = lines.map(|line| line["command"].as_str().unwrap().to_string());
    let harmless: Vec<String> = commands.filter(|c| !c.contains("<<") && is_allowed(c)).collect();
    let (mut dice, mut slipped) = (Dice::new(13), 0);
    let pieces = ["$x", "`x`", "$(x)", "(", ")", "&x ", "<(x)", "$'x'", "\u{202e}"];
    for _ in 0..rounds(6_000) {
        let command = dice.pick(&harmless);
        let mut at = dice.roll(command.len() + 1);
        while !command.is_char_boundary(at) {
            at -= 1;
        }
        let piece = dice.pick(&pieces);
        let odd = format!("{}{piece}{}", &command[..at], &command[at..]);
        if is_allowed(&odd) {
            slipped += 1;
            let bare = unquoted(&odd);
            let quoted = bare.matches(piece).count() == unquoted(command).matches(piece).count();
            assert!(quoted || piece.starts_with('&') && odd.contains("&&"), "{odd:?} is allowed");
        }
    }
    println!("{slipped} of 6000 pieces stood in quotes");
    assert!(slipped > 50, "nothing was ever allowed: this test sees nothing");
    let takes_all = ["echo", ":", "true", "false"];
    for command in &harmless {
        let Ok(list) = lex::split(command) else { continue };
        let last = list.last().unwrap();
        let program = last.words[0].as_str();
        if last.words.iter().any(|word| word == "--") || takes_all.contains(&program) {
            continue;
        }
        let odd = format!("{} --no-such-option", command.trim_end());
        assert!(command.contains('#') || !is_allowed(&odd), "{odd:?} is allowed");
    }
}

#[test]
fn a_patch_of_nonsense_never_names_fewer_files_than_it_has_marks() {
    let pieces = [
        "*** Begin Patch\n",
        "*** End Patch",
        "*** Add File: a\n",
        "*** Update File: b\n",
        "*** Delete File: c\n",
        "*** Move to: d\n",
        "@@ x\n",
        "+x\n",
        "-x\n",
        " x\n",
        "x\n",
        "\n",
        "*** End of File\n",
        " *** Delete File: e\n",
        "***",
        "*",
        "\r\n",
        "+*** Add File: f\n",
    ];
    let (mut dice, mut good) = (Dice::new(9), 0);
    for _ in 0..rounds(20_000) {
        let middle = nonsense(&mut dice, &pieces, 7);
        for text in [middle.clone(), format!("{}{middle}{}", pieces[0], pieces[1])] {
            if let Ok(files) = patch::files(&text) {
                good += 1;
                let marks = text.lines().filter(|l| l.starts_with("*** ") && l.contains(": "));
                assert_eq!(files.len(), marks.count(), "{text:?}");
                assert!(!text.contains("\n *** "), "{text:?}");
            }
        }
    }
    assert!(good > 20, "only {good} were patches: this test sees nothing");
}

#[test]
fn words_are_those_that_bash_passes_on() {
    let pieces = [
        "a",
        "b",
        "-x",
        "'",
        "\"",
        "\\",
        " ",
        " ",
        "\n",
        ";",
        "&&",
        "||",
        "#",
        "%",
        ".",
        "/",
        "=",
        " 2>&1",
        ">/dev/null",
        "\\\n",
        "'c d'",
        "\"e  f\"",
        "\\ ",
        "\\\"",
        "\\'",
        "~",
        "é",
        ",",
        "@",
        "*",
        "?",
        "[a]",
        "{a,b}",
        "{}",
    ];
    let (mut dice, mut texts) = (Dice::new(11), Vec::new());
    while texts.len() < 1500 {
        let text = nonsense(&mut dice, &pieces, 16);
        if lex::split(&text).is_ok_and(|list| list.iter().all(is_alone)) {
            texts.push(text);
        }
    }
    // Each program is unknown to bash, which then calls this. It writes past all redirections.
    let mut script = "PATH=/nowhere; HOME='~'; set -f\n\
         command_not_found_handle() { printf '<%s>' \"$@\" >&9; printf . >&9; }\n"
        .to_string();
    for text in &texts {
        script +=
            &format!("eval -- '{}'\nprintf '\\n%s\\n' END >&9\n", text.replace('\'', "'\\''"));
    }
    let mut bash = std::process::Command::new("bash");
    let run = bash.args(["-c", "exec 9>&1; . /dev/stdin"]).stdin(std::process::Stdio::piped());
    let mut child = run.stdout(std::process::Stdio::piped()).spawn().expect("bash");
    let mut stdin = child.stdin.take().unwrap();
    let feed = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, script.as_bytes()));
    let out = child.wait_with_output().unwrap();
    feed.join().unwrap().unwrap();
    let out = String::from_utf8(out.stdout).unwrap();
    let said: Vec<&str> = out.split("\nEND\n").collect();
    assert_eq!(said.len(), texts.len() + 1, "bash has run all of it");
    for (text, said) in texts.iter().zip(said) {
        assert_eq!(expected(text), said, "{text:?}");
    }
}

/// Whether bash calls the handler for it, which it does for no path and none of its own commands;
/// and one after the other, which it does not in a pipe.
fn is_alone(simple: &lex::Simple<'_>) -> bool {
    let program = simple.words[0].as_str();
    let own = program.is_empty() || program == "." || program.starts_with('%');
    !own && !program.contains('/') && simple.link != lex::Link::Pipe
}

/// What runs if every command goes well: nothing behind `||`.
fn expected(text: &str) -> String {
    let list = lex::split(text).unwrap();
    let runs = list.iter().filter(|simple| simple.link != lex::Link::Or);
    let many = |simple: &lex::Simple<'_>, at: usize| {
        let many = simple.many.iter().find(|(place, _)| *place == at);
        let mut many = many.map_or(vec![simple.words[at].clone()], |(_, many)| many.clone());
        // Behind what braces stand for comes the word as a shell without braces takes it.
        many.truncate((many.len() - 1).max(1));
        many
    };
    let shown = |simple: &lex::Simple<'_>| {
        let words = (0..simple.words.len()).flat_map(|at| many(simple, at));
        words.map(|word| format!("<{word}>")).collect::<String>() + "."
    };
    runs.map(shown).collect()
}

#[test]
fn a_thousand_rules_take_far_less_than_a_millisecond() {
    let many = |n: usize| {
        let rule = |i: usize| match i % 5 {
            0 => json!({"action": "deny", "command": format!("tool-{i} *")}),
            1 => json!({"action": "allow", "command": format!("git sub-{i} *")}),
            2 => json!({"action": "ask", "read": format!("/home/u/dir-{i}/**")}),
            3 => json!({"action": "allow", "tool": format!("mcp__server-{i}__*")}),
            _ => json!({"action": "deny", "write": format!("**/*.ending-{i}")}),
        };
        policies(&rules((0..n).map(rule).collect()))
    };
    let policies = many(1000);
    let calls = [bash("cd src && git status | head -20; cat a/b/c.rs"), bash("tool-999 x"), {
        call("Write", json!({"file_path": "/p/src/a.rs"}), "/p")
    }];
    let (busy, mut times) = (on_cpu(), Vec::new());
    for i in 0..900 {
        let begun = Instant::now();
        evaluate(&policies, &calls[i % 3], &PLACE);
        times.push(begun.elapsed());
    }
    let mean = (on_cpu() - busy) / 900;
    times.sort();
    println!("1,000 rules: mean {mean:?} of CPU; p50 {:?}, p99 {:?}", times[450], times[891]);
    assert!(mean < Duration::from_millis(1), "{mean:?}");
}

/// The time that this thread has been running, whatever else the machine does meanwhile.
fn on_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().expect("nanoseconds"))
}

#[test]
fn the_worst_that_fits_into_a_call_is_asked_soon() {
    let deny =
        |i: usize| json!({"action": "deny", "command": format!("x{i} {}c*a", "*a".repeat(90))});
    let slow = policies(&rules((0..limits::gate::RULES).map(deny).collect()));
    let long = "x0 ".to_string() + &"a".repeat(limits::gate::COMMAND_BYTES - 3);
    let many = vec!["x1 aaaaaaaaaaaaaaaa"; limits::gate::COMMAND_PARTS].join(";");
    let deep = call("Read", json!({"file_path": "a/".repeat(2000)}), "/p");
    for call in [bash(&long), bash(&many), deep, bash(&"'".repeat(limits::gate::COMMAND_BYTES))] {
        let busy = on_cpu();
        let verdict = evaluate(&slow, &call, &PLACE);
        let took = on_cpu() - busy;
        println!("{took:?}: {}", verdict.reason);
        assert_eq!(verdict.action, Action::Ask);
        assert!(took < Duration::from_millis(500), "{took:?}: {}", verdict.reason);
    }
}
