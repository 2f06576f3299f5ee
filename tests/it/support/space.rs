//! A directory of a test's own with a home, a state directory and a project in it. Nothing outside
//! it is read or written, and no process that belongs to it survives it.

use crate::support::pids::Pids;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;

/// See the file's head.
pub struct Space {
    /// The directory itself; short, because socket paths end at 107 bytes.
    pub root: PathBuf,
    /// HOME of everything that runs here.
    pub home: PathBuf,
    /// CODEPIPER_HOME.
    pub state: PathBuf,
    /// Where sessions work.
    pub project: PathBuf,
    /// The whole environment of daemon and clients; nothing of the caller's comes along.
    pub env: BTreeMap<String, String>,
}

impl Space {
    /// A fresh one. It is removed when the test has passed; a failed test leaves it, and so does
    /// KEEP=1.
    pub fn new() -> Space {
        let mut random = [0u8; 6];
        getrandom::fill(&mut random).expect("random bytes");
        let name: String = random.iter().map(|b| format!("{b:02x}")).collect();
        let root = PathBuf::from(format!("/tmp/cp-{name}"));
        let (home, state, project) = (root.join("home"), root.join("state"), root.join("project"));
        for dir in [&root, &home, &project] {
            fs::create_dir(dir).expect("a directory under /tmp");
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).expect("mode 0700");
        }
        let env = BTreeMap::from(
            [
                ("HOME", path_text(&home)),
                ("CODEPIPER_HOME", path_text(&state)),
                ("PATH", "/usr/local/bin:/usr/bin:/bin".to_string()),
                ("SHELL", "/bin/bash".to_string()),
                ("LANG", "C.UTF-8".to_string()),
                ("TERM", "xterm-256color".to_string()),
            ]
            .map(|(name, value)| (name.to_string(), value)),
        );
        Space { root, home, state, project, env }
    }

    /// Writes a file below the space's root, with its directories, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().expect("a name below the root")).expect("directories");
        fs::write(&path, text).expect("a file in the space");
        path
    }

    /// [`Space::write`] for a program.
    pub fn write_program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode 0755");
        path
    }

    /// The control socket.
    pub fn control(&self) -> PathBuf {
        self.state.join("run/control.sock")
    }

    /// The newest lines of the daemon's log, for failure messages.
    pub fn daemon_log(&self) -> String {
        let text = ["daemon.out", "state/daemon.log"].map(|name| {
            let lines = fs::read_to_string(self.root.join(name)).unwrap_or_default();
            let skip = lines.lines().count().saturating_sub(40);
            let tail: Vec<&str> = lines.lines().skip(skip).collect();
            format!("--- {name}\n{}\n", tail.join("\n"))
        });
        text.concat()
    }

    /// Ends the daemon, the keepers and everything in their sessions. The kernel names the process
    /// behind each socket, so this finds also those that were left behind on purpose.
    fn end_processes(&self) {
        let keepers = fs::read_dir(self.state.join("run/k")).into_iter().flatten().flatten();
        let mut sockets: Vec<PathBuf> = keepers.map(|entry| entry.path()).collect();
        sockets.extend([self.control(), self.state.join("hook/hook.sock")]);
        let mut pids = Pids::default();
        for pid in sockets.iter().filter_map(|path| listener(path)) {
            if pid != std::process::id() as i32 {
                pids.add_tree(pid);
            }
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.end_processes();
        if std::thread::panicking() || std::env::var_os("KEEP").is_some() {
            eprintln!("kept for a look: {}\n{}", self.root.display(), self.daemon_log());
        } else {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// A path that a test made is text.
pub fn path_text(path: &Path) -> String {
    path.to_str().expect("test paths are text").to_string()
}

/// The process that listens on a Unix socket.
pub fn listener(path: &Path) -> Option<i32> {
    let stream = UnixStream::connect(path).ok()?;
    let peer = getsockopt(&stream, PeerCredentials).ok()?;
    (peer.pid() > 0).then(|| peer.pid())
}
