//! Requests that wait for something to happen in a session: values in a list, not threads.

use crate::base::error::{Error, Result};
use crate::base::thread;
use crate::base::time;
use crate::limits;
use crate::service::news::News;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use std::time::Instant;

/// A condition: true once what was waited for is so. Must be quick; it runs under the lock.
pub type Check = Box<dyn FnMut() -> bool + Send>;

/// Called once: true when the condition came true, false when the time was over.
pub type Finish = Box<dyn FnOnce(bool) + Send>;

/// The list of all who wait.
#[derive(Default)]
pub struct Waits {
    parked: Mutex<List>,
    changed: Condvar,
    /// Who watches everything.
    pub news: News,
}

#[derive(Default)]
struct List {
    entries: Vec<Parked>,
    last: u64,
}

struct Parked {
    ticket: u64,
    session: String,
    deadline: Instant,
    check: Check,
    finish: Finish,
}

impl Waits {
    /// An empty list and its timer thread, which sleeps while nobody waits.
    pub fn start() -> Result<Arc<Waits>> {
        let waits = Arc::new(Waits::default());
        let timer = waits.clone();
        thread::spawn("waits", move || timer.run())?;
        Ok(waits)
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.parked.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Parks a request until `check` is true after a change in `session`, at most for `wait`.
    /// Returns a ticket for [`Waits::cancel`]. Full: `Busy`.
    pub fn park(
        &self,
        session: &str,
        wait: Duration,
        mut check: Check,
        finish: Finish,
    ) -> Result<u64> {
        let mut list = self.lock();
        // Under the lock, so that a change between this look and the parking is not missed.
        if check() {
            drop(list);
            finish(true);
            return Ok(0);
        }
        if list.entries.len() >= limits::PARKED {
            return Err(Error::busy("too many requests wait already; try again later"));
        }
        list.last += 1;
        let (ticket, session) = (list.last, session.to_string());
        let deadline = time::now() + wait.min(limits::PARK_WAIT);
        list.entries.push(Parked { ticket, session, deadline, check, finish });
        self.changed.notify_one();
        Ok(ticket)
    }

    /// Forgets a request whose client is gone.
    pub fn cancel(&self, ticket: u64) {
        self.lock().entries.retain(|p| p.ticket != ticket);
    }

    /// Something happened in `session`: answers those whose condition is true now, and tells those
    /// who watch everything.
    pub fn notify(&self, session: &str) {
        self.news.tell(session);
        let met = |p: &mut Parked| p.session == session && (p.check)();
        let ready: Vec<Parked> = self.lock().entries.extract_if(.., met).collect();
        ready.into_iter().for_each(|p| (p.finish)(true));
    }

    fn run(&self) {
        let mut list = self.lock();
        loop {
            let now = time::now();
            let late: Vec<Parked> = list.entries.extract_if(.., |p| p.deadline <= now).collect();
            if !late.is_empty() {
                drop(list);
                late.into_iter().for_each(|p| (p.finish)(false));
                list = self.lock();
                continue;
            }
            let next = list.entries.iter().map(|p| p.deadline).min();
            list = match next {
                None => self.changed.wait(list).unwrap_or_else(|e| e.into_inner()),
                Some(at) => {
                    let wait = self.changed.wait_timeout(list, time::until(at));
                    wait.unwrap_or_else(|e| e.into_inner()).0
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc;

    #[test]
    fn a_request_is_answered_by_its_condition_or_by_the_clock_and_once() {
        let waits = Waits::start().unwrap();
        let (tell, told) = mpsc::channel();
        let flag = Arc::new(AtomicBool::new(false));
        let see = flag.clone();
        let answer = tell.clone();
        let check: Check = Box::new(move || see.load(Ordering::SeqCst));
        let finish: Finish = Box::new(move |met| answer.send(("flag", met)).unwrap());
        waits.park("a", Duration::from_secs(60), check, finish).unwrap();
        waits.notify("a");
        let answer = tell.clone();
        let finish: Finish = Box::new(move |met| answer.send(("clock", met)).unwrap());
        waits.park("a", Duration::from_millis(1), Box::new(|| false), finish).unwrap();
        assert_eq!(told.recv().unwrap(), ("clock", false));
        flag.store(true, Ordering::SeqCst);
        waits.notify("b");
        waits.notify("a");
        waits.notify("a");
        assert_eq!(told.recv().unwrap(), ("flag", true));
        assert!(told.try_recv().is_err());
    }
}
