//! Attempts to log in: counted first, then judged one after the other by one thread, because each
//! takes 64 MiB and a fifth of a second of a processor.

use crate::auth::limiter;
use crate::auth::limiter::Scope;
use crate::base::error::{Code, Error, Result};
use crate::base::secret::Secret;
use crate::base::thread;
use crate::base::time;
use crate::limits;
use crate::model::login::Visitor;
use crate::service::Service;
use crate::service::login::device;
use crate::service::login::record;
use crate::store::attempts;
use crossbeam_channel::Sender;
use std::sync::Arc;

type Job = Box<dyn FnOnce() + Send>;

/// The name that all attempts together are counted under.
const ALL: &str = "all";

/// Those that wait for the thread `login`.
pub(super) struct Line {
    jobs: Sender<Job>,
}

impl Line {
    pub(super) fn start() -> Result<Line> {
        let (jobs, line) = crossbeam_channel::bounded::<Job>(limits::login::HASHES_WAITING);
        thread::spawn("login", move || line.iter().for_each(run))?;
        Ok(Line { jobs })
    }
}

/// A panic costs its own request, which answers by being dropped, and not the thread.
fn run(job: Job) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)) {
        log::error!("an attempt to log in panicked: {}", thread::panic_text(&*panic));
    }
}

impl Service {
    /// Counts an attempt of `visitor`, lets `judge` look at it when its turn comes, and hands what
    /// came of it to `then`. Too many: [`Code::Wait`], and nothing is looked at.
    pub fn attempt<T: 'static>(
        self: &Arc<Service>,
        visitor: Visitor,
        judge: impl FnOnce(&Service, &Visitor) -> Result<T> + Send + 'static,
        then: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        if let Err(error) = self.count(&visitor) {
            return then(Err(error));
        }
        let judged = move |service: &Service| {
            let done = judge(service, &visitor)?;
            service.uncount(&visitor);
            Ok(done)
        };
        self.in_turn(judged, then);
    }

    /// The same for the person's own programs, which are not counted.
    pub fn in_turn<T: 'static>(
        self: &Arc<Service>,
        work: impl FnOnce(&Service) -> Result<T> + Send + 'static,
        then: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        // Either the line takes both, or they are needed for the answer that it is full.
        let service = self.clone();
        let both = Arc::new(std::sync::Mutex::new(Some((work, then))));
        let theirs = both.clone();
        let take = |both: &std::sync::Mutex<Option<_>>| {
            both.lock().unwrap_or_else(|e| e.into_inner()).take()
        };
        let job = move || {
            if let Some((work, then)) = take(&theirs) {
                then(work(&service));
            }
        };
        if self.logins.line.jobs.try_send(Box::new(job)).is_err()
            && let Some((_, then)) = take(&both)
        {
            then(Err(wait(limits::login::HASH_RETRY)));
        }
    }

    fn count(&self, visitor: &Visitor) -> Result<()> {
        let (scope, name) = self.counted_as(visitor);
        let by = visitor.shown();
        let seconds = self.store().write(move |tx| {
            let now = time::unix_ms();
            let (mut own, mut all) = (attempts::get(tx, &name)?, attempts::get(tx, ALL)?);
            let others = if scope == Scope::Device { None } else { all.wait(Scope::All, now) };
            let waits = [own.wait(scope, now), others];
            if let Some(wait) = waits.into_iter().flatten().max() {
                return Ok(Some(wait.as_millis().div_ceil(1000) as u32));
            }
            own.add(now);
            if scope != Scope::Device {
                all.add(now);
            }
            if own.wait(scope, now).is_some() {
                let what = format!("further attempts have to wait after {} of them", own.tries);
                record::refused(tx, &by, &what)?;
            }
            attempts::put(tx, &name, own, limits::login::ADDRESSES)?;
            attempts::put(tx, ALL, all, limits::login::ADDRESSES)?;
            Ok(None)
        })?;
        seconds.map_or(Ok(()), |seconds| Err(wait(seconds)))
    }

    /// A browser that is known counts for itself, wherever it is; what others try is not its fault.
    fn counted_as(&self, visitor: &Visitor) -> (Scope, String) {
        let shown = visitor.device.as_ref().map(Secret::expose);
        match shown.and_then(|text| device::name(&self.logins.keys, text)) {
            Some(name) => (Scope::Device, name),
            None => limiter::scope(&visitor.address),
        }
    }

    /// It was the person: their own mistakes before are forgiven, others' are not.
    fn uncount(&self, visitor: &Visitor) {
        let (scope, name) = self.counted_as(visitor);
        let done = self.store().write(move |tx| {
            attempts::forget(tx, &name)?;
            if scope == Scope::Device {
                return Ok(());
            }
            let mut all = attempts::get(tx, ALL)?;
            all.take_back();
            attempts::put(tx, ALL, all, limits::login::ADDRESSES)
        });
        if let Err(error) = done {
            log::warn!("{}", error.chain());
        }
    }
}

fn wait(seconds: u32) -> Error {
    let seconds = seconds.max(1);
    Error::new(Code::Wait(seconds), format!("too many attempts; try again in {seconds} s"))
}
