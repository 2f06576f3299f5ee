//! Who waits for a proof: programs in a line, proven one after the other by a thread that lives as
//! long as there are any, and the requests that go on once theirs is done.

use crate::base::error::{Error, Result};
use crate::base::thread;
use crate::base::time;
use crate::limits;
use crate::model::proof::Subject;
use crate::provider::Provider;
use crate::service::Service;
use crate::service::live::Command;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// Called once, on the proof's thread or at once: the proof has been tried, or cannot be.
pub type Then = Box<dyn FnOnce(Result<()>) + Send>;

/// The line.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The first is being proven while `works` is set.
    jobs: VecDeque<Job>,
    works: bool,
    /// The session that is the rehearsal.
    session: Option<String>,
    /// What this daemon has tried; an unclear proof is not tried again and again.
    tried: HashSet<Subject>,
    closed: bool,
}

struct Job {
    provider: &'static Provider,
    program: PathBuf,
    again: bool,
    then: Vec<Then>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Whether this daemon has tried to prove it.
    pub fn was_tried(&self, subject: &Subject) -> bool {
        self.lock().tried.contains(subject)
    }

    /// This daemon has tried to prove it.
    pub fn tried(&self, subject: &Subject) {
        self.lock().tried.insert(subject.clone());
    }

    /// The session that is the rehearsal at the moment.
    pub fn rehearses(&self, session: Option<&str>) {
        self.lock().session = session.map(str::to_string);
    }

    /// The daemon ends; nothing is proven any more.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn first(&self) -> Option<(&'static Provider, PathBuf, bool)> {
        let mut state = self.lock();
        let first = state.jobs.front().map(|job| (job.provider, job.program.clone(), job.again));
        state.works = first.is_some();
        first
    }

    fn take_first(&self) -> Vec<Then> {
        self.lock().jobs.pop_front().map(|job| job.then).unwrap_or_default()
    }
}

impl Service {
    /// Puts a program into the line, or a request to those that wait for it already.
    pub(super) fn enqueue(
        self: &Arc<Service>,
        provider: &'static Provider,
        program: PathBuf,
        again: bool,
        then: Then,
    ) {
        let mut state = self.proofs.queue.lock();
        let waiting: usize = state.jobs.iter().map(|job| job.then.len()).sum();
        if state.closed || waiting >= limits::PROOF_WAITING {
            drop(state);
            return then(Err(Error::busy(
                "too many starts wait for a proof of the gate; try again",
            )));
        }
        let is_it = |job: &&mut Job| job.provider.id == provider.id && job.program == program;
        match state.jobs.iter_mut().find(is_it) {
            Some(job) => job.then.push(then),
            None => state.jobs.push_back(Job { provider, program, again, then: vec![then] }),
        }
        if state.works {
            return;
        }
        state.works = true;
        drop(state);
        let service = self.clone();
        if let Err(error) = thread::spawn("proof", move || service.prove_all()) {
            let mut state = self.proofs.queue.lock();
            state.works = false;
            let jobs = std::mem::take(&mut state.jobs);
            drop(state);
            for then in jobs.into_iter().flat_map(|job| job.then) {
                then(Err(Error::busy(error.message.clone())));
            }
        }
    }

    fn prove_all(self: &Arc<Service>) {
        let _guard = Guard(&self.proofs.queue);
        while let Some((provider, program, again)) = self.proofs.queue.first() {
            if let Err(error) = self.prove(provider, &program, again) {
                log::warn!("the gate is not proven: {}", error.chain());
            }
            for then in self.proofs.queue.take_first() {
                then(Ok(()));
            }
        }
    }

    /// Ends a rehearsal that runs, and takes no more: the daemon stops, and its keeper must not
    /// outlive it.
    pub fn close_proofs(&self) {
        let session = {
            let mut state = self.proofs.queue.lock();
            state.closed = true;
            let waiting = usize::from(state.works);
            state.jobs.truncate(waiting);
            state.session.clone()
        };
        if let Some(live) = session.and_then(|id| self.records.live(&id)) {
            let _ = live.ask(Command::Stop { now: true });
        }
        let deadline = time::now() + limits::KILL_GRACE;
        while self.proofs.queue.lock().works && time::now() < deadline {
            std::thread::sleep(limits::gate::LOOK_AGAIN);
        }
    }
}

/// Lets the next proof start a new thread when this one has ended by a panic. Requests that waited
/// are answered by their own end.
struct Guard<'a>(&'a Queue);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.0.lock();
            state.works = false;
            state.jobs.clear();
        }
    }
}
