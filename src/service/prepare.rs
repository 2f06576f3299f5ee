//! Works out what a session runs: the agent's start line and files, the environment, the program.
//! Starts nothing.
//!
//! 1. A file that a start needs MUST be read back and found to be what was written: an agent skips
//!    a settings file with an error in it, gate and all.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::id;
use crate::base::secret::Vars;
use crate::keeper::launch::Launch;
use crate::model::redact::exact::Needles;
use crate::model::redact::exact::masks::Masked;
use crate::model::session::Session;
use crate::provider;
use crate::provider::LaunchRequest;
use crate::provider::Provider;
use crate::provider::env;
use crate::service::Service;
use crate::service::conversation::Conversation;
use crate::service::policy_sets::SetView;
use crate::service::program;
use crate::service::sandbox;
use crate::sys::file;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

/// What a start depends on besides its row.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// Variables that a person gave by name.
    pub given: &'a Vars,
    /// The conversation to go on with.
    pub talk: Option<&'a Conversation>,
    /// The program of a rehearsal, which is not looked up and not proven.
    pub rehearsed: Option<&'a Path>,
    /// The policy sets that hold from its first call on, in the default set's place.
    pub policy_sets: Option<&'a [SetView]>,
}

/// A program with everything around it, ready to be launched.
pub(super) struct Prepared {
    pub launch: Launch,
    /// What was put into its environment, for as long as it is known.
    pub masked: Masked,
    secret_sha256: [u8; 32],
    /// Build and SHA-256 of the copy that hooks run.
    hook: Option<(String, [u8; 32])>,
    program_sha256: Option<[u8; 32]>,
}

impl Prepared {
    /// Notes in a session's row what it will run.
    pub fn note(&self, row: &mut Session) {
        row.program = self.launch.program.display().to_string();
        row.secret_sha256 = Some(self.secret_sha256);
        (row.hook_build, row.hook_sha256) = self.hook.clone().unzip();
        row.program_sha256 = self.program_sha256;
    }
}

impl Service {
    /// Works out the launch and writes the files that it needs.
    pub(super) fn prepare(
        &self,
        provider: &Provider,
        row: &Session,
        cwd: &Path,
        around: &Around<'_>,
    ) -> Result<Prepared> {
        let Around { given, talk, rehearsed, .. } = *around;
        env::check_billing(row.billing, provider.keys, given)?;
        let given = &self.injected(provider, row, given)?;
        let secret = id::hex(&id::random::<32>()?);
        let hooked = provider.capabilities.native_hooks;
        let hook_program = self.paths.hook_program(crate::BUILD);
        let hook_sha256 = if hooked { Some(self.pin()?) } else { None };
        let dir = self.paths.session(&row.id);
        file::private_dir(&dir)?;
        let hook_socket = self.paths.hook_socket();
        let real_cwd =
            cwd.canonicalize().internal(|| format!("cannot find out where {} is", row.cwd))?;
        let request = LaunchRequest {
            session: &row.id,
            args: &row.args,
            given,
            hook_program: path_text(&hook_program)?,
            hook_socket: path_text(&hook_socket)?,
            secret: &secret,
            dir: path_text(&dir)?,
            resume: talk.map(|talk| talk.id.as_str()),
            fork: talk.is_some_and(|talk| talk.fork),
            cwd: path_text(&real_cwd)?,
            project_settings: row.project_settings,
        };
        let planned = provider::launch(provider, &request)?;
        write_files(provider, &request, &planned)?;
        let (base, found) = self.locate(provider, &planned.program, cwd, given, rehearsed)?;
        let mut vars = Vars::from(self.keys.of(provider, row.billing));
        vars.put_all(&base);
        planned.env.into_iter().for_each(|(name, value)| vars.put(name, value));
        let masked = match rehearsed {
            // Its variables are made up, and what it did is looked at.
            Some(_) => self.store().masks().add(Needles::default()),
            None => self.masked(provider, row.billing, given, Some(&secret)),
        };
        let program_sha256 = match rehearsed {
            Some(_) => None,
            None => self.check_program(provider, &found)?,
        };
        let mut args = vec![planned.program];
        args.extend(planned.args);
        let cage = self.plan_cage(row, cwd, &found, &vars, (&planned.files, &planned.dirs))?;
        let launch = Launch {
            session: row.id.clone(),
            build: crate::BUILD.to_string(),
            socket: self.paths.keeper(&row.id),
            log_dir: self.paths.session_log(&row.id),
            log_keep: self.number("sessionLogBytes"),
            epoch: row.epoch,
            descriptors: self.soft_limit,
            cols: row.cols,
            rows: row.rows,
            program: found,
            args,
            env: vars.into_pairs(),
            cwd: sandbox::seen(cage.as_ref(), cwd, &real_cwd),
            cage,
        };
        let secret_sha256 = Sha256::digest(secret.as_bytes()).into();
        let hook = hook_sha256.map(|digest| (crate::BUILD.to_string(), digest));
        Ok(Prepared { launch, masked, secret_sha256, hook, program_sha256 })
    }

    /// Refuses an agent's program that is too old or whose gate does not hold; its digest, where it
    /// has been proven.
    fn check_program(&self, provider: &Provider, program: &Path) -> Result<Option<[u8; 32]>> {
        // Asked outside of the session, and so without its secrets.
        let plain = env::base(&self.login_env.get(), &BTreeMap::new())?;
        self.check_version(provider, program, &plain)?;
        self.check_proof(provider, program)
    }

    /// The base environment of a session, and the program that its PATH leads to.
    fn locate(
        &self,
        provider: &Provider,
        program: &str,
        cwd: &Path,
        given: &BTreeMap<String, String>,
        rehearsed: Option<&Path>,
    ) -> Result<(Vars, PathBuf)> {
        let find = || {
            let vars = env::base(&self.login_env.get(), given)?;
            if let Some(program) = rehearsed {
                return Ok((vars, program.to_path_buf()));
            }
            let path = vars.get("PATH").cloned().unwrap_or_default();
            let home = PathBuf::from(vars.get("HOME").cloned().unwrap_or_default());
            program::resolve(program, &path, cwd, &home).map(|found| (vars, found))
        };
        // Somebody may have just installed it: ask the login shell again before saying no.
        find()
            .or_else(|error| match error.code {
                Code::Failed => {
                    self.login_env.forget();
                    find()
                }
                _ => Err(error),
            })
            .map_err(|mut error| {
                if provider.program.is_some() && error.code == Code::Failed {
                    let (label, what) = (provider.label, error.message);
                    error.message = format!("{label} is not installed here: {what}");
                }
                error
            })
    }
}

/// Makes the directories of a launch and writes its files; one that reads back as anything else is
/// no gate.
fn write_files(
    provider: &Provider,
    request: &LaunchRequest<'_>,
    launch: &provider::Launch,
) -> Result<()> {
    launch.dirs.iter().try_for_each(|dir| file::private_dir(Path::new(dir)))?;
    for planned in &launch.files {
        let path = Path::new(&planned.path);
        file::replace(path, planned.text.as_bytes(), 0o600, false)?;
        let text = std::fs::read_to_string(path)
            .internal(|| format!("cannot read back {}", planned.path))?;
        provider.check_file(&text, request.hook_program, request.hook_socket)?;
    }
    Ok(())
}

fn path_text(path: &Path) -> Result<&str> {
    let shown = path.display();
    path.to_str().ok_or_else(|| Error::invalid(format!("{shown} is not UTF-8; rename it")))
}
