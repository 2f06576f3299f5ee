//! Tries a cage from within, as the last thing before the program runs. Whatever does not hold is
//! an error, and the program does not start.

use crate::base::error::{Context, Error, Result};
use crate::cage;
use crate::cage::Cage;
use crate::cage::Level;
use crate::sys::mount;
use std::fs;
use std::fs::File;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Everything. `terminals` is the device of /dev/pts outside.
pub fn all(cage: &Cage, terminals: u64) -> Result<()> {
    for path in &cage.closed {
        if is_open(path) {
            return Err(failed(&format!("{} is not closed", path.display())));
        }
    }
    for path in &cage.open {
        UnixStream::connect(path)
            .internal(|| format!("tried from inside: {} is not open", path.display()))?;
    }
    let status = read("/proc/self/status")?;
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        if !status.lines().any(|known| known == line) {
            return Err(failed(&format!("not so: {line}")));
        }
    }
    if cage.level == Level::KeysOnly {
        return Ok(());
    }
    if mount::device(Path::new("/dev/pts"))? == terminals {
        return Err(failed("the terminals of others are there"));
    }
    match cage::lost(&read("/proc/self/mountinfo")?, &cage.masks) {
        Some(path) => Err(failed(&format!("{} is not covered", path.display()))),
        None => Ok(()),
    }
}

/// A socket that answers, or a file that opens.
fn is_open(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => UnixStream::connect(path).is_ok(),
        Ok(_) => File::open(path).is_ok(),
        Err(_) => false,
    }
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).internal(|| format!("cannot read {path}"))
}

fn failed(what: &str) -> Error {
    Error::internal(format!("tried from inside: {what}"))
}
