//! Commands that type into a session: `send` and `keys`.

use crate::base::error::{Context, Error, Result};
use crate::cli::Invocation;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::text;
use crate::limits;
use serde_json::json;
use std::io::Read;

/// The commands of this file.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "send",
        aliases: &[],
        group: Group::Terminal,
        usage: "[--wait] [--no-newline] ID TEXT...|-",
        about: "Type text into a session, and Enter",
        options: &[
            switch(&["--wait"], "return when the session is idle again"),
            switch(&["--no-newline"], "no Enter behind the text"),
        ],
        words: Words::Text,
        details: "Options stand before the id: every word behind it is text, dashes or not.\n\
                  The words are joined by spaces. A lone - reads the text from standard\n\
                  input; one line end at its end is left out. Text of several lines arrives\n\
                  as one paste.",
        examples: &[
            "codepiper send 3f2a91c0 run the tests",
            "codepiper send --wait build - fix it, please",
            "git diff | codepiper send review -",
        ],
        run: send,
    },
    Command {
        name: "keys",
        aliases: &[],
        group: Group::Terminal,
        usage: "ID KEY...",
        about: "Press keys in a session",
        options: &[],
        words: Words::Count(2, usize::MAX),
        details: "Keys: single characters, enter, tab, escape, space, backspace, delete,\n\
                  insert, up, down, left, right, home, end, pageup, pagedown, f1 to f12;\n\
                  with ctrl+, alt+ or shift+ before them. An unknown key is refused before any is\n\
                  pressed.",
        examples: &["codepiper keys 3f2a91c0 ctrl+c", "codepiper keys build escape : q enter"],
        run: keys,
    },
];

fn send(call: &Invocation<'_>) -> Result<i32> {
    let words = &call.args.words;
    let enter = !call.args.has("--no-newline");
    let text = match &words[1..] {
        [dash] if dash == "-" && !call.args.dashes => piped_text(std::io::stdin().lock(), enter)?,
        words => words.join(" "),
    };
    let waits = call.args.has("--wait");
    let body = json!({"text": text, "newline": enter, "wait": waits});
    let wait = match waits {
        true => limits::PARK_WAIT + limits::CLIENT_WAIT,
        false => limits::CLIENT_WAIT + limits::INPUT_WAIT,
    };
    let target = session_path(&words[0], "/send");
    let answer = call.client.json("POST", &target, Some(&body), wait)?;
    if call.out.json {
        call.out.body(&answer)?;
    }
    Ok(0)
}

/// All of `input`; with an Enter to follow, the line end that every pipe brings is left out.
fn piped_text(input: impl Read, enter: bool) -> Result<String> {
    // A character has at most four bytes; one more byte than fits shows that it is too much.
    let most = 4 * limits::SEND_CHARS as u64 + 1;
    let mut bytes = Vec::new();
    let read = input.take(most).read_to_end(&mut bytes);
    read.internal(|| "cannot read standard input".into())?;
    let mut text = String::from_utf8(bytes)
        .map_err(|_| Error::invalid("standard input is not UTF-8 text; send takes only that"))?;
    if enter && text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.chars().count() > limits::SEND_CHARS {
        let most = limits::SEND_CHARS;
        return Err(Error::invalid(format!("more than {most} characters; send a file's name")));
    }
    Ok(text)
}

fn keys(call: &Invocation<'_>) -> Result<i32> {
    let (id, keys) = (&call.args.words[0], &call.args.words[1..]);
    let answer = call.client.post(&session_path(id, "/keys"), &json!({"keys": keys}))?;
    match call.out.json {
        true => call.out.body(&answer)?,
        false => call.out.line(&format!("pressed {}", text::clean(&keys.join(" "))))?,
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;
    use serde_json::Value;

    fn check(line: &[&str]) -> Value {
        let fake = Fake::api(|_, _| (200, r#"{"success":true}"#.into()));
        let call = invocation(&fake, line);
        assert_eq!(send(&call).unwrap(), 0);
        let request = fake.request();
        serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    #[test]
    fn words_are_joined_and_dashes_survive() {
        let expected = json!({"text": "ls -la --help", "newline": true, "wait": false});
        assert_eq!(check(&["send", "id", "ls", "-la", "--help"]), expected);
        let expected = json!({"text": "-", "newline": false, "wait": true});
        assert_eq!(check(&["send", "--wait", "--no-newline", "id", "--", "-"]), expected);
    }

    #[test]
    fn piped_text_loses_one_line_end_when_enter_follows() {
        let check = |bytes: &[u8], enter| piped_text(bytes, enter);
        assert_eq!(check(b"a\nb\r\n", true).unwrap(), "a\nb");
        assert_eq!(check(b"a\n\n", true).unwrap(), "a\n");
        assert_eq!(check(b"a\n", false).unwrap(), "a\n");
        assert!(check(b"\xff", true).unwrap_err().message.contains("UTF-8"));
        let long = "x".repeat(limits::SEND_CHARS + 1);
        assert!(check(long.as_bytes(), true).unwrap_err().message.contains("more than"));
    }
}
