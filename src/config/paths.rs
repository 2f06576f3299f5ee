//! The state directory: every file in it has its name here and nowhere else.
//!
//! | name | what |
//! |---|---|
//! | `codepiper.db` (+ `-wal`, `-shm`) | sessions, events, the audit log, settings |
//! | `audit.key`, `audit.head` | the key of the log's next row; where the log ends |
//! | `master.key` (+ `.new`, `.old` while it is changed) | the key of secrets in the database |
//! | `daemon.lock`, `daemon.pid`, `daemon.log` | one daemon per state directory |
//! | `run/control.sock` | the control door: the person's own programs |
//! | `run/k/<id>.sock` | one keeper each |
//! | `hook/hook.sock` | the hook door: agents' hooks, nothing else |
//! | `hook/codepiper-<build>` | the copy of this program that sessions' hooks run |
//! | `sessions/<id>/` | one session's files: `log/`, the agent's settings overlay |
//! | `sessions/<id>/proof/` | the throw-away home and project of a proof of the gate |

use crate::base::error::{Context, Error, Result};
use crate::sys::file;
use crate::sys::place;
use crate::sys::proc;
use crate::sys::sock;
use crate::sys::user;
use std::path::Path;
use std::path::PathBuf;

/// The documented address of the control door: a link to it, for programs that expect it there.
const TMP_SOCKET: &str = "/tmp/codepiper.sock";

/// Length of the longest socket path below the state directory: `/run/k/<uuid>.sock`.
const SOCKET_TAIL: usize = "/run/k/".len() + 36 + ".sock".len();

/// The state directory.
#[derive(Debug, Clone)]
pub struct Paths {
    home: PathBuf,
    control: PathBuf,
    is_default: bool,
}

impl Paths {
    /// From `CODEPIPER_HOME`, else `~/.codepiper`; the control socket from `socket` (a flag), else
    /// `CODEPIPER_SOCKET`, else the state directory.
    pub fn from_env(socket: Option<PathBuf>) -> Result<Paths> {
        let named = std::env::var_os("CODEPIPER_HOME").filter(|v| !v.is_empty());
        let home = match &named {
            Some(home) => PathBuf::from(home),
            None => user_home().join(".codepiper"),
        };
        if !home.is_absolute() {
            let shown = home.display();
            return Err(Error::invalid(format!("CODEPIPER_HOME must be absolute, not {shown}")));
        }
        let from_env = || std::env::var_os("CODEPIPER_SOCKET").filter(|v| !v.is_empty());
        let chosen = socket.or_else(|| from_env().map(PathBuf::from));
        let is_default = named.is_none() && chosen.is_none();
        let control = chosen.unwrap_or_else(|| home.join("run/control.sock"));
        Ok(Paths { home, control, is_default })
    }

    /// Everything below one directory, for tests.
    #[cfg(test)]
    pub fn below(home: PathBuf) -> Paths {
        let control = home.join("run/control.sock");
        Paths { home, control, is_default: false }
    }

    /// Makes the directories, or checks that they are ours alone.
    pub fn prepare(&self) -> Result<()> {
        let length = self.home.as_os_str().len() + SOCKET_TAIL;
        if length > sock::PATH_BYTES {
            let (shown, most) = (self.home.display(), sock::PATH_BYTES - SOCKET_TAIL);
            return Err(Error::invalid(format!(
                "{shown} is too long for the sockets in it: at most {most} bytes; \
                 set CODEPIPER_HOME to a shorter directory"
            )));
        }
        self.check_place()?;
        for dir in ["", "run", "run/k", "hook", "sessions"] {
            let dir = if dir.is_empty() { self.home.clone() } else { self.home.join(dir) };
            file::private_dir(&dir)?;
        }
        Ok(())
    }

    /// What other hosts write to is no place for a database and sockets, and what a session could
    /// put another directory in the place of is none for what it must not see.
    fn check_place(&self) -> Result<()> {
        let shown = self.home.display();
        let there = self.home.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
        if let Some(kind) = place::shared_by(there) {
            return Err(Error::invalid(format!(
                "{shown} is on a network file system ({kind}), where a daemon of another host \
                 could write to the same database; set CODEPIPER_HOME to a directory on a disk \
                 of this host"
            )));
        }
        let parent = self.home.parent().unwrap_or(Path::new("/"));
        let links = place::links(parent);
        match links.iter().find(|link| proc::uid() != 0 && place::is_replaceable(link)) {
            None => Ok(()),
            Some(link) => Err(Error::invalid(format!(
                "{shown} leads over the link {}, which a session could replace; set \
                 CODEPIPER_HOME to the directory itself: {}",
                link.display(),
                parent
                    .canonicalize()
                    .unwrap_or_default()
                    .join(self.home.file_name().unwrap_or_default())
                    .display()
            ))),
        }
    }

    /// The directory itself.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.home.join("codepiper.db")
    }

    /// The key that secrets in the database are sealed under.
    pub fn master_key(&self) -> PathBuf {
        self.home.join("master.key")
    }

    /// The lock that one daemon holds.
    pub fn lock(&self) -> PathBuf {
        self.home.join("daemon.lock")
    }

    /// The running daemon's process id, in decimal.
    pub fn pid(&self) -> PathBuf {
        self.home.join("daemon.pid")
    }

    /// The log of a detached daemon.
    pub fn log(&self) -> PathBuf {
        self.home.join("daemon.log")
    }

    /// The control door.
    pub fn control(&self) -> &Path {
        &self.control
    }

    /// The link at the documented address; none when a socket or a state directory is named.
    pub fn tmp_link(&self) -> Option<&'static Path> {
        self.is_default.then(|| Path::new(TMP_SOCKET))
    }

    /// The keepers' sockets.
    pub fn keepers(&self) -> PathBuf {
        self.home.join("run/k")
    }

    /// One keeper's socket.
    pub fn keeper(&self, session: &str) -> PathBuf {
        self.keepers().join(format!("{session}.sock"))
    }

    /// The directory that a sandbox may see: the hook door and the pinned programs.
    pub fn hook_dir(&self) -> PathBuf {
        self.home.join("hook")
    }

    /// The hook door.
    pub fn hook_socket(&self) -> PathBuf {
        self.hook_dir().join("hook.sock")
    }

    /// The copy of this program that hooks of sessions started by `build` run.
    pub fn hook_program(&self, build: &str) -> PathBuf {
        self.hook_dir().join(format!("codepiper-{build}"))
    }

    /// All sessions' directories.
    pub fn sessions(&self) -> PathBuf {
        self.home.join("sessions")
    }

    /// One session's directory.
    pub fn session(&self, id: &str) -> PathBuf {
        self.sessions().join(id)
    }

    /// What only the session of a proof has.
    pub fn proof(&self, id: &str) -> PathBuf {
        self.session(id).join("proof")
    }

    /// The home of a proof's agent.
    pub fn proof_home(&self, id: &str) -> PathBuf {
        self.proof(id).join("home")
    }

    /// Where a proof's agent works.
    pub fn proof_project(&self, id: &str) -> PathBuf {
        self.proof(id).join("project")
    }

    /// One session's output log.
    pub fn session_log(&self, id: &str) -> PathBuf {
        self.session(id).join("log")
    }
}

/// `HOME`, as every program takes it; the account's home where it is not set.
pub fn user_home() -> PathBuf {
    let from_env = std::env::var_os("HOME").filter(|v| !v.is_empty());
    from_env.map(PathBuf::from).unwrap_or_else(|| user::current().home)
}

/// Removes the directory of one session with everything in it.
pub fn remove_session(paths: &Paths, id: &str) -> Result<()> {
    let dir = paths.session(id);
    match std::fs::remove_dir_all(&dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).internal(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}
