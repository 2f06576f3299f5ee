//! Starts a program in its cage: the keeper's side.
//!
//! The keeper, init and the program talk over one socket pair whose every message begins with a
//! letter:
//!
//! | from | message | meaning |
//! |---|---|---|
//! | init | `u` | it is there, and waits for its ids |
//! | keeper | `g` | it has them |
//! | program | `t` + descriptor | the terminal's master |
//! | program | `m` + descriptor | the list of its mounts |
//! | either | `c` + text | the cage cannot be built |
//! | program | `p` + step, errno | the program cannot be run |
//! | init | `x` | it runs |
//! | init | `e` + signal?, number | it has ended, and how |

use crate::base::error::{Code, Error, Result};
use crate::cage::Cage;
use crate::cage::Level;
use crate::cage::agent;
use crate::cage::init;
use crate::cage::shift;
use crate::cage::watch::Watch;
use crate::sys::namespace;
use crate::sys::namespace::Map;
use crate::sys::namespace::Side;
use crate::sys::proc;
use crate::sys::proc::Ended;
use crate::sys::pty;
use crate::sys::pty::Program;
use std::fs::File;
use std::os::fd::OwnedFd;

/// A program that runs in its cage.
pub struct Caged {
    /// The terminal's master side.
    pub master: OwnedFd,
    /// The program, as seen from outside.
    pub pid: i32,
    /// None where there are no namespaces.
    pub inside: Option<Inside>,
}

/// What there is to a program in namespaces of its own.
pub struct Inside {
    /// The init of its cage, our child.
    pub init: i32,
    /// Where init tells how the program ended.
    pub report: OwnedFd,
    /// Notices lost masks, until it has noticed one.
    pub watch: Option<Watch>,
}

/// Begins the message of a cage that cannot be built, where nothing is wrong with the program.
pub const CANNOT: &str = "cannot build a cage: ";

/// Starts `program` in `cage`. The caller must have one thread only.
pub fn start(program: &mut Program, cage: &Cage) -> Result<Caged> {
    let (ours, theirs) = pty::pair()?;
    namespace::want_credentials(&ours)?;
    let maps = maps(cage, proc::uid(), namespace::gid());
    let outside = init::Outside { keeper: std::process::id(), maps: inner(cage, maps) };
    let bare = cage.level == Level::KeysOnly;
    let apart = if cage.processes { namespace::PROCESSES } else { 0 };
    let namespaces = match (bare, cage.shifted.is_empty()) {
        (true, _) => 0,
        (false, true) => namespace::BUILD | apart,
        (false, false) => namespace::MOUNTS,
    };
    match namespace::fork(namespaces).map_err(cannot)? {
        Side::Child if bare => agent::run_bare(program, cage, &theirs),
        Side::Child => {
            drop(ours);
            if !cage.shifted.is_empty() {
                shift(cage, namespace::BUILD | apart | namespace::SIBLING, &theirs);
            }
            init::run(program, cage, &outside, theirs)
        }
        Side::Parent(first) => {
            drop(theirs);
            let mut init = first;
            follow(program, cage, maps, ours, &mut init).inspect_err(|_| {
                for pid in [first, init] {
                    let _ = proc::signal(pid, crate::sys::signal::Name::SIGKILL);
                    proc::wait(pid);
                }
            })
        }
    }
}

/// Shows the file system with other owners, and comes back as init, which is the keeper's child and
/// has that view from its birth. Its ids can be given only by who stayed outside.
fn shift(cage: &Cage, namespaces: i32, keeper: &OwnedFd) {
    match shift::view(&cage.shifted).and_then(|()| namespace::fork(namespaces)) {
        Ok(Side::Child) => {}
        Ok(Side::Parent(_)) => namespace::exit(0),
        Err(error) => {
            say_cannot(keeper, &error);
            namespace::exit(1)
        }
    }
}

/// An error of the cage's, told apart from the program's.
fn cannot(error: Error) -> Error {
    Error::new(Code::Failed, format!("{CANNOT}{}", error.chain()))
}

fn follow(
    program: &Program,
    cage: &Cage,
    (users, groups): (Map, Map),
    ours: OwnedFd,
    init: &mut i32,
) -> Result<Caged> {
    let bare = cage.level == Level::KeysOnly;
    let (mut master, mut watch) = (None, None);
    loop {
        let mut bytes = [0; 1024];
        let message = pty::receive(&ours, &mut bytes)?;
        let text = bytes.get(1..message.count).unwrap_or_default();
        match bytes[..message.count].first() {
            Some(b'u') => {
                let first = std::mem::replace(init, message.pid.unwrap_or(*init));
                if first != *init {
                    proc::wait(first);
                }
                namespace::map_ids(*init, users, groups).map_err(cannot)?;
                pty::send(&ours, b"g")?;
            }
            Some(b't') => master = message.fd.zip(message.pid),
            Some(b'p') => return Err(pty::blame(program, text)),
            Some(b'c') => {
                return Err(cannot(Error::internal(String::from_utf8_lossy(text).into_owned())));
            }
            Some(b'm') => watch = message.fd.map(|fd| Watch::new(File::from(fd), &cage.masks)),
            Some(b'x') => {
                return started(master, Some(Inside { init: *init, report: ours, watch }));
            }
            Some(_) => {}
            // Exec has closed it.
            None if bare => return started(master, None),
            None => return Err(cannot(Error::internal("its init ended without a word"))),
        }
    }
}

fn started(master: Option<(OwnedFd, i32)>, inside: Option<Inside>) -> Result<Caged> {
    let none = || cannot(Error::internal("no terminal came out of it"));
    let (master, pid) = master.ok_or_else(none)?;
    crate::sys::poll::set_nonblocking(&master, true)?;
    Ok(Caged { master, pid, inside })
}

/// The ids of a cage: the user's own, or, for root, others, or all of them where files could not
/// belong to whom they did otherwise.
fn maps(cage: &Cage, uid: u32, gid: u32) -> (Map, Map) {
    if !cage.shifted.is_empty() {
        return (shift::OUTER, shift::OUTER);
    }
    let all = uid == 0 && namespace::may_map_all();
    let own = |id: u32| match all {
        true => Map { inside: 0, outside: 0, count: u32::MAX },
        false => Map { inside: id, outside: id, count: 1 },
    };
    (own(uid), own(gid))
}

/// Those of the namespace within.
fn inner(cage: &Cage, outer: (Map, Map)) -> (Map, Map) {
    match cage.shifted.is_empty() {
        true => outer,
        false => (shift::INNER, shift::INNER),
    }
}

/// How a caged program ended, as its init has told; `None` while it runs.
pub fn ended(report: &OwnedFd) -> Option<Ended> {
    let mut bytes = [0; 16];
    loop {
        let count = pty::receive_now(report, &mut bytes)?;
        let [b'e', by_signal, number @ ..] = bytes.get(..count)? else { continue };
        let number = i32::from_le_bytes(number.try_into().ok()?);
        return Some(if *by_signal == 1 { Ended::Signal(number) } else { Ended::Code(number) });
    }
}

/// What [`ended`] reads.
pub fn end_message(ended: Ended) -> Vec<u8> {
    let (by_signal, number) = match ended {
        Ended::Code(code) => (0, code),
        Ended::Signal(number) => (1, number),
    };
    [&[b'e', by_signal][..], &number.to_le_bytes()].concat()
}

/// Says over the socket pair why there is no cage.
pub fn say_cannot(to: &OwnedFd, error: &Error) {
    let text: Vec<u8> = error.chain().into_bytes();
    let cut = text.len().min(1000);
    let _ = pty::send(to, &[b"c", &text[..cut]].concat());
}
