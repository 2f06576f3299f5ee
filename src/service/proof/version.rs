//! Asks a program for its version, as a person would.

use crate::base::error::{Context, Result};
use crate::base::time;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// The first `1.2.3` that `program --version` prints, with `home` as its home; empty where it says
/// nothing of the kind within [`limits::VERSION_WAIT`].
pub fn ask(program: &Path, path: &str, home: &Path) -> String {
    let mut command = Command::new(program);
    command.arg("--version").env_clear().env("PATH", path).env("HOME", home);
    command.current_dir(home).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return String::new() };
    let printed = collect(&mut child).unwrap_or_default();
    let _ = child.kill();
    let _ = child.wait();
    number(&String::from_utf8_lossy(&printed)).to_string()
}

fn collect(child: &mut Child) -> Result<Vec<u8>> {
    let deadline = time::now() + limits::VERSION_WAIT;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1024]);
    let Some(mut stdout) = child.stdout.take() else { return Ok(bytes) };
    while bytes.len() < limits::VERSION_BYTES && time::now() < deadline {
        let wait = Some(time::until(deadline));
        if poll::wait(&mut [Watch::new(&stdout, true, false)], wait)? == 0 {
            continue;
        }
        match stdout.read(&mut buffer).internal(|| "cannot read a version".into())? {
            0 => break,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(bytes)
}

fn number(text: &str) -> &str {
    let mut words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.find(|word| word.split('.').filter(|part| !part.is_empty()).count() == 3).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_version_is_what_the_program_prints_in_time() {
        let root = std::env::temp_dir().join(format!("cp-version-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        let program = root.join("agent");
        for (script, version) in [
            ("echo '2.1.330 (Claude Code)'", "2.1.330"),
            ("echo codex-cli 0.169.0; exec sleep 0", "0.169.0"),
            ("test \"$1$HOME\" = \"--version$PWD\" && echo v1.2.3-beta", "1.2.3"),
            ("echo none >&2; exit 1", ""),
            ("exec yes 1", ""),
        ] {
            let text = root.join("text");
            fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
            // By another process: a child of a parallel test may hold what we write, and a file
            // that somebody writes cannot be run.
            assert!(Command::new("cp").args([&text, &program]).status().unwrap().success());
            assert_eq!(ask(&program, "/usr/bin:/bin", &root), version, "{script}");
        }
        assert_eq!(ask(&root.join("missing"), "", &root), "");
        fs::remove_dir_all(root).unwrap();
    }
}
