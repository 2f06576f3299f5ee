//! What Landlock adds to a cage of mounts: signals and abstract sockets end at its border, and TCP
//! ports can be listed. Never a right to files: a process with such a rule may not mount, and the
//! agents' own sandboxes are built by mounting.

use crate::base::error::{Code, Context, Error, Result};
use landlock::Access;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::CompatLevel;
use landlock::Compatible;
use landlock::NetPort;
use landlock::PathBeneath;
use landlock::PathFd;
use landlock::Ruleset;
use landlock::RulesetAttr;
use landlock::RulesetCreatedAttr;
use landlock::RulesetStatus;
use landlock::Scope;
use nix::errno::Errno;
use nix::libc;
use std::path::PathBuf;

/// The version from which signals and abstract sockets can be held (Linux 6.12).
pub const SCOPES: i32 = 6;
/// The version from which TCP ports can be listed (Linux 6.7).
pub const PORTS: i32 = 4;

/// The kernel's version of Landlock; 0 where there is none.
pub fn version() -> i32 {
    const ASK_VERSION: libc::c_ulong = 1;
    let none = std::ptr::null::<u8>();
    // SAFETY: a null structure of no size, with this flag, only asks.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, ASK_VERSION) };
    Errno::result(version).map_or(0, |version| version as i32)
}

/// TCP ports that may be connected to, and whether and where may be listened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ports {
    /// Ports to connect to, whatever the address.
    pub connect: Vec<u16>,
    /// Ports to listen on; 0 stands for one that the kernel chooses.
    pub listen: Vec<u16>,
}

/// What this process and all that come from it may still do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Signals and abstract sockets end at the border.
    pub scopes: bool,
    /// Only these ports.
    pub ports: Option<Ports>,
    /// Only files below these, where nothing can be mounted; for hosts without user namespaces.
    pub below: Option<Vec<PathBuf>>,
    /// And of these what is read or run.
    pub readable: Vec<PathBuf>,
}

/// Restricts this process for good; all of it or nothing.
pub fn restrict(rules: &Rules) -> Result<()> {
    // A kernel without scopes: the namespaces stand alone, and the cage's words say so.
    if *rules == Rules::default() {
        return Ok(());
    }
    let failed = || "Landlock does not restrict a process".to_string();
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if rules.scopes {
        ruleset = ruleset.scope(Scope::AbstractUnixSocket | Scope::Signal).internal(failed)?;
    }
    if rules.ports.is_some() {
        let both = AccessNet::BindTcp | AccessNet::ConnectTcp;
        ruleset = ruleset.handle_access(both).internal(failed)?;
    }
    let all = AccessFs::from_all(landlock::ABI::V3);
    if rules.below.is_some() {
        ruleset = ruleset.handle_access(all).internal(failed)?;
    }
    let mut created = ruleset.create().internal(failed)?;
    for (ports, access) in [
        (rules.ports.as_ref().map(|p| &p.connect), AccessNet::ConnectTcp),
        (rules.ports.as_ref().map(|p| &p.listen), AccessNet::BindTcp),
    ] {
        for port in ports.into_iter().flatten() {
            created = created.add_rule(NetPort::new(*port, access)).internal(failed)?;
        }
    }
    for path in rules.below.iter().flatten() {
        let open = match PathFd::new(path) {
            // Files come and go between the list and this.
            Err(_) if path.symlink_metadata().is_err() => continue,
            open => open.internal(failed)?,
        };
        let access = if path.is_dir() { all } else { AccessFs::from_file(landlock::ABI::V3) };
        created = created.add_rule(PathBeneath::new(open, access)).internal(failed)?;
    }
    for path in &rules.readable {
        let open = PathFd::new(path).internal(failed)?;
        let file = AccessFs::from_file(landlock::ABI::V3);
        let access = AccessFs::from_read(landlock::ABI::V3);
        let access = if path.is_dir() { access } else { access & file };
        created = created.add_rule(PathBeneath::new(open, access)).internal(failed)?;
    }
    match created.restrict_self().internal(failed)?.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        _ => Err(Error::new(Code::Failed, failed())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_nothing_to_hold_an_old_kernel_is_no_error() {
        assert!(restrict(&Rules::default()).is_ok());
    }

    #[test]
    fn what_is_gone_since_it_was_listed_opens_nothing_and_stops_nothing() {
        let dir = std::env::temp_dir().join(format!("cp-landlock-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("file"), "x").unwrap();
        let below = Some(vec![dir.join("gone"), dir.join("file")]);
        let (rules, beside) = (Rules { below, ..Rules::default() }, dir.join("beside"));
        std::fs::write(&beside, "x").unwrap();
        // It holds the thread that asks for it, and none of the others.
        let held = std::thread::spawn(move || {
            restrict(&rules).unwrap();
            (std::fs::read(dir.join("file")).is_ok(), std::fs::read(beside).is_ok())
        });
        assert_eq!(held.join().unwrap(), (true, false));
    }
}
