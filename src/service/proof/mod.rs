//! The proof of the gate: before a session runs an agent's program for the first time, that very
//! program is seen, in a rehearsal, to leave undone what the gate denies.
//!
//! A rehearsal (run.rs) is a session like any other, through the same start line, keeper, hook,
//! socket and secret, in a throw-away home and against a scripted model (model.rs, script.rs). What
//! it showed (judge.rs) is kept for that program and this build of ours (store/proofs.rs).
//!
//! 1. A program that was disproved MUST NOT be started.
//! 2. What is proven MUST be the file that is started, not one of the same name.
//! 3. Rehearsals MUST run one at a time on a thread of their own: the workers answer their hooks.

pub mod hash;
pub mod judge;
pub mod left;
pub mod model;
pub mod queue;
pub mod report;
pub mod run;
pub mod script;

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::base::time;
use crate::model::proof::Outcome;
use crate::model::proof::Proof;
use crate::model::proof::Subject;
use crate::model::session::Session;
use crate::provider;
use crate::provider::Provider;
use crate::provider::env;
use crate::service::Service;
use crate::service::checks;
use crate::service::program;
use crate::service::proof::hash::Facts;
use crate::service::proof::hash::Programs;
use crate::service::proof::queue::Queue;
use crate::service::proof::queue::Then;
use crate::store::proofs;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// The setting that switches proofs off.
pub const SETTING: &str = "proveGate";

/// What is known of programs, and who waits for a proof.
#[derive(Default)]
pub struct Proofs {
    programs: Programs,
    queue: Queue,
}

impl Service {
    /// Calls `then` once the program that a session of `provider` in `cwd` would run has had its
    /// proof: at once where it had, or needs none. What the proof showed is for the start to
    /// judge; the error is `Busy` where too many wait already.
    pub fn prove_first(
        self: &Arc<Service>,
        provider: &str,
        cwd: &str,
        given: &BTreeMap<String, String>,
        then: Then,
    ) {
        // What cannot be found or started is the start's to say.
        let found = provider::find(provider).and_then(|provider| {
            let program = self.find_agent(provider, &program::check_cwd(cwd)?, given)?;
            if let Some(program) = &program {
                self.check_version(provider, program, &self.login_env.get())?;
            }
            Ok((provider, program))
        });
        match found {
            Ok((provider, Some(program))) if self.wants_proof(provider, &program) => {
                self.enqueue(provider, program, false, then);
            }
            _ => then(Ok(())),
        }
    }

    /// Proves the gate on the installed agents again, or on that of one provider; `then` hears when
    /// that is done, or why it cannot be.
    pub fn prove_again(self: &Arc<Service>, provider: Option<&str>, then: Then) {
        let mut agents = Vec::new();
        match provider.map(provider::find) {
            Some(Err(error)) => return then(Err(error)),
            Some(Ok(one)) => agents.push(one),
            None => agents.extend(provider::PROVIDERS),
        }
        let find = |provider: &'static Provider| {
            let found = self.find_agent(provider, Path::new("/"), &BTreeMap::new());
            found.map(|program| program.map(|program| (provider, program)))
        };
        let mut due = match (provider, agents.as_slice()) {
            (Some(_), [one]) => match find(one) {
                Ok(Some(one)) => vec![one],
                Ok(None) => {
                    let message = format!("{} has no gate that could be proven", one.label);
                    return then(Err(Error::invalid(message)));
                }
                Err(error) => return then(Err(error)),
            },
            _ => agents.into_iter().filter_map(|p| find(p).ok().flatten()).collect(),
        };
        // They run in this order, so the last one's end is the end of all.
        let Some((last, program)) = due.pop() else { return then(Ok(())) };
        for (provider, program) in due {
            self.enqueue(provider, program, true, Box::new(|_| ()));
        }
        self.enqueue(last, program, true, then);
    }

    /// The program that a session of `provider` would run; `None` where it has no gate.
    pub(super) fn find_agent(
        &self,
        provider: &Provider,
        cwd: &Path,
        given: &BTreeMap<String, String>,
    ) -> Result<Option<PathBuf>> {
        let (Some(name), true) = (provider.program, provider.rehearsal.is_some()) else {
            return Ok(None);
        };
        let vars = env::base(&self.login_env.get(), given)?;
        let variable = |name: &str| vars.get(name).cloned().unwrap_or_default();
        program::resolve(name, &variable("PATH"), cwd, Path::new(&variable("HOME"))).map(Some)
    }

    /// Whether a start has to wait for a proof.
    fn wants_proof(&self, provider: &Provider, program: &Path) -> bool {
        let known = |facts: Facts| self.proof_in_force(&subject(provider, &facts));
        self.flag(SETTING)
            && !self.proofs.programs.known(program).is_some_and(|f| matches!(known(f), Ok(Some(_))))
    }

    /// Whether sessions may run `program`: its digest, where it has been proven or tried. `Denied`
    /// where the gate was seen not to hold.
    pub fn check_proof(&self, provider: &Provider, program: &Path) -> Result<Option<[u8; 32]>> {
        if provider.rehearsal.is_none() || !self.flag(SETTING) {
            return Ok(None);
        }
        let facts = match self.facts(program) {
            Ok(facts) => facts,
            Err(error) => {
                log::warn!("the gate is not proven: {}", error.chain());
                return Ok(None);
            }
        };
        let shown = program.display();
        match self.proof_in_force(&subject(provider, &facts))? {
            Some(proof) if proof.outcome == Outcome::Disproved => Err(Error::denied(format!(
                "{} {} is not started, the gate does not hold: {} ({shown}, SHA-256 \
                 {}); see: codepiper doctor",
                provider.label,
                proof.version,
                proof.detail,
                id::hex(&facts.sha256),
            ))),
            Some(_) => Ok(Some(facts.sha256)),
            None => Err(Error::busy(format!("{shown} has just been changed; try again"))),
        }
    }

    /// The proof that counts for a start. One that was unclear counts for the daemon that tried
    /// it; the next one tries again.
    fn proof_in_force(&self, subject: &Subject) -> Result<Option<Proof>> {
        let proof = self.store().read(|conn| proofs::get(conn, subject))?;
        Ok(proof.filter(|p| p.outcome != Outcome::Unclear || self.proofs.queue.was_tried(subject)))
    }

    /// What `program` is; reads the whole file where that is not known.
    pub(super) fn facts(&self, program: &Path) -> Result<Facts> {
        let ask = || {
            let version = self.version(program, &self.login_env.get());
            version.map(checks::dotted).unwrap_or_default()
        };
        self.proofs.programs.facts(program, ask)
    }

    /// How a session's gate is proven: `proven`, `disproved`, `unclear`, `none` where nothing is
    /// known of its program, `n/a` where it has no gate.
    pub fn gate_proof(&self, row: &Session) -> &'static str {
        if !provider::find(&row.provider).is_ok_and(|p| p.rehearsal.is_some()) {
            return "n/a";
        }
        let (Some(program_sha256), Some(build)) = (row.program_sha256, row.hook_build.clone())
        else {
            return "none";
        };
        let subject = Subject { provider: row.provider.clone(), program_sha256, build };
        let proof = self.store().read(|conn| proofs::get(conn, &subject)).ok().flatten();
        proof.map_or("none", |proof| proof.outcome.word())
    }

    /// How the gate of an installed agent is proven, in the words of [`Service::gate_proof`].
    pub(super) fn proof_of(&self, provider: &Provider, facts: &Facts) -> &'static str {
        let subject = subject(provider, facts);
        let proof = self.store().read(|conn| proofs::get(conn, &subject)).ok().flatten();
        proof.map_or("none", |proof| proof.outcome.word())
    }

    /// Whether a session is a rehearsal and no user's: it stands on its own stage.
    pub fn is_proof(&self, id: &str, cwd: &str) -> bool {
        Path::new(cwd) == self.paths.proof_project(id)
    }

    /// Proves the gate on one program now, and keeps what it showed.
    fn prove(
        self: &Arc<Service>,
        provider: &'static Provider,
        program: &Path,
        again: bool,
    ) -> Result<()> {
        let facts = self.facts(program)?;
        let subject = subject(provider, &facts);
        if !again && self.proof_in_force(&subject)?.is_some() {
            return Ok(());
        }
        let (outcome, detail) = self.rehearse(provider, program);
        if self.proofs.queue.is_closed() {
            // The daemon ends, and ended it.
            return Ok(());
        }
        let shown = program.display();
        let Facts { version, .. } = facts;
        match outcome {
            Outcome::Proven => log::info!("gate proven on {} {version}, {shown}", provider.label),
            _ => log::warn!("gate {} on {shown} {version}: {detail}", outcome.word()),
        }
        self.proofs.queue.tried(&subject);
        let proof = Proof { subject, version, outcome, detail, at_ms: time::unix_ms() };
        self.store().write(move |tx| proofs::put(tx, &proof))
    }
}

fn subject(provider: &Provider, facts: &Facts) -> Subject {
    Subject {
        provider: provider.id.to_string(),
        program_sha256: facts.sha256,
        build: crate::BUILD.to_string(),
    }
}
