//! Runs a program for a notice: with what it is told on standard input, a deadline, and the end of
//! what it prints. Knows nothing of what it is for.
//!
//! 1. Nothing but the program's own words and the given variables MUST be seen by other users of
//!    this host; what is secret goes in on standard input.
//! 2. What is late MUST be ended with all that it has started and not set apart.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::secret::Vars;
use crate::base::time;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::sys::proc;
use crate::sys::signal::Name;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

/// A program that has ended.
pub struct Ran {
    /// How.
    pub status: ExitStatus,
    /// Standard output, the first [`limits::notices::PRINTED_BYTES`] of it.
    pub stdout: String,
    /// The same of standard error.
    pub stderr: String,
}

impl Ran {
    /// How it ended, in words.
    pub fn ending(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        }
    }
}

/// Runs a program to its end. `Timeout` where it takes longer than `wait`; it is ended then.
pub fn run(program: &Path, args: &[&str], env: &Vars, stdin: &[u8], wait: Duration) -> Result<Ran> {
    let shown = program.display();
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(&**env).current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().code(Code::Failed, || format!("cannot run {shown}"))?;
    let watched = watch(&mut child, stdin, wait);
    if !matches!(watched, Ok(Some(_))) {
        // Its group has its number until it is waited for. It may have left it, so it is ended by
        // itself as well: nothing would end the wait for one that goes on.
        let _ = proc::signal_group(child.id() as i32, Name::SIGKILL);
        let _ = child.kill();
    }
    let status = child.wait().internal(|| format!("cannot wait for {shown}"));
    let Some([stdout, stderr]) = watched? else {
        let text = format!("{shown} took more than {} s and was ended", wait.as_secs());
        return Err(Error::new(Code::Timeout, text));
    };
    Ok(Ran { status: status?, stdout, stderr })
}

/// Feeds it and reads what it prints until it has ended, whoever else still holds its pipes. `None`
/// where it is late.
fn watch(child: &mut Child, stdin: &[u8], wait: Duration) -> Result<Option<[String; 2]>> {
    let lost = || Error::internal("no pipe to a child");
    let ended = proc::pidfd(child.id() as i32)?;
    let mut input = child.stdin.take().ok_or_else(lost)?;
    // It fits into a pipe that is empty; a program that does not read has closed it.
    let _ = input.write_all(stdin);
    drop(input);
    let mut out = Pipe::new(child.stdout.take().ok_or_else(lost)?);
    let mut err = Pipe::new(child.stderr.take().ok_or_else(lost)?);
    let deadline = time::now() + wait;
    loop {
        // A pipe that is over would be reported for ever.
        let pipes = [
            if out.is_over { ended.as_fd() } else { out.from.as_fd() },
            if err.is_over { ended.as_fd() } else { err.from.as_fd() },
        ];
        let mut watches = [
            Watch::new(&ended, true, false),
            Watch::new(&pipes[0], true, false),
            Watch::new(&pipes[1], true, false),
        ];
        poll::wait(&mut watches, Some(time::until(deadline)))?;
        let [is_gone, has_out, has_err] = watches.map(|watch| watch.readable());
        let (has_out, has_err) = (has_out && !out.is_over, has_err && !err.is_over);
        if has_out {
            out.read();
        }
        if has_err {
            err.read();
        }
        let is_late = time::now() >= deadline;
        // Whatever it printed came before its end.
        if is_gone && (is_late || !has_out && !has_err) {
            return Ok(Some([out.text(), err.text()]));
        }
        if is_late {
            return Ok(None);
        }
    }
}

/// What one pipe has given so far.
struct Pipe<R> {
    from: R,
    bytes: Vec<u8>,
    is_over: bool,
}

impl<R: Read> Pipe<R> {
    fn new(from: R) -> Pipe<R> {
        Pipe { from, bytes: Vec::new(), is_over: false }
    }

    fn read(&mut self) {
        let mut buffer = [0; 4096];
        match self.from.read(&mut buffer) {
            Ok(0) | Err(_) => self.is_over = true,
            Ok(count) => {
                let room = limits::notices::PRINTED_BYTES.saturating_sub(self.bytes.len());
                self.bytes.extend_from_slice(&buffer[..count.min(room)]);
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, stdin: &str, wait: Duration) -> Result<Ran> {
        let mut env = Vars::default();
        env.put("GIVEN", "yes");
        env.put("PATH", "/usr/bin:/bin");
        run(Path::new("/bin/sh"), &["-c", script], &env, stdin.as_bytes(), wait)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_gets_its_input_and_its_variables_and_nothing_else() {
        let ran = shell("cat; env >&2; pwd >&2", "hello\n", LONG).ok().unwrap();
        assert_eq!((ran.stdout.as_str(), ran.ending().as_str()), ("hello\n", "exit code 0"));
        assert!(ran.stderr.contains("GIVEN=yes") && ran.stderr.ends_with("/\n"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("CARGO") && !ran.stderr.contains("HOME="), "{}", ran.stderr);
        let ran = shell("kill -9 $$", &"x".repeat(20_000), LONG).ok().unwrap();
        assert_eq!(ran.ending(), "signal 9");
        let flood = shell("head -c 1000000 /dev/zero; exit 3", "", LONG).ok().unwrap();
        assert_eq!(flood.stdout.len(), limits::notices::PRINTED_BYTES);
        assert_eq!(flood.ending(), "exit code 3");
    }

    #[test]
    fn one_that_is_late_is_ended_with_what_it_started_and_one_left_behind_holds_nothing_up() {
        let begun = time::now();
        let error = shell("sleep 600 & echo $!; wait", "", Duration::from_millis(300)).err();
        assert_eq!(error.unwrap().code, Code::Timeout);
        let ran = shell("sleep 600 & echo $!", "", LONG).ok().unwrap();
        let left: i32 = ran.stdout.trim().parse().unwrap();
        assert!(proc::stat(left).is_some(), "what it left behind is its own affair");
        proc::signal(left, Name::SIGKILL).unwrap();
        assert!(begun.elapsed() < LONG);
    }
}
