//! HTTP on every door: a front thread that owns all connections, and workers that see values.
//!
//! bytes → [`head`], [`target`] → [`conn`] (one connection, pure) → [`front`] (sockets) → [`pool`]
//! → [`router`] → a handler, which replies through its [`answer`] now or hours later.

use crate::base::error::Result;
use std::sync::Arc;
use std::time::Duration;

pub mod answer;
pub mod assets;
#[cfg(test)]
mod attacks;
pub mod conn;
mod connections;
pub mod cookie;
pub mod doors;
pub mod download;
pub mod front;
#[cfg(test)]
mod fuzz;
pub mod guard;
pub mod handlers;
pub mod head;
pub mod lanes;
pub mod message;
pub mod pool;
pub mod router;
pub mod routes;
#[cfg(test)]
mod serving;
pub mod shape;
pub mod socket;
#[cfg(test)]
mod space;
pub mod stream;
pub mod target;
pub mod viewer;
pub mod wire;
pub mod ws;

/// A running front with its workers.
pub struct Server {
    /// Counts and stops.
    pub front: front::FrontHandle,
    pool: pool::Pool,
}

/// Serves `listens` with `handler` on [`crate::limits::WORKERS`] threads.
pub fn serve(listens: Vec<doors::Listen>, handler: Arc<pool::Handler>) -> Result<Server> {
    let (jobs, work) = lanes::lanes();
    let pool = pool::Pool::start(work, handler)?;
    Ok(Server { front: front::start(listens, jobs)?, pool })
}

impl Server {
    /// Stops accepting, gives replies that are on their way up to `grace`, closes everything and
    /// waits for the workers. A handler that does not return holds it up.
    pub fn shutdown(self, grace: Duration) {
        self.front.shutdown(grace);
        self.pool.join();
    }
}
