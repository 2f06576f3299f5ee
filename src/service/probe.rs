//! Runs a program for what it prints: with a deadline, a cap, and nothing of it left behind.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::time;
use crate::sys::poll;
use crate::sys::poll::Watch;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

/// What `command` prints on standard output, at most `most` bytes of it within `wait`. `what` names
/// it in errors; its exit code is nobody's business.
pub fn output(mut command: Command, what: &str, wait: Duration, most: usize) -> Result<Vec<u8>> {
    command.current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().internal(|| format!("cannot run {what}"))?;
    let output = collect(&mut child, what, wait, most);
    let _ = child.kill();
    let _ = child.wait();
    output
}

fn collect(child: &mut Child, what: &str, wait: Duration, most: usize) -> Result<Vec<u8>> {
    let deadline = time::now() + wait;
    let mut stdout = child.stdout.take().ok_or_else(|| Error::internal("no pipe to a child"))?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let ready =
            poll::wait(&mut [Watch::new(&stdout, true, false)], Some(time::until(deadline)))?;
        if ready == 0 && time::now() >= deadline {
            let message = format!("{what} takes more than {} s", wait.as_secs());
            return Err(Error::new(Code::Timeout, message));
        }
        if ready == 0 {
            continue;
        }
        match stdout.read(&mut buffer).internal(|| format!("cannot read from {what}"))? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
        if bytes.len() > most {
            return Err(Error::internal(format!("{what} prints without end")));
        }
    }
}
