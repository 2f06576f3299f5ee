//! Commands that type into a session: `send`, `keys` and `slash`.

use crate::base::error::{Code, Context, Error, Result};
use crate::cli::Invocation;
use crate::cli::client;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::text;
use crate::limits;
use serde_json::Value;
use serde_json::json;
use std::io::Read;
use std::time::Duration;

/// The commands of this file.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "send",
        aliases: &[],
        group: Group::Terminal,
        usage: "[--queue] [--wait] [--no-newline] ID TEXT...|-",
        about: "Type text into a session, and Enter",
        options: &[
            switch(&["--queue"], "wait until the agent is idle, then type"),
            switch(&["--wait"], "return when the session is idle again"),
            switch(&["--no-newline"], "no Enter behind the text"),
        ],
        words: Words::Text,
        details: "Options stand before the id: every word behind it is text, dashes or not.\n\
                  The words are joined by spaces. A lone - reads the text from standard\n\
                  input; one line end at its end is left out. Text of several lines arrives\n\
                  as one paste.\n\
                  An agent that is just starting gets the text when it is up. While it waits\n\
                  for an answer, nothing is typed: Enter would give that answer. With --queue\n\
                  the text waits for the end of that too; several go one after the other. It\n\
                  waits in this command: end it (Ctrl-C), and the text is not typed.",
        examples: &[
            "codepiper send 3f2a91c0 run the tests",
            "codepiper send --queue --wait build - fix it, please",
            "git diff | codepiper send review -",
        ],
        run: send,
    },
    Command {
        name: "keys",
        aliases: &[],
        group: Group::Terminal,
        usage: "[--at-dialog] ID KEY...",
        about: "Press keys in a session",
        options: &[switch(&["--at-dialog"], "answer what the agent asks, and only then")],
        words: Words::Count(2, usize::MAX),
        details: "Keys: single characters, enter, tab, escape, space, backspace, delete,\n\
                  insert, up, down, left, right, home, end, pageup, pagedown, f1 to f12;\n\
                  with ctrl+, alt+ or shift+ before them. An unknown key is refused before any is\n\
                  pressed. While an agent waits for an answer, keys are refused: a script would\n\
                  give it blindly. --at-dialog says that you have seen the question; it is an\n\
                  error when there is none any more, and an event of the session.",
        examples: &[
            "codepiper keys 3f2a91c0 ctrl+c",
            "codepiper keys build escape : q enter",
            "codepiper keys --at-dialog build 1",
        ],
        run: keys,
    },
    Command {
        name: "slash",
        aliases: &[],
        group: Group::Terminal,
        usage: "[--queue] ID COMMAND [ARGS...]",
        about: "Give an agent one of its own commands",
        options: &[switch(&["--queue"], "wait until the agent is idle, then type")],
        words: Words::Text,
        details: "Types /COMMAND ARGS and Enter, only to an agent that is idle. What the\n\
                  commands do is the agent's matter; it also completes a shortened name. A\n\
                  command may open a dialog in its terminal: codepiper attach ID.",
        examples: &["codepiper slash build compact", "codepiper slash --queue build clear"],
        run: slash,
    },
];

fn send(call: &Invocation<'_>) -> Result<i32> {
    let words = &call.args.words;
    let enter = !call.args.has("--no-newline");
    let text = match &words[1..] {
        [dash] if dash == "-" && !call.args.dashes => piped_text(std::io::stdin().lock(), enter)?,
        words => words.join(" "),
    };
    let (waits, queue) = (call.args.has("--wait"), call.args.has("--queue"));
    let body = json!({"text": text, "newline": enter, "wait": waits, "queue": queue});
    let answer = typed(call, &words[0], "/send", &body, waits)?;
    if call.out.json {
        call.out.body(&answer)?;
    }
    Ok(0)
}

/// A request that is answered once its input is typed, with `waits` once its turn is over.
pub fn typed(
    call: &Invocation<'_>,
    id: &str,
    route: &str,
    body: &Value,
    waits: bool,
) -> Result<Value> {
    let mut wait = limits::gate::CLIENT_WAIT + limits::AGENT_UP + limits::INPUT_WAIT;
    for parks in [waits, body["queue"] == true] {
        wait += if parks { limits::PARK_WAIT } else { Duration::ZERO };
    }
    let answer = call.client.json("POST", &session_path(id, route), Some(body), wait);
    answer.map_err(|error| match error.code {
        Code::Unreachable if error.message == client::LOST => {
            let text = "the daemon went away; whether the input was typed is not known, look \
                        at the terminal before you send it again";
            Error::new(Code::Unreachable, text)
        }
        _ => error,
    })
}

fn slash(call: &Invocation<'_>) -> Result<i32> {
    let words = &call.args.words;
    let (command, args) = (&words[1], words[2..].join(" "));
    let body = json!({"command": command, "args": args, "queue": call.args.has("--queue")});
    let answer = typed(call, &words[0], "/slash", &body, false)?;
    if call.out.json {
        call.out.body(&answer)?;
    }
    Ok(0)
}

/// All of `input`; with an Enter to follow, the line end that every pipe brings is left out.
pub fn piped_text(input: impl Read, enter: bool) -> Result<String> {
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
    let mut body = json!({"keys": keys});
    if call.args.has("--at-dialog") {
        body["atDialog"] = json!(true);
    }
    let answer = typed(call, id, "/keys", &body, false)?;
    call.out.told(&answer, &format!("pressed {}", text::clean(&keys.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn check(line: &[&str]) -> Value {
        let fake = Fake::api(|_, _| (200, r#"{"success":true}"#.into()));
        let call = invocation(&fake, line);
        let run = COMMANDS.iter().find(|c| c.name == line[0]).unwrap().run;
        assert_eq!(run(&call).unwrap(), 0);
        let request = fake.request();
        assert!(request.starts_with(&format!("POST /sessions/id/{} ", line[0])), "{request}");
        serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    #[test]
    fn words_are_joined_and_dashes_survive() {
        let send = |text: &str, newline, wait, queue| {
            let flags = [("newline", newline), ("wait", wait), ("queue", queue)];
            let mut body = json!({"text": text});
            flags.iter().for_each(|(name, set)| body[name] = json!(set));
            body
        };
        let expected = send("ls -la --help", true, false, false);
        assert_eq!(check(&["send", "id", "ls", "-la", "--help"]), expected);
        let expected = send("-", false, true, true);
        let line = ["send", "--wait", "--queue", "--no-newline", "id", "--", "-"];
        assert_eq!(check(&line), expected);
        let expected = json!({"command": "compact", "args": "keep -x", "queue": false});
        assert_eq!(check(&["slash", "id", "compact", "keep", "-x"]), expected);
        assert_eq!(check(&["keys", "id", "1"]), json!({"keys": ["1"]}));
        let expected = json!({"keys": ["1"], "atDialog": true});
        assert_eq!(check(&["keys", "--at-dialog", "id", "1"]), expected);
    }

    #[test]
    fn a_daemon_lost_on_the_way_is_not_said_to_have_typed_nothing() {
        let fake = Fake::serve(|stream| drop(Fake::read_request(stream)));
        let error = send(&invocation(&fake, &["send", "id", "x"])).unwrap_err();
        assert_eq!(error.code, Code::Unreachable);
        assert!(error.message.contains("not known"), "{error}");
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
