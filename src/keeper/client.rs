//! The daemon's side of a keeper: starting one, and connecting to one that runs.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::time;
use crate::keeper::launch::Launch;
use crate::keeper::link::Link;
use crate::keeper::proto;
use crate::keeper::proto::Frame;
use crate::keeper::proto::Hello;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::sys::sock;
use std::io::Read;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

/// Starts a keeper and waits until its program runs. The keeper is this very executable, also when
/// the file behind it has been replaced meanwhile. With `scoped`, a copy of the executable that
/// others can open, it gets a systemd scope of its own, so that stopping the daemon's unit leaves
/// it alone; where systemd refuses, it is started without.
pub fn start(launch: &Launch, scoped: Option<&Path>) -> Result<Child> {
    if let Some(program) = scoped {
        match spawn(in_scope(launch, program), launch) {
            // The program's own fault is no reason to try again.
            Err(error) if error.code == Code::Failed => return Err(error),
            Err(error) => log::warn!("no systemd scope for {}: {}", launch.session, error.chain()),
            started => return started,
        }
    }
    spawn(plain(launch), launch)
}

fn plain(launch: &Launch) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.env_clear().arg0("codepiper").args(["keeper", &launch.session]);
    command
}

fn in_scope(launch: &Launch, program: &Path) -> Command {
    let mut command = Command::new("systemd-run");
    command.env_clear();
    let unit = format!("--unit=codepiper-keeper-{}-{}", launch.session, launch.epoch);
    command.args(["--user", "--scope", "--quiet", "--collect", &unit, "--"]);
    command.arg(program).args(["keeper", &launch.session]);
    for name in ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

fn spawn(mut command: Command, launch: &Launch) -> Result<Child> {
    command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().internal(|| "cannot start a keeper".into())?;
    let answer = talk(&mut child, launch);
    if answer.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    answer.map(|()| child)
}

fn talk(child: &mut Child, launch: &Launch) -> Result<()> {
    let cannot = || "the keeper does not take its launch description".into();
    let mut stdin = child.stdin.take().ok_or_else(|| Error::internal("no pipe to the keeper"))?;
    stdin.write_all(&launch.encode()).internal(cannot)?;
    drop(stdin);
    let stdout = child.stdout.take().ok_or_else(|| Error::internal("no pipe from the keeper"))?;
    let answer = read_line(stdout, time::now() + limits::KEEPER_READY)?;
    match answer.trim() {
        "ok" => Ok(()),
        "" => Err(Error::internal("the keeper ended without a word")),
        message => Err(Error::new(Code::Failed, message)),
    }
}

fn read_line(mut from: ChildStdout, deadline: Instant) -> Result<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !bytes.contains(&b'\n') {
        let mut watch = [Watch::new(&from, true, false)];
        if poll::wait(&mut watch, Some(time::until(deadline)))? == 0 && time::now() >= deadline {
            return Err(Error::new(Code::Timeout, "the keeper does not come up"));
        }
        if !watch[0].readable() {
            continue;
        }
        match from.read(&mut buffer).internal(|| "cannot hear from the keeper".into())? {
            0 => break,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A keeper that has said hello, with the frames that came right behind.
pub struct Connected {
    /// The wire.
    pub link: Link,
    /// Who it is.
    pub hello: Hello,
    /// Reports that were waiting for a daemon.
    pub reports: Vec<Frame>,
}

/// Connects to the keeper that listens at `socket` and waits for its hello until `deadline`.
pub fn connect(socket: &Path, build: &str, deadline: Instant) -> Result<Connected> {
    let mut link = Link::new(sock::connect(socket)?)?;
    let (hello, reports) = await_hello(&mut link, deadline)?;
    link.send(&Frame::Attach { protocol: proto::PROTOCOL, build: build.to_string() })?;
    Ok(Connected { link, hello, reports })
}

fn await_hello(link: &mut Link, deadline: Instant) -> Result<(Hello, Vec<Frame>)> {
    loop {
        let ready = poll::wait(&mut [Watch::new(link, true, false)], Some(time::until(deadline)))?;
        if ready == 0 && time::now() >= deadline {
            return Err(Error::new(Code::Timeout, "the keeper does not say hello"));
        }
        let mut frames = link.receive()?.into_iter();
        match frames.next() {
            None => {}
            Some(Frame::Hello(hello)) => return Ok((*hello, frames.collect())),
            Some(_) => return Err(Error::internal("the keeper does not begin with hello")),
        }
    }
}
