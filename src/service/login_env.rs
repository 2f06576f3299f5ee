//! The environment of the user's login shell: what sessions start from, whoever called us.
//!
//! 1. The environment of the calling client or of the daemon MUST NOT reach a session unasked.
//! 2. A login shell that hangs or floods MUST NOT hang a start: the probe has a deadline and a cap.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::limits;
use crate::service::probe;
use crate::sys::user;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

/// Printed before the variables, so that what start-up files print is not taken for one.
const MARK: &str = "codepiper-environment";

/// The probe with its cached result.
#[derive(Default)]
pub struct LoginEnv {
    cached: Mutex<Option<(Instant, BTreeMap<String, String>)>>,
}

impl LoginEnv {
    /// Asks the login shell anew next time.
    pub fn forget(&self) {
        *self.cached.lock().unwrap_or_else(|e| e.into_inner()) = None;
    }

    /// The login shell's variables, not older than [`limits::SHELL_PROBE_FRESH`]. A shell that
    /// does not answer is logged and replaced by the account's plain facts.
    pub fn get(&self) -> BTreeMap<String, String> {
        // Held during the probe: sessions started together need one shell, not thirty.
        let mut cached = self.cached.lock().unwrap_or_else(|e| e.into_inner());
        if let Some((at, env)) = cached.as_ref()
            && time::now().duration_since(*at) < limits::SHELL_PROBE_FRESH
        {
            return env.clone();
        }
        let env = match ask_shell() {
            Ok(env) => env,
            Err(error) => {
                log::warn!("{}; sessions start with a plain environment", error.chain());
                plain()
            }
        };
        *cached = Some((time::now(), env.clone()));
        env
    }
}

/// What login(1) would set.
fn plain() -> BTreeMap<String, String> {
    let account = user::current();
    let home = std::env::var("HOME").unwrap_or_else(|_| account.home.display().to_string());
    let pairs = [
        ("HOME", home),
        ("USER", account.name.clone()),
        ("LOGNAME", account.name),
        ("SHELL", account.shell.display().to_string()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_string()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn ask_shell() -> Result<BTreeMap<String, String>> {
    let account = user::current();
    let shell = account.shell;
    let mut command = Command::new(&shell);
    command.args(["-l", "-c", &format!("printf '%s\\0' {MARK}; exec env -0")]);
    command.env_clear().envs(plain());
    // Found by /etc/profile or not; a login from ssh has them from elsewhere.
    for name in ["LANG", "XDG_RUNTIME_DIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let shown = format!("the login shell {}", shell.display());
    let output = probe::output(command, &shown, limits::SHELL_PROBE, limits::SHELL_PROBE_BYTES)?;
    parse(&output).ok_or_else(|| Error::internal(format!("{shown} does not print its environment")))
}

fn parse(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let text = String::from_utf8_lossy(bytes);
    let (_, variables) = text.split_once(&format!("{MARK}\0"))?;
    let pairs = variables.split('\0').filter_map(|pair| pair.split_once('='));
    let env: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect();
    env.contains_key("PATH").then_some(env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_start_up_files_print_is_not_taken_for_variables() {
        let text = format!("welcome A=1\n{MARK}\0PATH=/bin\0MULTI=a\nb=c\0");
        let env = parse(text.as_bytes()).unwrap();
        assert_eq!(env.len(), 2);
        assert_eq!(env["MULTI"], "a\nb=c");
        assert!(parse(b"PATH=/bin\0").is_none());
    }

    #[test]
    fn the_probe_answers_with_a_path_and_a_home() {
        let env = LoginEnv::default().get();
        assert!(env.contains_key("PATH") && env.contains_key("HOME"));
    }
}
