//! The threads that run handlers. A handler that panics costs its client a 500 and nobody else
//! anything.

use crate::base::error::Result;
use crate::base::thread;
use crate::http::answer::Answer;
use crate::http::answer::Job;
use crate::http::lanes::Work;
use crate::http::message::Request;
use crate::limits;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Runs one request. It may keep the answer for later; it must not wait for people.
pub type Handler = dyn Fn(Request, Answer) + Send + Sync;

/// Running workers.
pub struct Pool {
    threads: Vec<JoinHandle<Option<()>>>,
}

impl Pool {
    /// Starts [`limits::WORKERS`] threads that serve `queue` until the front has gone.
    pub fn start(queue: Work, handler: Arc<Handler>) -> Result<Pool> {
        let start = |number| {
            let (queue, handler) = (queue.clone(), handler.clone());
            thread::spawn(format!("http-{number}"), move || work(&queue, &*handler))
        };
        let threads = (1..=limits::WORKERS).map(start).collect::<Result<_>>()?;
        Ok(Pool { threads })
    }

    /// Waits until every worker has ended, which they do when the front has.
    pub fn join(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

fn work(queue: &Work, handler: &Handler) {
    while let Some(Job { request, answer }) = queue.next() {
        let name = format!("{} {}", request.method, request.path);
        // The answer is inside: unwinding drops it, and that sends the 500.
        let run = AssertUnwindSafe(|| handler(request, answer));
        if let Err(panic) = catch_unwind(run) {
            log::error!("the handler of {name} panicked: {}", thread::panic_text(&*panic));
        }
    }
}
