//! Builds the house: takes the lock, opens the store, the doors and the old sessions, and waits
//! for a signal. The table of threads is in the crate's documentation.
//!
//! Start order: lock, store, survey of what an earlier daemon left, doors (from here on the control
//! socket answers: ready), adoption, database check. Stop order: doors, store; keepers stay.

mod doors;
mod notify;
mod web;

use crate::base::error::{Code, Error, Result};
use crate::base::log as log_sink;
use crate::base::thread;
use crate::config::paths::Paths;
use crate::config::web::Flags;
use crate::config::web::Web;
use crate::http;
use crate::http::doors::Listen;
use crate::http::guard::Guard;
use crate::http::guard::web::WebGuard;
use crate::http::message::Door;
use crate::http::router;
use crate::http::routes::ROUTES;
use crate::http::stream::Listener;
use crate::limits;
use crate::model::audit::Asked;
use crate::model::audit::Report;
use crate::service::Service;
use crate::store::Store;
use crate::store::audit;
use crate::sys::file;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::sys::proc;
use crate::sys::signal::Name;
use crate::sys::signal::Signals;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// What `codepiper daemon` was asked to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Listen here instead of in the state directory.
    pub socket: Option<PathBuf>,
    /// Log to `daemon.log` in the state directory instead of stderr.
    pub log_file: bool,
    /// The web doors, as far as the command line names them.
    pub web: Flags,
}

/// The API as a table, for `help api`.
pub fn api_table() -> String {
    router::table(ROUTES)
}

/// Checks the audit log in a database; no daemon is needed for it.
pub fn verify(database: &Path, asked: &Asked) -> Result<Report> {
    audit::verify::verify(database, asked)
}

/// Runs the daemon until a signal ends it; returns the process's exit code.
pub fn serve(options: Options) -> i32 {
    // A person at the terminal reads stderr, the parent of a detached daemon its log.
    let detached = options.log_file;
    proc::close_inherited();
    match run(options) {
        Ok(()) => 0,
        Err(error) => {
            match detached {
                true => log::error!("{}", error.chain()),
                false => eprintln!("error: {}", error.chain()),
            }
            1
        }
    }
}

fn run(options: Options) -> Result<()> {
    let paths = Paths::from_env(options.socket)?;
    paths.prepare()?;
    let web = Web::read(&options.web, paths.home())?;
    if options.log_file {
        log_sink::to_file(paths.log(), file::open_append(&paths.log())?);
    } else {
        log_sink::to_stderr();
    }
    let _lock = file::lock(&paths.lock()).map_err(|error| match error.code {
        Code::Conflict => already_running(&paths),
        _ => error,
    })?;
    // Before the first thread: threads inherit the mask.
    let signals = Signals::block(&[Name::SIGTERM, Name::SIGINT, Name::SIGHUP])?;
    proc::hide_memory();
    let soft_limit = proc::raise_descriptors();
    let database = paths.database();
    if database.exists() {
        file::check_private(&database, false)?;
    }
    let store = Store::open(&database)?;
    if let Some(damage) = store.damage() {
        log::error!("{damage}");
    }
    let service = Service::new(paths.clone(), store.clone(), notify::under_systemd(), soft_limit)?;
    let survey = service.survey();
    let control = doors::open(paths.control())?;
    let hook = doors::open(&paths.hook_socket())?;
    let mut listens = vec![
        Listen { listener: Listener::Unix(control.listener()?), door: Door::Control },
        Listen { listener: Listener::Unix(hook.listener()?), door: Door::Hook },
    ];
    if let Some(web) = &web {
        listens.extend(web::open(web, &service)?);
    }
    service.watch_approvals()?;
    service.watch_notices()?;
    let server = http::serve(listens, handler(&service, web.clone()))?;
    let link = doors::link(&paths);
    file::replace(&paths.pid(), format!("{}\n", std::process::id()).as_bytes(), 0o600, false)?;
    notify::tell("READY=1");
    log::info!("ready: {} at {}", crate::BUILD, paths.control().display());
    if let Some(web) = web {
        web::tell(web, &service, options.log_file)?;
    }
    afterwards(&service, survey)?;
    wait_for_end(&signals)?;
    notify::tell("STOPPING=1");
    log::info!("stopping; sessions go on");
    service.give_back();
    service.approvals.stop();
    service.close_proofs();
    drop((control, hook, link));
    server.shutdown(limits::gate::SHUTDOWN_GRACE);
    let _ = std::fs::remove_file(paths.pid());
    store.close()
}

fn already_running(paths: &Paths) -> Error {
    let pid = std::fs::read_to_string(paths.pid()).unwrap_or_default();
    let home = paths.home().display();
    Error::conflict(format!(
        "a daemon (pid {}) runs on {home} already; use it, or set CODEPIPER_HOME for another",
        pid.trim()
    ))
}

fn handler(service: &Arc<Service>, web: Option<Web>) -> Arc<http::pool::Handler> {
    let guard = Guard { rows: ROUTES, api: service.clone(), web: web.map(WebGuard::new) };
    Arc::new(move |request, answer| guard.serve(request, answer))
}

/// What need not be done before the first answer.
fn afterwards(service: &Arc<Service>, survey: crate::service::adopt::Survey) -> Result<()> {
    service.watch_files()?;
    let adopting = service.clone();
    thread::spawn("adopt", move || {
        if let Err(error) = adopting.adopt_all(survey) {
            log::error!("sessions are not all adopted: {}", error.chain());
        }
    })?;
    let checking = service.clone();
    thread::spawn("check", move || {
        if let Err(error) = checking.store().check() {
            log::error!("{}", error.chain());
        }
        if let Err(error) = checking.finish_rotation() {
            log::error!("the master key is half changed: {}", error.chain());
        }
        if let Err(error) = checking.prune_pinned() {
            log::warn!("{}", error.chain());
        }
        // The first session need not wait for the login shell.
        checking.login_env.get();
    })?;
    Ok(())
}

fn wait_for_end(signals: &Signals) -> Result<()> {
    loop {
        poll::wait(&mut [Watch::new(signals, true, false)], None)?;
        match signals.next() {
            None => {}
            // The terminal that started it is gone; the daemon stays.
            Some(Name::SIGHUP) => log::info!("hang-up ignored"),
            Some(_) => return Ok(()),
        }
    }
}
