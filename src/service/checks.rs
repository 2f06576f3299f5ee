//! What must hold before an agent is started under the gate.
//!
//! 1. A version whose hooks were not seen to hold MUST NOT be started: older ones let a call run
//!    when its hook fails.

use crate::base::error::{Code, Error, Result};
use crate::limits;
use crate::provider;
use crate::provider::Provider;
use crate::provider::Version;
use crate::service::Service;
use crate::service::probe;
use crate::sys::file;
use crate::sys::file::Stamp;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

/// Versions by the state of the program's file: asking takes a tenth of a second.
#[derive(Default)]
pub struct KnownVersions(Mutex<HashMap<Stamp, Version>>);

impl Service {
    /// Refuses a program of `provider` that is too old, or does not say how old it is.
    pub fn check_version(
        &self,
        provider: &Provider,
        program: &Path,
        env: &BTreeMap<String, String>,
    ) -> Result<()> {
        let Some(versions) = provider.versions else { return Ok(()) };
        let found = self.version(program, env)?;
        if found >= versions.oldest {
            return Ok(());
        }
        let (label, shown) = (provider.label, program.display());
        let (found, oldest) = (dotted(found), dotted(versions.oldest));
        Err(Error::new(
            Code::Failed,
            format!(
                "{label} {found} at {shown} is older than {oldest}, the first whose hooks hold; \
                 update it"
            ),
        ))
    }

    /// What the program answers to `--version`.
    pub fn version(&self, program: &Path, env: &BTreeMap<String, String>) -> Result<Version> {
        let stamp = file::stamp(program)?;
        let held = || self.versions.0.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(version) = held().get(&stamp) {
            return Ok(*version);
        }
        let mut command = Command::new(program);
        command.arg("--version").env_clear();
        command.envs(env.iter().filter(|(name, _)| ["PATH", "HOME", "LANG"].contains(&&***name)));
        let what = format!("{} --version", program.display());
        let (wait, most) = (limits::gate::PROGRAM_PROBE, limits::gate::PROGRAM_PROBE_BYTES);
        let printed = probe::output(command, &what, wait, most)?;
        let version = provider::parse_version(&String::from_utf8_lossy(&printed));
        let unknown = || Error::new(Code::Failed, format!("{what} does not print a version"));
        let version = version.ok_or_else(unknown)?;
        held().insert(stamp, version);
        Ok(version)
    }
}

/// `2.1.330`.
pub fn dotted((major, minor, patch): Version) -> String {
    format!("{major}.{minor}.{patch}")
}
