//! Work that one thread at a time may do, because it reads much. Whoever comes meanwhile is told
//! to come again.

use crate::base::error::{Error, Result};
use crate::base::thread;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// A kind of such work.
#[derive(Debug, Default)]
pub struct Alone {
    taken: Arc<AtomicBool>,
}

/// The right to do it; it goes with this.
struct Hold(Arc<AtomicBool>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Alone {
    /// Runs `work` on a thread of its own called `name`, and gives what came of it to `then`. Where
    /// another is at it, or there can be no thread, `then` gets `Busy` at once.
    pub fn run<T: 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
        then: Box<dyn FnOnce(Result<T>) + Send>,
    ) {
        if self.taken.swap(true, Ordering::AcqRel) {
            return then(Err(Error::busy(format!("a {name} is running already; try again"))));
        }
        let hold = Hold(self.taken.clone());
        let slot = Arc::new(std::sync::Mutex::new(Some(then)));
        let theirs = slot.clone();
        let take = |slot: &std::sync::Mutex<Option<_>>| {
            slot.lock().unwrap_or_else(|e| e.into_inner()).take()
        };
        let run = move || {
            let Some(then) = take(&theirs) else { return };
            let done = work();
            // Before the answer: whoever has it may come with the next at once.
            drop(hold);
            then(done);
        };
        if let Err(error) = thread::spawn(name, run)
            && let Some(then) = take(&slot)
        {
            then(Err(Error::busy(error.message)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Code;
    use crossbeam_channel::bounded;

    #[test]
    fn one_at_a_time_and_after_it_the_next() {
        let alone = Alone::default();
        let (begin, begun) = bounded::<()>(1);
        let (tell, told) = bounded(1);
        let say = |tell: &crossbeam_channel::Sender<Result<u8>>| {
            let tell = tell.clone();
            Box::new(move |said| tell.send(said).unwrap())
        };
        let wait = move || begun.recv().map(|()| 7).map_err(|_| Error::internal("gone"));
        alone.run("t-first", wait, say(&tell));
        alone.run("t-second", || Ok(8), say(&tell));
        assert_eq!(told.recv().unwrap().unwrap_err().code, Code::Busy);
        begin.send(()).unwrap();
        assert_eq!(told.recv().unwrap().unwrap(), 7);
        alone.run("t-third", || Ok(9), say(&tell));
        assert_eq!(told.recv().unwrap().unwrap(), 9);
    }
}
