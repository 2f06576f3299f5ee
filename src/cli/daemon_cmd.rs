//! `daemon`: runs it, starts it in the background, ends it, and says whether it runs.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::time;
use crate::cli::DaemonOptions;
use crate::cli::Invocation;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::{is_live, word};
use crate::cli::text;
use crate::config::paths::Paths;
use crate::config::web::Flags;
use crate::config::web::Web;
use crate::limits;
use crate::sys::poll;
use crate::sys::signal::Name as Signal;
use serde_json::Value;
use serde_json::json;
use std::io::Read;
use std::io::Seek;
use std::path::PathBuf;
use std::process::Child;
use std::process::Stdio;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "daemon",
    aliases: &[],
    group: Group::Daemon,
    usage: "[start|stop|status] [--detach] [--web]",
    about: "Run, stop or look at the daemon that owns the sessions",
    options: &[
        switch(&["--detach"], "start it in the background"),
        switch(&["--log-file"], "log to daemon.log, leave the terminal (as --detach)"),
        switch(&["--web"], "open the dashboard on 127.0.0.1 and [::1]"),
        value(&["--port"], "N", "its port (3000)"),
        value(&["--ws-port"], "N", "the port of its WebSocket (9999)"),
        value(&["--bind"], "ADDR", "listen there too; TLS is then your proxy's duty"),
    ],
    words: Words::Count(0, 1),
    details: "start (default) runs until SIGTERM or Ctrl-C. Sessions live on when the daemon\n\
              stops or is killed; the next one finds them again.\n\
              status ends with 3 when no daemon runs, stop with 0.\n\
              The first start with --web prints a bootstrap password to set up the login with;\n\
              see: codepiper help auth. Further settings come from the environment or\n\
              config.json in the state directory: ALLOWED_ORIGINS, TRUST_PROXY_HEADERS,\n\
              TRUSTED_PROXIES, FORCE_SECURE_COOKIES (README, \"From another machine\").",
    examples: &[
        "codepiper daemon --detach",
        "codepiper daemon --web --detach",
        "codepiper daemon status",
        "codepiper daemon stop",
    ],
    run: daemon,
}];

fn daemon(call: &Invocation<'_>) -> Result<i32> {
    let verb = call.args.words.first().map_or("start", String::as_str);
    let own = COMMANDS[0].options.iter().map(Opt::name);
    if verb != "start"
        && let Some(given) = own.into_iter().find(|name| call.args.has(name))
    {
        return Err(Error::invalid(format!("{given} does not go with {verb}")));
    }
    match verb {
        "start" if call.args.has("--detach") => detach(call),
        "start" => {
            let log_file = call.args.has("--log-file");
            if log_file {
                // A terminal that closes would end us with its hang-up.
                crate::sys::proc::leave_terminal();
            }
            let socket = call.args.value("--socket").map(PathBuf::from);
            Ok((call.outside.serve)(DaemonOptions { socket, log_file, web: flags(call) }))
        }
        "stop" => stop(call),
        "status" => status(call),
        other => Err(Error::invalid(format!("daemon takes start, stop or status, not {other:?}"))),
    }
}

fn flags(call: &Invocation<'_>) -> Flags {
    let value = |name| call.args.value(name).map(str::to_string);
    Flags {
        web: call.args.has("--web"),
        port: value("--port"),
        ws_port: value("--ws-port"),
        bind: value("--bind"),
    }
}

fn detach(call: &Invocation<'_>) -> Result<i32> {
    if let Ok(version) = call.client.get("/version") {
        if call.out.json {
            call.out.body(&version)?;
        } else {
            call.out.line(&format!("already running, pid {}", version["pid"]))?;
        }
        return Ok(0);
    }
    // What is wrong with the state directory is said here: the daemon has no log yet to say it in.
    let paths = Paths::from_env(call.args.value("--socket").map(PathBuf::from))?;
    paths.prepare()?;
    Web::read(&flags(call), paths.home())?;
    let log = paths.log();
    drop(crate::sys::file::open_append(&log)?);
    let before = std::fs::metadata(&log).map_or(0, |m| m.len());
    let mut child = spawn(call)?;
    let deadline = time::now() + limits::gate::DAEMON_READY;
    let pid = child.id();
    loop {
        // A daemon that answers is the one we started, or the one that was there before it.
        if let Ok(version) = call.client.json("GET", "/version", None, limits::gate::DAEMON_READY) {
            started(call, &version)?;
            return Ok(0);
        }
        let ended = child.try_wait().internal(|| "cannot wait for the daemon".into())?;
        if let Some(status) = ended {
            let said = last_lines(&log, before);
            return Err(Error::new(Code::Unreachable, format!("the daemon ended: {status}{said}")));
        }
        if time::until(deadline).is_zero() {
            let said = last_lines(&log, before);
            let text = format!("the daemon (pid {pid}) does not answer yet; see {}", log.display());
            return Err(Error::new(Code::Unreachable, text + &said));
        }
        std::thread::sleep(limits::gate::LOOK_AGAIN);
    }
}

fn started(call: &Invocation<'_>, version: &Value) -> Result<()> {
    if call.out.json {
        return call.out.body(version);
    }
    let path = call.client.path.display();
    call.out.line(&format!("daemon running, pid {}, socket {path}", version["pid"]))?;
    if let Some(url) = version["web"]["url"].as_str() {
        call.out.line(&text::clean(&format!("dashboard at {url}")))?;
        if let Some(ip) = version["web"]["bind"].as_str() {
            let warning = format!("and at {ip} without TLS: put a proxy with TLS in front of it");
            call.out.line(&text::clean(&warning))?;
        }
        first_password(call)?;
    }
    call.out.line("next: codepiper start -p command -- bash")
}

/// What the login is set up with, while it is not: the daemon itself has no terminal to say it on.
fn first_password(call: &Invocation<'_>) -> Result<()> {
    let wait = limits::gate::DAEMON_READY;
    match call.client.json("POST", "/auth/cli/bootstrap", Some(&json!({})), wait) {
        Ok(made) => {
            let (password, until) = (word(&made, "bootstrapPassword"), word(&made, "expiresAt"));
            call.out.line(&text::clean(&format!("bootstrap password, until {until}: {password}")))
        }
        // It is set up.
        Err(error) if error.code == Code::Conflict => Ok(()),
        Err(error) => Err(error),
    }
}

/// Our own program as a daemon, away from this terminal.
fn spawn(call: &Invocation<'_>) -> Result<Child> {
    // The link, not its target: an upgrade may have replaced the file since we started.
    let mut command = std::process::Command::new("/proc/self/exe");
    command.args(["daemon", "start", "--log-file"]);
    if let Some(socket) = call.args.value("--socket") {
        // Absolute, for it leaves our directory.
        let socket = std::path::absolute(socket).code(Code::Invalid, || "--socket".into())?;
        command.arg("--socket").arg(socket);
    }
    let flags = flags(call);
    if flags.web {
        command.arg("--web");
    }
    for (name, value) in
        [("--port", flags.port), ("--ws-port", flags.ws_port), ("--bind", flags.bind)]
    {
        command.args(value.iter().flat_map(|value| [name, value]));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    command.spawn().internal(|| "cannot start codepiper again".into())
}

/// What the daemon has logged since it was started, at most five lines of it.
fn last_lines(log: &std::path::Path, from: u64) -> String {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(log).and_then(|mut file| {
        let end = file.metadata()?.len();
        let newest = end.saturating_sub(8 * 1024);
        file.seek(std::io::SeekFrom::Start(if from <= end { from.max(newest) } else { newest }))?;
        file.take(8 * 1024).read_to_end(&mut bytes)
    });
    if read.is_err() {
        return String::new();
    }
    let said = String::from_utf8_lossy(&bytes).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    let newest = &lines[lines.len().saturating_sub(5)..];
    newest.iter().map(|line| format!("\n{}", text::clean(line))).collect()
}

fn stop(call: &Invocation<'_>) -> Result<i32> {
    let version = match call.client.get("/version") {
        Ok(version) => version,
        Err(error) if error.code == Code::Unreachable && !answers(call) => {
            match call.out.json {
                true => call.out.body(&json!({"running": false}))?,
                false => call.out.line("not running")?,
            }
            return Ok(0);
        }
        Err(error) => return Err(error),
    };
    let Some(pid) = version["pid"].as_i64().filter(|pid| *pid > 1 && *pid <= i32::MAX as i64)
    else {
        return Err(Error::internal("the daemon does not say its process id"));
    };
    let pid = pid as i32;
    let start = crate::sys::proc::stat(pid).map(|stat| stat.start);
    crate::sys::proc::signal(pid, Signal::SIGTERM)?;
    let deadline = time::now() + limits::gate::DAEMON_STOP;
    let runs = || start.is_some_and(|start| crate::sys::proc::is_alive(pid, start));
    while runs() || answers(call) {
        if time::until(deadline).is_zero() {
            let text = format!("the daemon (pid {pid}) has not ended yet; run: kill -9 {pid}");
            return Err(Error::new(Code::Timeout, text));
        }
        std::thread::sleep(limits::gate::LOOK_AGAIN);
    }
    match call.out.json {
        true => call.out.body(&json!({"running": false, "pid": pid}))?,
        false => call.out.line("daemon stopped; sessions live on")?,
    }
    Ok(0)
}

/// Whether somebody listens at the socket, whether or not he says anything.
fn answers(call: &Invocation<'_>) -> bool {
    call.client.connect().is_ok_and(|stream| poll::set_nonblocking(&stream, true).is_ok())
}

fn status(call: &Invocation<'_>) -> Result<i32> {
    let version = call.client.get("/version")?;
    let sessions = call.client.get("/sessions")?;
    let all = sessions["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let live = all.iter().filter(|s| is_live(s)).count();
    let socket = call.client.path.display().to_string();
    if call.out.json {
        call.out.body(&json!({
            "running": true, "pid": version["pid"], "version": version["version"],
            "build": version["build"], "socket": socket, "sessions": all.len(), "live": live,
            "web": version["web"],
        }))?;
        return Ok(0);
    }
    let (number, build) = (word(&version, "version"), word(&version, "build"));
    call.out.line(&format!("running, pid {}", version["pid"]))?;
    call.out.line(&text::clean(&format!("version  {number} ({build})")))?;
    call.out.line(&format!("sessions {} ({live} live)", all.len()))?;
    call.out.line(&text::clean(&format!("socket   {socket}")))?;
    if let Some(url) = version["web"]["url"].as_str() {
        call.out.line(&text::clean(&format!("web      {url}")))?;
    }
    Ok(0)
}
