//! The cage around a session's program: what it cannot see, reach, write or end, although it runs
//! as the same user. Knows the kernel's means and a plan to use them; nothing of sessions, agents
//! or policies.
//!
//! ```text
//! keeper                  outside: the terminal's master, the output log
//!  └ (shift)              root's alone: mounts with other owners; gone once init is there
//!  └ init                 first namespaces (users, mounts, processes, IPC): mounts the plan
//!     └ program           second namespaces (users, mounts): what was mounted is locked;
//!                         no new privileges, Landlock scopes, a short filter of system calls
//! ```
//!
//! 1. The program MUST NOT run before each part of its cage stands and was tried from within
//!    ([`trial`]): a cage that fails is a start that fails.
//! 2. Masks MUST cover directories and not files wherever what they hide may be made anew: a mask
//!    over a file is gone once the file is.
//! 3. No rule of Landlock's about files MUST be used where there are namespaces: it would keep the
//!    agents' own sandboxes from mounting.
//! 4. What is said of a session's cage MUST be what was tried in that very session.
//!
//! | level | what it holds |
//! |---|---|
//! | `off` | nothing |
//! | `keys-only` | codepiper's own files, signals; for hosts without user namespaces |
//! | `guard` | codepiper's files and doors, other sessions and other programs' sockets |
//! | `workspace` | and it writes only to its project, temporary files, the agent's own state |
//! | `strict` | and it reads only what is listed, and connects only to listed TCP ports |

pub mod agent;
pub mod check;
pub mod grants;
pub mod init;
pub mod placeholder;
pub mod plan;
pub mod refused;
pub mod shift;
pub mod start;
pub mod step;
pub mod strict;
pub mod trial;
pub mod view;
pub mod watch;
pub mod workspace;

use crate::base::bytes::{Put, Take};
use crate::base::error::{Error, Result};
use crate::sys::landlock::Ports;
use crate::sys::landlock::Rules;
use crate::sys::seccomp::Extra;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use crate::cage::step::Step;

/// How close a cage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// There is none.
    Off,
    /// Landlock alone.
    KeysOnly,
    /// See the head of this file.
    Guard,
    /// See the head of this file.
    Workspace,
    /// See the head of this file.
    Strict,
}

impl Level {
    /// All of them, the loosest first.
    pub const ALL: [Level; 5] =
        [Level::Off, Level::KeysOnly, Level::Guard, Level::Workspace, Level::Strict];

    /// Its word everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Level::Off => "off",
            Level::KeysOnly => "keys-only",
            Level::Guard => "guard",
            Level::Workspace => "workspace",
            Level::Strict => "strict",
        }
    }

    /// The level behind a word.
    pub fn from_word(word: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.word() == word)
    }
}

/// A cage to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cage {
    /// What it is to hold.
    pub level: Level,
    /// It has processes of its own.
    pub processes: bool,
    /// Root's users are others outside, and files at these paths nevertheless theirs; none: users
    /// are the same as outside.
    pub shifted: Vec<PathBuf>,
    /// What is mounted, in this order.
    pub steps: Vec<Step>,
    /// What Landlock holds.
    pub rules: Rules,
    /// What the filter of system calls refuses besides.
    pub extra: Extra,
    /// Files that cannot be opened and sockets that cannot be reached from inside.
    pub closed: Vec<PathBuf>,
    /// Sockets that can be reached.
    pub open: Vec<PathBuf>,
    /// Directories without whose mask there is no cage.
    pub masks: Vec<PathBuf>,
    /// Empty directories that stand for what is missing ([`placeholder`]).
    pub made: Vec<PathBuf>,
}

impl Cage {
    /// The level and what it lacks, as words: `guard no-pidns`.
    pub fn words(&self) -> String {
        let lacks = [
            (!self.processes && self.level > Level::KeysOnly, NO_PIDNS),
            (!self.rules.scopes, ABSTRACT_OPEN),
            (self.shifted.is_empty() && crate::sys::proc::uid() == 0, ROOT),
        ];
        let lacks = lacks.iter().filter(|(lacking, _)| *lacking).map(|(_, word)| *word);
        let words: Vec<&str> = std::iter::once(self.level.word()).chain(lacks).collect();
        words.join(" ")
    }

    /// Bytes, for a launch description.
    pub fn encode(&self) -> Vec<u8> {
        let ports = self.rules.ports.clone();
        let list = |ports: &[u16]| ports.iter().flat_map(|p| p.to_le_bytes()).collect::<Vec<u8>>();
        let flags = u32::from(self.processes)
            | u32::from(self.rules.scopes) << 1
            | u32::from(self.extra.limits) << 2
            | u32::from(self.extra.sockets) << 3
            | u32::from(ports.is_some()) << 4
            | u32::from(self.rules.below.is_some()) << 5;
        let ports = ports.unwrap_or_default();
        let steps: Vec<Vec<u8>> = self.steps.iter().map(Step::encode).collect();
        let below = self.rules.below.clone().unwrap_or_default();
        Put::new()
            .blob(self.level.word().as_bytes())
            .u32(flags)
            .blobs(self.shifted.iter().map(|path| path.as_os_str().as_bytes()))
            .blobs(steps.iter().map(Vec::as_slice))
            .blob(&list(&ports.connect))
            .blob(&list(&ports.listen))
            .blobs(below.iter().map(|path| path.as_os_str().as_bytes()))
            .blobs(self.rules.readable.iter().map(|path| path.as_os_str().as_bytes()))
            .blobs(self.closed.iter().map(|path| path.as_os_str().as_bytes()))
            .blobs(self.open.iter().map(|path| path.as_os_str().as_bytes()))
            .blobs(self.masks.iter().map(|path| path.as_os_str().as_bytes()))
            .blobs(self.made.iter().map(|path| path.as_os_str().as_bytes()))
            .done()
    }

    /// Reads what [`Cage::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Cage> {
        let broken = || Error::invalid("the launch holds a broken cage");
        let mut take = Take::new(bytes);
        let level = Level::from_word(&take.text()?).ok_or_else(broken)?;
        let flags = take.u32()?;
        let is = |bit: u32| flags >> bit & 1 == 1;
        let shifted = paths(take.blobs()?);
        let steps = take.blobs()?.iter().map(|b| Step::decode(b)).collect::<Result<_>>()?;
        let port = |pair: &[u8]| pair.iter().rev().fold(0, |all, byte| all << 8 | u16::from(*byte));
        let ports = |bytes: &[u8]| bytes.chunks(2).map(port).collect::<Vec<u16>>();
        let (connect, listen) = (ports(take.blob()?), ports(take.blob()?));
        let (below, readable) = (paths(take.blobs()?), paths(take.blobs()?));
        Ok(Cage {
            level,
            processes: is(0),
            shifted,
            steps,
            rules: Rules {
                scopes: is(1),
                ports: is(4).then_some(Ports { connect, listen }),
                below: is(5).then_some(below),
                readable,
            },
            extra: Extra { limits: is(2), sockets: is(3) },
            closed: paths(take.blobs()?),
            open: paths(take.blobs()?),
            masks: paths(take.blobs()?),
            made: paths(take.blobs()?),
        })
    }
}

/// Lacking: processes outside can be seen, and slowed down.
pub const NO_PIDNS: &str = "no-pidns";
/// Lacking: abstract sockets can be reached.
pub const ABSTRACT_OPEN: &str = "abstract-open";
/// Lacking: the program is root, and the kernel's own files are root's.
pub const ROOT: &str = "root-not-a-boundary";

fn paths(blobs: Vec<Vec<u8>>) -> Vec<PathBuf> {
    blobs.iter().map(|bytes| path(bytes)).collect()
}

fn path(bytes: &[u8]) -> PathBuf {
    Path::new(OsStr::from_bytes(bytes)).to_path_buf()
}

/// Masks that no longer cover what they are to cover, as a process's list of mounts
/// (`/proc/PID/mountinfo`) has them.
pub fn lost<'a>(mountinfo: &str, masks: &'a [PathBuf]) -> Option<&'a Path> {
    let points: Vec<PathBuf> =
        mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape).collect();
    masks.iter().find(|mask| !points.contains(mask)).map(PathBuf::as_path)
}

/// The kernel writes blanks, tabs, line feeds and backslashes of paths as `\ooo`.
fn unescape(text: &str) -> PathBuf {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if bytes[at] == b'\\' => {
                out.push(byte);
                at += 4;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    path(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cage_survives_its_pipe_and_a_cut_one_is_an_error() {
        let cage = Cage {
            level: Level::Strict,
            processes: true,
            shifted: vec!["/".into()],
            steps: vec![Step::Hide("/a b".into()), Step::Own("/tmp".into(), 0o1777), Step::Seal],
            rules: Rules {
                scopes: true,
                ports: Some(Ports { connect: vec![443, 65535], listen: vec![0] }),
                below: Some(vec!["/usr".into()]),
                readable: vec!["/opt".into()],
            },
            extra: Extra { limits: false, sockets: true },
            closed: vec!["/k".into()],
            open: vec![],
            masks: vec!["/m".into(), "/n".into()],
            made: vec!["/p/.vscode".into()],
        };
        let bytes = cage.encode();
        assert_eq!(Cage::decode(&bytes).unwrap(), cage);
        for end in 0..bytes.len() {
            assert!(Cage::decode(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn a_mask_that_is_gone_is_found_in_the_list_of_mounts() {
        let info = "36 35 98:0 / / rw - ext4 /dev/root rw\n\
                    37 36 0:42 / /home/ann/a\\040b rw,nosuid - tmpfs tmpfs rw\n";
        let masks = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(lost(info, &masks(&["/home/ann/a b", "/"])), None);
        let gone = masks(&["/home/ann/a b", "/home/ann"]);
        assert_eq!(lost(info, &gone), Some(Path::new("/home/ann")));
    }
}
