//! `replay`: a session's output with the times at which it was printed, on the terminal or as a
//! recording for other players.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::time;
use crate::cli::Invocation;
use crate::cli::attach;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::value;
use crate::cli::describe::{label, word};
use crate::cli::log::Log;
use crate::cli::screen::Screen;
use crate::cli::text;
use crate::cli::timeline;
use crate::cli::timeline::Step;
use crate::cli::timeline::Timed;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::term::cast::Cast;
use crate::term::cast::Event;
use crate::term::cast::Header;
use serde_json::Value;
use std::io::Read;
use std::io::Write;
use std::time::Duration;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "replay",
    aliases: &[],
    group: Group::Terminal,
    usage: "[--speed X] [--idle-max D] [--export cast [-o FILE]] ID",
    about: "Play a session's output again with its times",
    options: &[
        value(&["--speed"], "X", "times as fast; default 1"),
        value(&["--idle-max"], "D", "cut longer pauses to this; default 3s"),
        value(&["--export"], "cast", "write an asciicast v3 recording instead"),
        value(&["-o", "--output"], "FILE", "write the recording to a new file"),
    ],
    words: Words::Count(1, 1),
    details: "q or Ctrl-C ends it. A recording keeps all times; play it with asciinema.\n\
              What the session was given by env sets or --env is covered in it.",
    examples: &[
        "codepiper replay build --speed 4",
        "codepiper replay 3f2a91c0 --export cast > build.cast",
    ],
    run: replay,
}];

fn replay(call: &Invocation<'_>) -> Result<i32> {
    let speed = call.args.number::<f64>("--speed")?.unwrap_or(1.0);
    if !(speed.is_finite() && speed > 0.0) {
        return Err(Error::invalid("--speed takes a number above 0, like 2 or 0.5"));
    }
    let idle = call.args.duration("--idle-max")?.unwrap_or(limits::gate::REPLAY_IDLE);
    let export = call.args.value("--export");
    if export.is_some_and(|format| format != "cast") {
        return Err(Error::invalid("--export knows one format: cast"));
    }
    if call.args.has("--output") && export.is_none() {
        return Err(Error::invalid("--output goes with --export cast"));
    }
    if call.out.json {
        return Err(Error::invalid("replay has no JSON form; use --export cast"));
    }
    let body = call.client.get(&session_path(&call.args.words[0], ""))?;
    let session = &body["session"];
    let id = word(session, "id");
    let index = call.client.raw(&session_path(id, "/index"))?;
    let log = Log::new(&call.client, id);
    let ends = log.piece(0, 1)?;
    let steps = timeline::steps(&timeline::parse(&index.body), ends.start, ends.end);
    if export.is_some() {
        return save(call, session, &log.covered(), &steps);
    }
    let pace = Pace { speed, idle };
    match attach::needs_terminal() {
        Ok(()) => play(&log, &steps, &pace)?,
        Err(_) => play_plainly(call, &log, &steps, &pace)?,
    }
    Ok(0)
}

struct Pace {
    speed: f64,
    idle: Duration,
}

impl Pace {
    fn pause(&self, milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds).min(self.idle).div_f64(self.speed)
    }
}

/// Into a file or a pipe: the bytes as they are, in their time.
fn play_plainly(call: &Invocation<'_>, log: &Log<'_>, steps: &[Timed], pace: &Pace) -> Result<()> {
    let mut last = steps.first().map_or(0, |s| s.unix_ms);
    for timed in steps {
        std::thread::sleep(pace.pause(timed.unix_ms - last));
        last = timed.unix_ms;
        if let Step::Output { from, until } = timed.step {
            log.read(from, until, |_, bytes| call.out.bytes(bytes))?;
        }
    }
    Ok(())
}

fn play(log: &Log<'_>, steps: &[Timed], pace: &Pace) -> Result<()> {
    let mut screen = Screen::enter()?;
    screen.repaint(b"\x1b[H\x1b[2J");
    let mut last = steps.first().map_or(0, |s| s.unix_ms);
    for timed in steps {
        let until = time::now() + pace.pause(timed.unix_ms - last);
        last = timed.unix_ms;
        if ends(&mut screen, Some(until))? {
            return Ok(());
        }
        if let Step::Output { from, until } = timed.step {
            let mut stopped = false;
            log.read(from, until, |_, bytes| {
                screen.output(bytes);
                stopped = stopped || ends(&mut screen, None)?;
                match stopped {
                    // Ends the reading; nobody sees this error.
                    true => Err(Error::new(Code::Timeout, "stopped")),
                    false => Ok(()),
                }
            })
            .or_else(|e| if stopped { Ok(0) } else { Err(e) })?;
            if stopped {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Writes until the terminal has everything and the time has come; true when the user had enough.
fn ends(screen: &mut Screen, until: Option<std::time::Instant>) -> Result<bool> {
    let stdin = std::io::stdin();
    loop {
        screen.flush()?;
        let left = until.map_or(Duration::ZERO, time::until);
        if left.is_zero() && !screen.wants_write() {
            return Ok(false);
        }
        let timeout = if screen.wants_write() { None } else { Some(left) };
        let mut watches = vec![Watch::new(&stdin, true, false)];
        if screen.wants_write() {
            watches.push(Watch::new(screen.tty(), false, true));
        }
        poll::wait(&mut watches, timeout)?;
        if watches[0].readable() {
            let mut keys = [0; 64];
            let count = stdin.lock().read(&mut keys).unwrap_or(0);
            if count == 0 || keys[..count].iter().any(|k| matches!(k, b'q' | 0x03)) {
                return Ok(true);
            }
        }
    }
}

fn save(call: &Invocation<'_>, session: &Value, log: &Log<'_>, steps: &[Timed]) -> Result<i32> {
    match call.args.value("--output") {
        None => record(session, log, steps, |line| call.out.bytes(line.as_bytes()))?,
        Some(path) => {
            let cannot = || format!("cannot write {path}; --output makes a new file");
            let file = std::fs::File::create_new(path).code(Code::Invalid, cannot)?;
            let mut file = std::io::BufWriter::new(file);
            record(session, log, steps, |line| {
                file.write_all(line.as_bytes()).code(Code::Internal, cannot)
            })?;
            file.flush().code(Code::Internal, cannot)?;
            call.out.line(&format!("wrote {}", text::clean(path)))?;
        }
    }
    Ok(0)
}

/// Hands `write` the lines of a recording.
fn record(
    session: &Value,
    log: &Log<'_>,
    steps: &[Timed],
    mut write: impl FnMut(String) -> Result<()>,
) -> Result<()> {
    let size = steps.iter().find_map(|timed| match timed.step {
        Step::Resize(cols, rows) => Some((cols, rows)),
        _ => None,
    });
    let (cols, rows) = size.unwrap_or((limits::DEFAULT_COLS, limits::DEFAULT_ROWS));
    let title = label(session);
    let (mut cast, header) = Cast::new(&Header {
        cols,
        rows,
        term: "xterm-256color",
        unix_ms: steps.first().map_or(0, |s| s.unix_ms),
        title: Some(&title),
        command: Some(word(session, "program")).filter(|program| !program.is_empty()),
    });
    write(header)?;
    for timed in steps {
        let at = timed.unix_ms;
        match timed.step {
            Step::Output { from, until } => {
                log.read(from, until, |_, bytes| write(cast.event(at, Event::Output(bytes))))?;
            }
            Step::Resize(cols, rows) => write(cast.event(at, Event::Resize(cols, rows)))?,
            Step::Gap(bytes) => {
                let label = format!("{bytes} bytes are missing");
                write(cast.event(at, Event::Marker(&label)))?;
            }
            Step::Resumed => write(cast.event(at, Event::Marker("resumed")))?,
            Step::ToolCall => write(cast.event(at, Event::Marker("tool call")))?,
            // A session that was resumed has several ends; a recording has one, the last.
            Step::End(code) if timed == steps.last().unwrap_or(timed) => {
                write(cast.event(at, Event::Exit(code)))?;
            }
            Step::End(code) => {
                let label = format!("ended with {code}");
                write(cast.event(at, Event::Marker(&label)))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::Client;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;
    use serde_json::json;

    #[test]
    fn a_recording_has_every_byte_with_its_time_and_sizes() {
        let fake = Fake::serve(|stream| {
            let request = Fake::read_request(stream);
            crate::cli::log::tests::answer(stream, &request, 100, b"ab\xe2\x9c\x93c");
        });
        let client = Client { path: fake.path.clone() };
        let output = |unix_ms, from, until| Timed { unix_ms, step: Step::Output { from, until } };
        let steps = [
            Timed { unix_ms: 5000, step: Step::Resize(80, 24) },
            output(5000, 100, 103),
            output(5500, 103, 106),
            Timed { unix_ms: 6000, step: Step::End(3) },
        ];
        let mut text = String::new();
        let session = json!({"id": "full", "name": "build", "program": "/bin/sh"});
        record(&session, &Log::new(&client, "full"), &steps, |line| {
            text.push_str(&line);
            Ok(())
        })
        .unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!((&lines[0]["version"], &lines[0]["term"]["cols"]), (&json!(3), &json!(80)));
        let outputs = lines[1..].iter().filter(|l| l[1] == "o").filter_map(|l| l[2].as_str());
        assert_eq!(outputs.collect::<String>(), "ab✓c");
        assert_eq!(lines.last().unwrap(), &json!([0.5, "x", "3"]));
    }

    #[test]
    fn pauses_are_cut_before_they_are_made_faster() {
        let pace = Pace { speed: 2.0, idle: Duration::from_secs(3) };
        assert_eq!(pace.pause(1000), Duration::from_millis(500));
        assert_eq!(pace.pause(3_600_000), Duration::from_millis(1500));
    }

    #[test]
    fn wrong_speeds_and_formats_are_refused_before_anything_is_asked() {
        let fake = Fake::api(|_, _| (200, "{}".into()));
        for line in [
            &["replay", "x", "--speed", "0"][..],
            &["replay", "x", "--speed=-1"],
            &["replay", "x", "--speed", "NaN"],
            &["replay", "x", "--export", "gif"],
            &["replay", "x", "-o", "file"],
            &["replay", "x", "--json"],
        ] {
            assert_eq!(replay(&invocation(&fake, line)).unwrap_err().code, Code::Invalid);
        }
        assert!(fake.lines().is_empty());
    }
}
