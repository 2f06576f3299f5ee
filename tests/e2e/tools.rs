//! Programs that tests need and that are not installed for them.

use crate::support::space::Space;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

/// The path of a program that unpack.sh knows.
#[track_caller]
pub fn unpacked(name: &str) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/unpack.sh");
    let out = Command::new(script).arg(name).output().expect("tests/e2e/unpack.sh");
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "unpack.sh: {stderr}");
    PathBuf::from(String::from_utf8(out.stdout).expect("a path").trim())
}

/// Puts them where the sessions of this space find programs.
#[track_caller]
pub fn install(space: &Space, names: &[&str]) {
    let bin = space.home.join("bin");
    fs::create_dir_all(&bin).expect("a directory in the home");
    for name in names {
        symlink(unpacked(name), bin.join(name)).expect("a link");
    }
}
