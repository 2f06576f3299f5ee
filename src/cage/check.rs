//! What cages promise, and a program that tries it from inside one: each promise in one sentence,
//! with the tries that must come to nothing, or, where it is that something works, must not.
//!
//! 1. A try MUST do no harm where it succeeds: it may be run where nothing holds it.
//! 2. What could not be tried MUST NOT count as held.

use crate::base::error::{Error, Result};
use crate::cage;
use crate::cage::Level;
use crate::sys::reach;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;

/// What is tried on, as it is outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aim {
    /// A process of the same user.
    pub pid: i32,
    /// The name of an abstract socket that listens.
    pub name: String,
    /// A TCP port that listens on loopback.
    pub port: u16,
    /// Paths, by what they are.
    pub paths: Vec<(String, PathBuf)>,
}

impl Aim {
    /// For a command line.
    pub fn to_json(&self) -> Value {
        let paths: Vec<Value> = self.paths.iter().map(|(what, path)| json!([what, path])).collect();
        json!({"pid": self.pid, "name": self.name, "port": self.port, "paths": paths})
    }

    /// From there.
    pub fn from_json(text: &str) -> Result<Aim> {
        let wrong = || Error::invalid("this is run by codepiper sandbox check");
        let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
        let number = |name: &str| value[name].as_u64().ok_or_else(wrong);
        let pair = |pair: &Value| Some((pair[0].as_str()?.into(), pair[1].as_str()?.into()));
        let paths = value["paths"].as_array().ok_or_else(wrong)?.iter().map(pair);
        Ok(Aim {
            pid: i32::try_from(number("pid")?).map_err(|_| wrong())?,
            name: value["name"].as_str().ok_or_else(wrong)?.to_string(),
            port: u16::try_from(number("port")?).map_err(|_| wrong())?,
            paths: paths.collect::<Option<_>>().ok_or_else(wrong)?,
        })
    }

    fn each(&self, what: &str) -> impl Iterator<Item = &Path> {
        self.paths.iter().filter(move |(known, _)| known == what).map(|(_, path)| path.as_path())
    }
}

/// What paths are: in [`Aim::paths`].
pub const KEYS: &str = "keys";
/// Doors that only people may use.
pub const DOORS: &str = "doors";
/// The door of hooks.
pub const HOOKS: &str = "hooks";
/// Sockets of a person's other programs, or directories of them.
pub const SOCKETS: &str = "sockets";
/// What other programs start with.
pub const FIXED: &str = "fixed";
/// What the cage hides by a mount.
pub const MASKS: &str = "masks";
/// A directory outside of the project.
pub const OUTSIDE: &str = "outside";
/// The project.
pub const PROJECT: &str = "project";

/// How a try came out.
enum Came {
    /// As promised.
    Held(String),
    /// Otherwise.
    Open(String),
    /// There is nothing of the kind on this host.
    Nothing,
}

type Try = (&'static str, fn(&Aim) -> Came);

/// A promise.
pub struct Promise {
    /// From this level on.
    pub from: Level,
    /// Not where a cage lacks this.
    pub unless: &'static str,
    /// In one sentence, the same in SECURITY.md.
    pub means: &'static str,
    tries: &'static [Try],
}

/// All of them.
#[rustfmt::skip]
pub const PROMISES: &[Promise] = &[
    Promise { from: Level::KeysOnly, unless: "",
        means: "the agent cannot open codepiper's keys, database and logs",
        tries: &[("open a key or the database", |aim| all(aim.each(KEYS), readable))] },
    Promise { from: Level::KeysOnly, unless: "",
        means: "the agent cannot stop or kill codepiper or another session",
        tries: &[("signal a process outside", |aim| refused(reach::signal(aim.pid)))] },
    Promise { from: Level::KeysOnly, unless: "",
        means: "the agent cannot starve them by a limit, nor read or change their memory",
        tries: &[("limit a process outside", |aim| refused(reach::limit(aim.pid))),
                 ("trace a process outside", |aim| refused(reach::trace(aim.pid))),
                 ("open its memory", |aim| refused_io(
                     File::open(format!("/proc/{}/mem", aim.pid))))] },
    Promise { from: Level::KeysOnly, unless: cage::ABSTRACT_OPEN,
        means: "the agent cannot reach programs that listen without a file (old D-Bus, X11)",
        tries: &[("connect to an abstract socket", abstract_socket)] },
    Promise { from: Level::KeysOnly, unless: "",
        means: "the agent cannot answer its own dialog as if you had typed",
        tries: &[("type into its terminal", |_| refused(reach::type_into_terminal()))] },
    Promise { from: Level::Guard, unless: "",
        means: "the agent cannot give codepiper orders or answer its own questions",
        tries: &[("connect to the control socket and keepers", |aim| all(
                     aim.each(DOORS), answers))] },
    Promise { from: Level::Guard, unless: "",
        means: "the agent cannot have your ssh-agent, tmux, Docker, D-Bus or gpg act for it",
        tries: &[("connect to their sockets", |aim| all(aim.each(SOCKETS), answers))] },
    Promise { from: Level::Guard, unless: "",
        means: "the agent cannot draw on or read from another terminal",
        tries: &[("see other terminals", terminals)] },
    Promise { from: Level::Guard, unless: cage::NO_PIDNS,
        means: "the agent cannot see or slow down codepiper or another session",
        tries: &[("set the priority of a process outside", |aim| refused(reach::slow(aim.pid))),
                 ("look at it in /proc", |aim| refused_io(
                     fs::metadata(format!("/proc/{}/stat", aim.pid))))] },
    Promise { from: Level::Guard, unless: cage::ROOT,
        means: "the agent cannot change the machine by the kernel's settings or control groups",
        tries: &[("open kernel.core_pattern for writing", |_| refused_io(
                     write_to(Path::new("/proc/sys/kernel/core_pattern")))),
                 ("open a control group for writing", |_| refused_io(
                     write_to(Path::new("/sys/fs/cgroup/cgroup.procs"))))] },
    Promise { from: Level::Guard, unless: "",
        means: "the agent cannot take away what hides these things",
        tries: &[("unmount it", |aim| all(aim.each(MASKS), |p| reach::unmount(p).is_ok())),
                 ("unmount it in namespaces of its own", |aim| all(
                     aim.each(MASKS), |path| reach::unmount_apart(path).is_ok()))] },
    Promise { from: Level::Guard, unless: "",
        means: "the agent cannot change codepiper, nor what your shell, git and ssh start with",
        tries: &[("open such files for writing", |aim| all(aim.each(FIXED), writable))] },
    Promise { from: Level::Workspace, unless: "",
        means: "the agent writes in its project, its own state and temporary files only",
        tries: &[("make a file elsewhere", |aim| all(aim.each(OUTSIDE), makes))] },
    Promise { from: Level::Workspace, unless: "",
        means: "the agent cannot plant git hooks or settings that you run later",
        tries: &[("make a git hook", |aim| all(
                     aim.each(PROJECT), |path| makes(&path.join(".git/hooks")))),
                 ("make settings of agents and editors", |aim| all(aim.each(PROJECT), |path| {
                     let mut names = [".claude", ".vscode", ".envrc"].iter();
                     names.any(|name| plants(&path.join(name))) }))] },
    Promise { from: Level::Strict, unless: "",
        means: "the agent reads only what is listed",
        tries: &[("list a directory elsewhere", |aim| all(aim.each(OUTSIDE), readable))] },
    Promise { from: Level::Strict, unless: "",
        means: "the agent connects only to TCP ports that are listed",
        tries: &[("connect to a port", |aim| refused_io(
                     TcpStream::connect((Ipv4Addr::LOCALHOST, aim.port)))),
                 ("connect by multipath TCP", |aim| refused(reach::connect_multipath(aim.port))),
                 ("send with the first packet", |aim| refused(reach::send_first(aim.port)))] },
    Promise { from: Level::Off, unless: "",
        means: "hooks, the project and temporary files work",
        tries: &[("connect to the hook socket", |aim| works(all(aim.each(HOOKS), answers))),
                 ("make a file in the project", |aim| works(all(aim.each(PROJECT), makes))),
                 ("make a temporary file", |_| works(all(
                     ["/tmp", "/var/tmp"].iter().map(Path::new), makes)))] },
    Promise { from: Level::Guard, unless: "",
        means: "the sandboxes that agents bring themselves work inside",
        tries: &[("make namespaces and mount in them", |_| match reach::nest() {
                     Ok(()) => Came::Held("works".into()),
                     Err(error) => Came::Open(reason(&error)) })] },
];

/// Tries everything; one list of tries for each promise.
pub fn try_all(aim: &Aim) -> Value {
    let tried = |(name, run): &Try| match run(aim) {
        Came::Held(how) => json!({"try": name, "result": "held", "detail": how}),
        Came::Open(how) => json!({"try": name, "result": "open", "detail": how}),
        Came::Nothing => json!({"try": name, "result": "nothing", "detail": "none on this host"}),
    };
    let each = |promise: &Promise| promise.tries.iter().map(tried).collect::<Vec<Value>>();
    PROMISES.iter().map(each).collect()
}

fn reason(error: &Error) -> String {
    error.source.as_ref().map_or_else(|| error.message.clone(), ToString::to_string)
}

fn refused(result: Result<()>) -> Came {
    match result {
        Ok(()) => Came::Open("done as it is".into()),
        Err(error) => Came::Held(reason(&error)),
    }
}

fn refused_io<T>(result: std::io::Result<T>) -> Came {
    match result {
        Ok(_) => Came::Open("done as it is".into()),
        Err(error) => Came::Held(error.to_string()),
    }
}

/// Held where it can be done with none of them.
fn all<'a>(paths: impl Iterator<Item = &'a Path>, can: impl Fn(&Path) -> bool) -> Came {
    let (mut tried, mut open) = (0, None);
    for path in paths {
        tried += 1;
        if open.is_none() && can(path) {
            open = Some(path.display().to_string());
        }
    }
    match (tried, open) {
        (0, _) => Came::Nothing,
        (_, Some(path)) => Came::Open(path),
        (tried, None) => Came::Held(format!("{tried} tried")),
    }
}

fn works(came: Came) -> Came {
    match came {
        Came::Open(path) => Came::Held(path),
        Came::Held(_) => Came::Open("does not work".into()),
        Came::Nothing => Came::Nothing,
    }
}

/// A file that opens, or a directory with something in it.
fn readable(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => File::open(path).is_ok_and(|file| file.metadata().is_ok_and(|m| m.len() > 0)),
    }
}

/// A socket that answers, or a directory with one.
fn answers(path: &Path) -> bool {
    let is_socket = |path: &Path| fs::metadata(path).is_ok_and(|m| m.file_type().is_socket());
    let inside = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all = inside.chain([path.to_path_buf()]).filter(|path| is_socket(path));
    all.any(|path| UnixStream::connect(path).is_ok())
}

fn write_to(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

/// A file that opens for writing, or a directory in which one can be made.
fn writable(path: &Path) -> bool {
    if path.is_dir() { makes(path) } else { write_to(path).is_ok() }
}

/// A file can be made in a directory.
fn makes(dir: &Path) -> bool {
    let path = dir.join(format!(".codepiper-check-{}", std::process::id()));
    let made = File::options().write(true).create_new(true).open(&path).is_ok();
    made && fs::remove_file(path).is_ok()
}

/// A file can be made where nothing is, or in the directory that is there.
fn plants(path: &Path) -> bool {
    match path.is_dir() {
        true => makes(path),
        false => File::options().write(true).create_new(true).open(path).is_ok(),
    }
}

fn abstract_socket(aim: &Aim) -> Came {
    match SocketAddr::from_abstract_name(&aim.name) {
        Ok(address) => refused_io(UnixStream::connect_addr(&address)),
        Err(error) => Came::Open(error.to_string()),
    }
}

fn terminals(_: &Aim) -> Came {
    let entries = fs::read_dir("/dev/pts").into_iter().flatten().flatten();
    let shown = entries.filter(|entry| entry.file_name() != "ptmx").count();
    match shown {
        0 | 1 => Came::Held("its own alone".into()),
        more => Came::Open(format!("{more} are there")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_say_what_is_tried() {
        let text = include_str!("../../SECURITY.md").split_whitespace().collect::<Vec<_>>();
        let text = text.join(" ");
        for promise in PROMISES {
            assert!(text.contains(promise.means), "{}", promise.means);
        }
    }

    #[test]
    fn an_aim_survives_a_command_line() {
        let paths = vec![(KEYS.to_string(), PathBuf::from("/a b"))];
        let aim = Aim { pid: 7, name: "n".into(), port: 443, paths };
        assert_eq!(Aim::from_json(&aim.to_json().to_string()).unwrap(), aim);
        for text in ["", "{}", "[]", r#"{"pid":-1,"name":"","port":1,"paths":[]}"#] {
            assert!(Aim::from_json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn without_a_cage_what_can_be_done_is_told_as_open() {
        let dir = std::env::temp_dir().join(format!("cp-check-{}", std::process::id()));
        fs::create_dir_all(dir.join(".git/hooks")).unwrap();
        let at = |what: &str| (what.to_string(), dir.clone());
        let paths = vec![at(PROJECT), at(OUTSIDE), at(KEYS)];
        let aim = Aim { paths, ..Aim::default() };
        for means in ["git hooks", "writes in its project", "keys, database", "the project"] {
            let promise = PROMISES.iter().find(|promise| promise.means.contains(means)).unwrap();
            let (_, run) = promise.tries[promise.tries.len() / 2];
            let expected = means == "the project";
            match run(&aim) {
                Came::Held(how) => assert!(expected, "{means}: {how}"),
                Came::Open(how) => assert!(!expected, "{means}: {how}"),
                Came::Nothing => panic!("{means}"),
            }
        }
        fs::remove_dir_all(dir).unwrap();
    }
}
