//! An ssh server and an ssh-agent of a test's own: their keys, settings and sockets lie in its
//! space, the server listens on loopback and lets in whoever runs the test.

use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use crate::tools;
use std::fs;
use std::fs::File;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;

/// Runs a program in the space to its good end, and returns what it printed.
#[track_caller]
pub fn run(space: &Space, program: &str, args: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(&space.env).current_dir(&space.project);
    let out = command.stdin(Stdio::null()).output().expect(program);
    assert!(out.status.success(), "{program} {args:?}: {out:?}");
    String::from_utf8(out.stdout).expect("text")
}

/// Where a new server can be reached, as `ssh -F` takes it: the host `there`, by no key but those
/// of an agent.
#[track_caller]
pub fn serve(space: &Space) -> PathBuf {
    let dir = space.home.join(".ssh");
    fs::create_dir_all(&dir).expect("a directory in the home");
    for name in ["host", "person"] {
        let key = path_text(&space.root.join(name));
        run(space, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key]);
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let public = fs::read_to_string(space.root.join("host.pub")).expect("the host's key");
    let known = dir.join("known");
    fs::write(&known, format!("[127.0.0.1]:{port} {public}")).expect("a file in the home");
    let user = run(space, "id", &["-un"]);
    let config = dir.join("config");
    let text = format!(
        "Host there\nHostName 127.0.0.1\nPort {port}\nUser {}\nUserKnownHostsFile {}\n\
         StrictHostKeyChecking yes\nBatchMode yes\nIdentityFile none\n",
        user.trim(),
        known.display()
    );
    fs::write(&config, text).expect("a file in the home");
    let program = server(space, user.trim());
    let log = File::create(space.root.join("sshd.log")).expect("a file in the space");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            answer(&program, &stream, &log);
        }
    });
    config
}

/// One server for each connection, as inetd does it: no port is chosen before it is bound.
fn answer(program: &Path, stream: &TcpStream, log: &File) {
    let end = || OwnedFd::from(stream.try_clone().expect("a copy"));
    let mut command = Command::new(program);
    command.env_clear().stdin(end()).stdout(end()).stderr(log.try_clone().expect("a copy"));
    let mut child = command.spawn().expect("the server");
    thread::spawn(move || child.wait());
}

/// A program that serves one connection. It sees users of its own: the one who runs this, in the
/// space's home, and the one whose rights a server that is root's takes; what that also wants to
/// see in /run is made for it alone.
fn server(space: &Space, user: &str) -> PathBuf {
    let id = |flag: &str| run(space, "id", &[flag]).trim().to_string();
    let users = format!(
        "{user}:x:{}:{}::{}:/bin/sh\nsshd:x:65533:65534::/run/sshd:/bin/false\n",
        id("-u"),
        id("-g"),
        space.home.display()
    );
    let users = space.write("users", &users);
    // Without a line here some systems know root as locked.
    let shadow = space.write("shadow", &format!("{user}:*:1::::::\n"));
    let root = space.root.display();
    let config = format!(
        "HostKey {root}/host\nAuthorizedKeysFile {root}/person.pub\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
    );
    let config = space.write("sshd_config", &config);
    let own = if id("-u") == "0" { "" } else { "--user --map-current-user" };
    let script = format!(
        "#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nexec unshare --mount {own} sh -ec '\n\
         mount --bind {} /etc/passwd\nmount --bind {} /etc/shadow\n\
         mount -t tmpfs -o mode=755 none /run\nmkdir /run/sshd\nexec {} -i -e -f {}'\n",
        users.display(),
        shadow.display(),
        tools::unpacked("sshd").display(),
        config.display()
    );
    space.write_program("serve", &script)
}

/// An agent that holds the person's key.
pub struct Agent {
    process: Child,
    /// Its socket, where newer agents have theirs.
    pub socket: PathBuf,
}

impl Agent {
    /// Starts one.
    #[track_caller]
    pub fn start(space: &Space) -> Agent {
        let dir = space.home.join(".ssh/agent");
        fs::create_dir_all(&dir).expect("a directory in the home");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).expect("mode 0700");
        let socket = dir.join("s.test");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).env_clear().envs(&space.env);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let agent = Agent { process: process.expect("ssh-agent"), socket };
        wait_until("the agent's socket", SOON, || agent.socket.exists());
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(space.root.join("person")).env_clear().envs(&space.env);
        let status = add.env("SSH_AUTH_SOCK", &agent.socket).status().expect("ssh-add");
        assert!(status.success(), "ssh-add: {status}");
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
