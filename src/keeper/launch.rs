//! The launch description: what a daemon writes to a new keeper's standard input, so that nothing
//! of it, least of all the environment, ever shows in a process list.
//!
//! Both sides are the same build (a daemon starts keepers from its own executable), so this format
//! may change with any release. The keeper answers on standard output with one line: `ok`, or why
//! it could not start; then it closes it.
//!
//! 1. The environment MUST be overwritten on both sides once the program has it.

use crate::base::bytes::{Put, Take};
use crate::base::error::{Error, Result};
use crate::cage::Cage;
use std::ffi::CString;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroize;
use zeroize::Zeroizing;

/// The first piece of a description that is read; most are shorter.
const PIECE: usize = 16 * 1024;

/// Everything a keeper needs to know. `Debug` would show the environment, so there is none.
#[derive(Clone, PartialEq, Eq)]
pub struct Launch {
    /// Session id.
    pub session: String,
    /// Build of the daemon and so of this keeper.
    pub build: String,
    /// Where the keeper listens.
    pub socket: PathBuf,
    /// The output log's directory.
    pub log_dir: PathBuf,
    /// Bytes of output to keep.
    pub log_keep: u64,
    /// 1 at the first start, one more at each resume.
    pub epoch: u32,
    /// Soft limit of open files for the program; the daemon has raised its own.
    pub descriptors: u64,
    /// Terminal columns.
    pub cols: u16,
    /// Terminal rows.
    pub rows: u16,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments, its own name first.
    pub args: Vec<String>,
    /// Its whole environment. Never logged.
    pub env: Vec<(String, String)>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// The cage around it.
    pub cage: Option<Cage>,
}

impl Launch {
    /// The bytes for the keeper's standard input.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let path = |p: &Path| p.as_os_str().as_bytes().to_vec();
        let line = |(k, v): &(String, String)| Zeroizing::new(format!("{k}={v}"));
        let env: Vec<Zeroizing<String>> = self.env.iter().map(line).collect();
        let words = self.args.iter().map(String::len).chain(env.iter().map(|line| line.len()));
        let room: usize = words.map(|length| length + 4).sum();
        // The rest is ids, numbers and paths.
        let put = Put::with_room(room + PIECE + 4 * self.cwd.as_os_str().len());
        let bytes = put
            .blob(self.session.as_bytes())
            .blob(self.build.as_bytes())
            .blob(&path(&self.socket))
            .blob(&path(&self.log_dir))
            .u64(self.log_keep)
            .u32(self.epoch)
            .u64(self.descriptors)
            .u16(self.cols)
            .u16(self.rows)
            .blob(&path(&self.program))
            .blobs(self.args.iter().map(String::as_bytes))
            .blobs(env.iter().map(|line| line.as_bytes()))
            .blob(&path(&self.cwd))
            .blob(&self.cage.as_ref().map(Cage::encode).unwrap_or_default())
            .done();
        Zeroizing::new(bytes)
    }

    /// Reads what [`Launch::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Launch> {
        let mut take = Take::new(bytes);
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|_| Error::invalid("the launch holds broken text"))
        };
        Ok(Launch {
            session: take.text()?,
            build: take.text()?,
            socket: path(take.blob()?),
            log_dir: path(take.blob()?),
            log_keep: take.u64()?,
            epoch: take.u32()?,
            descriptors: take.u64()?,
            cols: take.u16()?,
            rows: take.u16()?,
            program: path(take.blob()?),
            args: take.blobs()?.into_iter().map(text).collect::<Result<_>>()?,
            env: take.blobs()?.into_iter().map(|b| split(text(b)?)).collect::<Result<_>>()?,
            cwd: path(take.blob()?),
            cage: match take.blob()? {
                [] => None,
                bytes => Some(Cage::decode(bytes)?),
            },
        })
    }
}

impl Launch {
    /// Overwrites the environment: the program has it.
    pub fn forget_env(&mut self) {
        self.env.iter_mut().for_each(|(_, value)| value.zeroize());
        self.env = Vec::new();
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        self.forget_env();
    }
}

/// All that comes from `from`. A buffer that has become too small is overwritten before it goes.
pub fn read_all(mut from: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; PIECE]);
    let mut length = 0;
    loop {
        match from.read(&mut bytes[length..]) {
            Ok(0) => {
                bytes.truncate(length);
                return Ok(bytes);
            }
            Ok(count) => length += count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if length == bytes.len() {
            let mut larger = Zeroizing::new(vec![0; 2 * length]);
            larger[..length].copy_from_slice(&bytes);
            bytes = larger;
        }
    }
}

fn split(line: String) -> Result<(String, String)> {
    let line = Zeroizing::new(line);
    let (name, value) =
        line.split_once('=').ok_or_else(|| Error::invalid("the launch holds a broken variable"))?;
    Ok((name.to_string(), value.to_string()))
}

/// A string for exec; NUL is refused by name.
pub fn c_string(what: &str, bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|_| Error::invalid(format!("{what} must not contain NUL")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_survives_its_pipe_and_a_cut_one_is_an_error() {
        let launch = Launch {
            session: "id".into(),
            build: "b".into(),
            socket: "/run/k/id.sock".into(),
            log_dir: "/s/id/log".into(),
            log_keep: 1 << 40,
            epoch: 3,
            descriptors: 1024,
            cols: 80,
            rows: 24,
            program: "/bin/sh".into(),
            args: vec!["sh".into(), "-c".into(), "echo a=b".into()],
            env: vec![("A".into(), "x=y\nz".into()), ("EMPTY".into(), String::new())],
            cwd: PathBuf::from(OsStr::from_bytes(b"/tmp/\xff")),
            cage: None,
        };
        let bytes = launch.encode();
        assert!(Launch::decode(&bytes).unwrap() == launch);
        for end in 0..bytes.len() {
            assert!(Launch::decode(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn a_description_of_any_length_is_read_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE] {
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            assert_eq!(*read_all(&bytes[..]).unwrap(), bytes, "{length}");
        }
    }
}
