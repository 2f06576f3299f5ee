//! Starts and resumes sessions. A start that fails leaves nothing behind.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::id;
use crate::base::thread;
use crate::base::time;
use crate::keeper::client;
use crate::keeper::client::Connected;
use crate::keeper::launch::Launch;
use crate::limits;
use crate::model::event::NewEvent;
use crate::model::session;
use crate::model::session::Billing;
use crate::model::session::Change;
use crate::model::session::Session;
use crate::model::session::State;
use crate::output::index;
use crate::output::index::Mark;
use crate::provider;
use crate::provider::LaunchRequest;
use crate::provider::Provider;
use crate::provider::env;
use crate::service::Service;
use crate::service::actor;
use crate::service::live::Live;
use crate::service::program;
use crate::service::records::session_event;
use crate::service::reserve::What;
use crate::service::settings::DEFAULT_SET;
use crate::service::settings::default_set;
use crate::store::events;
use crate::store::policy_sets;
use crate::store::sessions;
use crate::store::settings;
use crate::sys::file;
use crate::sys::tty::Size;
use crate::term::screen::Screen;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;

/// What a person asks for.
#[derive(Debug, Clone, Default)]
pub struct StartRequest {
    /// Row of the provider table.
    pub provider: String,
    /// Working directory.
    pub cwd: String,
    /// Arguments; for the provider `command` the program comes first.
    pub args: Vec<String>,
    /// Display name.
    pub name: Option<String>,
    /// Variables given by name.
    pub env: BTreeMap<String, String>,
    /// Terminal size.
    pub size: Option<Size>,
}

/// A program with everything around it, ready to be launched.
struct Prepared {
    launch: Launch,
    secret_sha256: [u8; 32],
    /// Build and SHA-256 of the copy that hooks run.
    hook: Option<(String, [u8; 32])>,
    program_sha256: Option<[u8; 32]>,
}

impl Prepared {
    fn note(&self, row: &mut Session) {
        row.program = self.launch.program.display().to_string();
        row.secret_sha256 = Some(self.secret_sha256);
        (row.hook_build, row.hook_sha256) = self.hook.clone().unzip();
        row.program_sha256 = self.program_sha256;
    }
}

impl Service {
    /// Starts a session. Its state is STARTING until it settles; see [`Service::settle`].
    pub fn start(&self, request: &StartRequest) -> Result<Session> {
        let provider = provider::find(&request.provider)?;
        let cwd = program::check_cwd(&request.cwd)?;
        let id = id::uuid()?;
        let hold = self.reserve(&id, request.name.as_deref(), What::Start)?;
        let usual = Size { cols: limits::DEFAULT_COLS, rows: limits::DEFAULT_ROWS };
        let Size { cols, rows } = request.size.unwrap_or(usual);
        let mut row = Session {
            id: id.clone(),
            provider: provider.id.to_string(),
            cwd: request.cwd.clone(),
            name: hold.name.clone(),
            args: request.args.clone(),
            cols,
            rows,
            ..self.blank(&id)
        };
        let result = self.first_launch(provider, &mut row, &cwd, &request.env, None);
        if result.is_err() {
            self.remove_traces(&id);
        }
        result
    }

    /// Launches a session that has no row yet. `rehearsed` is the program whose gate it is to
    /// prove; all others are looked up, and run only where theirs is not disproved.
    pub(super) fn first_launch(
        &self,
        provider: &Provider,
        row: &mut Session,
        cwd: &Path,
        given: &BTreeMap<String, String>,
        rehearsed: Option<&Path>,
    ) -> Result<Session> {
        let prepared = self.prepare(provider, row, cwd, given, rehearsed)?;
        prepared.note(row);
        let (insert, event) = (row.clone(), started_event(row));
        self.store().write(move |tx| {
            sessions::insert(tx, &insert)?;
            if let Some(set) = default_set(settings::get(tx, DEFAULT_SET)?.as_ref()) {
                policy_sets::apply(tx, &insert.id, &set)?;
            }
            events::append(tx, &event).map(drop)
        })?;
        self.launch(row, &prepared.launch)
    }

    /// Starts an ended session again under the same id; its log goes on.
    pub fn resume(&self, id: &str) -> Result<Session> {
        let _hold = self.reserve(id, None, What::Start)?;
        let before = self.find(id)?;
        if before.state.is_live() {
            return Err(Error::conflict(format!("session {id} is still running")));
        }
        let provider = provider::find(&before.provider)?;
        let cwd = program::check_cwd(&before.cwd)?;
        let Some((state, reason)) = session::transition(before.state, Change::Resumed) else {
            return Err(Error::conflict(format!("session {id} cannot be resumed")));
        };
        let mut row = Session {
            state,
            reason,
            epoch: before.epoch + 1,
            exit: None,
            ended_ms: None,
            stop_wanted: false,
            guarded: false,
            alarm: None,
            boot_id: self.boot_id.clone(),
            updated_ms: time::unix_ms(),
            ..before.clone()
        };
        let result = self.next_launch(provider, &mut row, &cwd);
        if result.is_err() {
            // Back to what it was: a failed resume must not look like a second end.
            let before = before.clone();
            let _ = self.store().write(move |tx| sessions::update(tx, &before));
        }
        result
    }

    fn next_launch(&self, provider: &Provider, row: &mut Session, cwd: &Path) -> Result<Session> {
        let prepared = self.prepare(provider, row, cwd, &BTreeMap::new(), None)?;
        prepared.note(row);
        let (update, event) = (row.clone(), started_event(row));
        self.store().write(move |tx| {
            sessions::update(tx, &update)?;
            events::append(tx, &event).map(drop)
        })?;
        self.launch(row, &prepared.launch)
    }

    /// Whether a session's agent tells its own state.
    pub fn tells_state(&self, row: &Session) -> bool {
        provider::find(&row.provider).is_ok_and(|p| p.capabilities.native_hooks)
    }

    /// A row with nothing in it but its id.
    pub fn blank(&self, id: &str) -> Session {
        let now = time::unix_ms();
        Session {
            id: id.to_string(),
            provider: String::new(),
            cwd: String::new(),
            state: State::Starting,
            reason: None,
            name: None,
            created_ms: now,
            updated_ms: now,
            ended_ms: None,
            program: String::new(),
            args: Vec::new(),
            pid: None,
            keeper: None,
            boot_id: self.boot_id.clone(),
            cols: limits::DEFAULT_COLS,
            rows: limits::DEFAULT_ROWS,
            exit: None,
            stop_wanted: false,
            epoch: 1,
            log_end: 0,
            log_degraded: false,
            secret_sha256: None,
            hook_build: None,
            agent_session: None,
            transcript_path: None,
            guarded: false,
            billing: Billing::default(),
            hook_sha256: None,
            alarm: None,
            program_sha256: None,
        }
    }

    /// Works out the launch and writes the files that it needs.
    fn prepare(
        &self,
        provider: &Provider,
        row: &Session,
        cwd: &Path,
        given: &BTreeMap<String, String>,
        rehearsed: Option<&Path>,
    ) -> Result<Prepared> {
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
            resume: row.agent_session.as_deref().filter(|_| row.epoch > 1),
            fork: false,
            cwd: path_text(&real_cwd)?,
        };
        let planned = provider::launch(provider, &request)?;
        for planned_file in &planned.files {
            let path = Path::new(&planned_file.path);
            file::replace(path, planned_file.text.as_bytes(), 0o600, false)?;
            let text = std::fs::read_to_string(path)
                .internal(|| format!("cannot read back {}", planned_file.path))?;
            provider.check_file(&text, request.hook_program, request.hook_socket)?;
        }
        let (mut vars, found) = self.locate(provider, &planned.program, cwd, given, rehearsed)?;
        vars.extend(planned.env.into_iter().map(|(name, value)| (name.to_string(), value)));
        let program_sha256 = match rehearsed {
            Some(_) => None,
            None => {
                self.check_version(provider, &found, &vars)?;
                self.check_proof(provider, &found)?
            }
        };
        let mut args = vec![planned.program];
        args.extend(planned.args);
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
            env: vars.into_iter().collect(),
            cwd: cwd.to_path_buf(),
        };
        let secret_sha256 = Sha256::digest(secret.as_bytes()).into();
        let hook = hook_sha256.map(|digest| (crate::BUILD.to_string(), digest));
        Ok(Prepared { launch, secret_sha256, hook, program_sha256 })
    }

    /// The base environment of a session, and the program that its PATH leads to.
    fn locate(
        &self,
        provider: &Provider,
        program: &str,
        cwd: &Path,
        given: &BTreeMap<String, String>,
        rehearsed: Option<&Path>,
    ) -> Result<(BTreeMap<String, String>, PathBuf)> {
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

    /// Starts the keeper, connects to it, and gives the session its thread.
    fn launch(&self, row: &Session, launch: &Launch) -> Result<Session> {
        let copy = self.paths.hook_program(crate::BUILD);
        if self.scopes {
            self.pin()?;
        }
        let child = client::start(launch, Some(&*copy).filter(|_| self.scopes))?;
        let deadline = time::now() + limits::KEEPER_READY;
        let connected = client::connect(&launch.socket, crate::BUILD, deadline)?;
        let from = started_at(&connected, &launch.log_dir);
        let live = self.take_over(row.clone(), connected, Some(child), from)?;
        Ok(live.row())
    }

    /// Registers a session whose keeper has said hello, and starts its thread. Output before
    /// `quiet` is old: its terminal queries are not answered again.
    pub fn take_over(
        &self,
        mut row: Session,
        connected: Connected,
        child: Option<Child>,
        (screen, at, quiet): (Screen, u64, u64),
    ) -> Result<Arc<Live>> {
        let hello = &connected.hello;
        row.keeper = Some((hello.pid as i32, hello.start));
        row.pid = hello.exited.is_none().then_some(hello.program_pid as i32);
        row.log_degraded = hello.degraded;
        (row.cols, row.rows) = (hello.cols, hello.rows);
        let id = row.id.clone();
        let (live, commands, waker) = Live::new(row, at)?;
        live.set_view(|view| view.adopting = at < quiet);
        self.records.add(live.clone())?;
        let how = if child.is_some() { "connected" } else { "adopted" };
        self.records.note(&live, how, |_| ());
        self.watch(&live);
        let start = actor::Start {
            live: live.clone(),
            commands,
            waker,
            records: self.records.clone(),
            child,
            socket: self.paths.keeper(&id),
            log_dir: self.paths.session_log(&id),
            screen: (screen, at),
            quiet_until: quiet,
            exited: connected.hello.exited,
            reports: connected.reports,
            link: connected.link,
        };
        thread::spawn(format!("live-{}", &id[..id.len().min(8)]), move || actor::run(start))?;
        Ok(live)
    }
}

/// The screen of a program that has just started: empty, whatever the log held before. Its own
/// first output is not old.
fn started_at(connected: &Connected, log_dir: &Path) -> (Screen, u64, u64) {
    let records = index::read(log_dir).unwrap_or_default();
    let epoch = records.iter().rfind(|r| matches!(r.mark, Mark::Epoch(_)));
    let at = epoch.map_or(connected.hello.log_start, |r| r.offset);
    (Screen::new(connected.hello.cols, connected.hello.rows), at, at)
}

fn started_event(row: &Session) -> NewEvent {
    let kind = if row.epoch == 1 { "started" } else { "resumed" };
    let payload = json!({"program": row.program, "cwd": row.cwd, "epoch": row.epoch});
    session_event(&row.id, kind, payload)
}

fn path_text(path: &Path) -> Result<&str> {
    let shown = path.display();
    path.to_str().ok_or_else(|| Error::invalid(format!("{shown} is not UTF-8; rename it")))
}
