//! `sandbox check`: starts a program in a cage, as any session is, and says what it could not do.
//! Makes what it aims at and takes everything away again.

use crate::base::error::{Code, Context, Error, Result};
use crate::cage::Level;
use crate::cage::check;
use crate::cage::check::Aim;
use crate::cage::check::PROMISES;
use crate::cage::plan;
use crate::cli::Invocation;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::describe::word;
use crate::cli::out::Color;
use crate::config::paths;
use crate::config::paths::Paths;
use crate::limits;
use crate::sys::proc;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;

/// What runs in the cage.
pub const COMMANDS: &[Command] = &[Command {
    name: "sandbox-try",
    aliases: &[],
    group: Group::Hidden,
    usage: "AIM",
    about: "Try what a cage holds (run by sandbox check)",
    options: &[] as &[Opt],
    words: Words::Count(1, 1),
    details: "",
    examples: &["codepiper sandbox-try {}"],
    run: |call| {
        let tried = check::try_all(&Aim::from_json(&call.args.words[0])?);
        call.out.line(&tried.to_string())?;
        Ok(0)
    },
}];

/// Runs it.
pub fn check(call: &Invocation<'_>) -> Result<i32> {
    let level = call.args.words.first();
    if let Some(word) = level.filter(|word| Level::from_word(word).is_none()) {
        return Err(Error::invalid(format!(
            "no sandbox is called {word:?}; see: codepiper sandbox"
        )));
    }
    let ground = Ground::new(call.args.value("--dir"))?;
    let installed = std::env::current_exe().internal(|| "cannot find this program".into())?;
    let program = ground.program(&installed)?;
    let aim = ground.aim(call, &installed)?.to_json().to_string();
    let mut body = json!({
        "provider": "command",
        "name": "sandbox check",
        "cwd": ground.project,
        "args": [program, "sandbox-try", aim],
    });
    if let Some(level) = level {
        body["sandbox"] = json!(level);
    }
    let wait = limits::gate::CLIENT_WAIT + limits::SHELL_PROBE;
    let started = call.client.json("POST", "/sessions", Some(&body), wait)?;
    let session = &started["session"];
    let id = word(session, "id");
    let tried = tried(call, id);
    // Whatever came of it, nothing is left; one that still runs is ended first.
    let _ = call.client.post(&session_path(id, "/kill"), &json!({}));
    let _ = call.client.json("DELETE", &session_path(id, ""), None, wait);
    report(call, &session["sandbox"], &tried?)
}

/// What the program in the cage printed.
fn tried(call: &Invocation<'_>, id: &str) -> Result<Value> {
    let seconds = limits::SANDBOX_CHECK.as_secs();
    let target = session_path(id, &format!("/wait?for=ended&timeout={seconds}"));
    call.client.json("GET", &target, None, limits::SANDBOX_CHECK + limits::gate::CLIENT_WAIT)?;
    let log = call.client.raw(&session_path(id, "/log"))?.body;
    let text = String::from_utf8_lossy(&log);
    let list = text.find('[').zip(text.rfind(']')).and_then(|(from, to)| text.get(from..=to));
    let list = list.and_then(|list| serde_json::from_str(list).ok());
    list.ok_or_else(|| {
        let printed = text.trim();
        Error::new(Code::Failed, format!("the program in the sandbox did not say: {printed}"))
    })
}

/// What there is to aim at; gone when dropped.
struct Ground {
    /// Holds the project, unless one was named.
    base: PathBuf,
    /// Lies in the home, where nothing of a session's belongs.
    outside: PathBuf,
    project: PathBuf,
    port: TcpListener,
    name: String,
    _abstract: UnixListener,
}

impl Ground {
    fn new(named: Option<&str>) -> Result<Ground> {
        let word = format!("codepiper-check-{}", std::process::id());
        let base = std::env::temp_dir().join(&word);
        let outside = paths::user_home().join(format!(".{word}"));
        let cannot = |path: &Path| format!("cannot make {}", path.display());
        let project = match named {
            Some(dir) => fs::canonicalize(dir).code(Code::Invalid, || format!("no {dir}"))?,
            None => base.join("project"),
        };
        if named.is_none() {
            fs::create_dir_all(project.join(".git/hooks")).internal(|| cannot(&project))?;
        }
        let file = outside.join("file");
        fs::create_dir(&outside)
            .and_then(|()| fs::write(file, "x"))
            .internal(|| cannot(&outside))?;
        let address = SocketAddr::from_abstract_name(&word).internal(|| "no socket".into())?;
        let socket = UnixListener::bind_addr(&address).internal(|| "cannot listen".into())?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).internal(|| "no port".into())?;
        Ok(Ground { base, outside, project, port, name: word, _abstract: socket })
    }

    /// What is run: a copy in a project of our own, for a cage may hide where this program lies.
    fn program(&self, installed: &Path) -> Result<PathBuf> {
        if !self.project.starts_with(&self.base) {
            return Ok(installed.to_path_buf());
        }
        let copy = self.project.join("codepiper");
        let cannot = || format!("cannot copy {}", installed.display());
        fs::copy(installed, &copy).internal(cannot)?;
        Ok(copy)
    }

    fn aim(&self, call: &Invocation<'_>, program: &Path) -> Result<Aim> {
        let known = Paths::from_env(call.args.value("--socket").map(PathBuf::from))?;
        let (home, uid) = (paths::user_home(), proc::uid());
        let at = |what: &str, path: PathBuf| (what.to_string(), path);
        let mut all = vec![
            at(check::KEYS, known.master_key()),
            at(check::KEYS, known.database()),
            at(check::KEYS, known.sessions()),
            at(check::DOORS, known.control().to_path_buf()),
            at(check::DOORS, known.keepers()),
            at(check::HOOKS, known.hook_socket()),
            at(check::MASKS, known.home().to_path_buf()),
            at(check::OUTSIDE, self.outside.clone()),
            at(check::PROJECT, self.project.clone()),
            at(check::FIXED, program.to_path_buf()),
        ];
        all.extend(plan::fixed(&home, uid).into_iter().map(|path| at(check::FIXED, path)));
        let mut sockets = plan::hidden(&home, uid);
        sockets.extend(std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from));
        sockets
            .extend(std::env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("bus")));
        all.extend(sockets.into_iter().map(|path| at(check::SOCKETS, path)));
        all.retain(|(_, path)| path.exists());
        let port = self.port.local_addr().internal(|| "no port".into())?.port();
        let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
        Ok(Aim { pid, name: self.name.clone(), port, paths: all })
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
        let _ = fs::remove_dir_all(&self.outside);
    }
}

/// How a promise stands at this level.
fn standing(at: usize, level: Level, partial: &[&str], tries: &Value) -> String {
    let promise = &PROMISES[at];
    let results: Vec<&str> =
        tries.as_array().into_iter().flatten().map(|one| word(one, "result")).collect();
    match () {
        () if level < promise.from => format!("from {} on", promise.from.word()),
        () if partial.contains(&promise.unless) => format!("not here: {}", promise.unless),
        () if results.contains(&"open") || results.is_empty() => "open".to_string(),
        () if results.contains(&"held") => "held".to_string(),
        () => "nothing to try".to_string(),
    }
}

fn report(call: &Invocation<'_>, sandbox: &Value, tried: &Value) -> Result<i32> {
    let held = word(sandbox, "verified");
    let level = Level::from_word(held).unwrap_or(Level::Off);
    let partial: Vec<&str> =
        sandbox["partial"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let rows = (0..PROMISES.len()).map(|at| {
        let (means, tries) = (PROMISES[at].means, &tried[at]);
        json!({
            "means": means,
            "from": PROMISES[at].from.word(),
            "standing": standing(at, level, &partial, tries),
            "tries": tries,
        })
    });
    let rows: Vec<Value> = rows.collect();
    let failed = rows.iter().any(|row| row["standing"] == "open");
    if call.out.json {
        call.out.body(&json!({"level": held, "partial": partial, "promises": rows}))?;
        return Ok(i32::from(failed));
    }
    let lacks = partial.iter().map(|lack| format!(" {lack}")).collect::<String>();
    call.out.line(&format!("{held}{lacks}, tried from inside a session on this host:"))?;
    for row in &rows {
        let (means, standing) = (word(row, "means"), word(row, "standing"));
        let (mark, note) = match standing {
            "held" => (call.out.paint(Color::Green, "ok  "), String::new()),
            "open" => (call.out.paint(Color::Red, "FAIL"), String::new()),
            other => (call.out.paint(Color::Dim, "--  "), format!(" ({other})")),
        };
        call.out.line(&format!("{mark} {means}{note}"))?;
        if standing == "open" {
            for one in row["tries"].as_array().into_iter().flatten() {
                let (name, result) = (word(one, "try"), word(one, "result"));
                call.out.line(&format!("     {name}: {result}, {}", word(one, "detail")))?;
            }
        }
    }
    call.out.line(match level {
        Level::Strict => "--   not promised: UDP, and with it DNS, is open",
        _ => "--   not promised: what it connects to is open, and what else it reads",
    })?;
    Ok(i32::from(failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_stands_as_its_tries_came_out() {
        let tries = |result: &str| json!([{"result": "held"}, {"result": result}]);
        let reads = PROMISES.iter().position(|p| p.means.contains("slow down")).unwrap();
        let at = |level, lacks: &[&str], result| standing(reads, level, lacks, &tries(result));
        assert_eq!(at(Level::Guard, &[], "held"), "held");
        assert_eq!(at(Level::Guard, &[], "nothing"), "held");
        assert_eq!(at(Level::Strict, &[], "open"), "open");
        assert_eq!(at(Level::KeysOnly, &[], "open"), "from guard on");
        assert_eq!(at(Level::Guard, &["no-pidns"], "open"), "not here: no-pidns");
        let none = json!([{"result": "nothing"}]);
        assert_eq!(standing(reads, Level::Guard, &[], &none), "nothing to try");
        assert_eq!(standing(reads, Level::Guard, &[], &Value::Null), "open");
    }
}
