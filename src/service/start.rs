//! Starts and resumes sessions. A start that fails leaves nothing behind.

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::base::secret::Vars;
use crate::base::thread;
use crate::base::time;
use crate::keeper::client;
use crate::keeper::client::Connected;
use crate::limits;
use crate::model::event::NewEvent;
use crate::model::session;
use crate::model::session::Billing;
use crate::model::session::Change;
use crate::model::session::Sandbox;
use crate::model::session::Session;
use crate::model::session::State;
use crate::output::index;
use crate::output::index::Mark;
use crate::provider;
use crate::provider::Provider;
use crate::service::Service;
use crate::service::actor;
use crate::service::applied;
use crate::service::conversation;
use crate::service::conversation::Conversation;
use crate::service::dangerous;
use crate::service::live::Live;
use crate::service::policy_sets::SetView;
use crate::service::prepare::Around;
use crate::service::prepare::Prepared;
use crate::service::program;
use crate::service::recorded;
use crate::service::records::session_event;
use crate::service::reserve::What;
use crate::service::settings::DEFAULT_SET;
use crate::service::settings::default_set;
use crate::store::events;
use crate::store::policy_sets;
use crate::store::sessions;
use crate::store::settings;
use crate::sys::tty::Size;
use crate::term::screen::Screen;
use serde_json::json;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

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
    pub env: Vars,
    /// Env sets by id or name, later ones win.
    pub env_sets: Vec<String>,
    /// Policy sets by id or name, in the default set's place; none for the usual one.
    pub policy_sets: Option<Vec<String>>,
    /// Terminal size.
    pub size: Option<Size>,
    /// Who pays.
    pub billing: Billing,
    /// The repository's own settings may come in.
    pub project_settings: bool,
    /// The cage's level; as the settings say where it is not named.
    pub sandbox: Option<String>,
    /// What is granted to it beside what its project is granted.
    pub grants: Vec<String>,
    /// The project is granted the same from now on.
    pub remember: bool,
    /// Dangerous mode from the start, for so long.
    pub dangerous: Option<Duration>,
    /// A conversation of the agent's to go on with.
    pub conversation: Option<Conversation>,
}

/// How an ended session starts again; what is not said stays as it was.
#[derive(Debug, Clone, Default)]
pub struct ResumeRequest {
    /// Variables given by name. Those of the last start are gone: only their names are known.
    pub env: Vars,
    /// Other env sets.
    pub env_sets: Option<Vec<String>>,
    /// Other arguments.
    pub args: Option<Vec<String>>,
    /// Another who pays.
    pub billing: Option<Billing>,
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
            billing: request.billing,
            project_settings: request.project_settings,
            given: request.env.keys().cloned().collect(),
            env_sets: self.env_set_ids(&request.env_sets)?,
            sandbox: self.sandbox_for(request, &cwd)?,
            ..self.blank(&id)
        };
        if let Some(wait) = request.dangerous {
            dangerous::check(provider.id)?;
            row.dangerous = Some(dangerous::until(wait)?);
        }
        let talk = request.conversation.as_ref();
        if let Some(talk) = talk {
            self.check_conversation(provider, talk)?;
            row.agent_session = Some(talk.id.clone()).filter(|_| !talk.fork);
            row.forked_from = Some(talk.id.clone()).filter(|_| talk.fork);
        }
        let chosen = request.policy_sets.as_deref().map(|all| self.found_sets(all)).transpose()?;
        let policy_sets = chosen.as_deref();
        let around = Around { given: &request.env, talk, rehearsed: None, policy_sets };
        let result = self.first_launch(provider, &mut row, &cwd, &around);
        match &result {
            Ok(row) if request.remember => self.remember_grants(&cwd, &row.sandbox.grants)?,
            Ok(_) => {}
            Err(_) => self.remove_traces(&id),
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
        around: &Around<'_>,
    ) -> Result<Session> {
        let prepared = self.prepare(provider, row, cwd, around)?;
        prepared.note(row);
        let (insert, event) = (row.clone(), started_event(row));
        let chosen = around.policy_sets.map(<[SetView]>::to_vec);
        self.store().write(move |tx| {
            sessions::insert(tx, &insert)?;
            match &chosen {
                Some(sets) => applied::from_the_start(tx, &insert.id, sets)?,
                None => {
                    if let Some(set) = default_set(settings::get(tx, DEFAULT_SET)?.as_ref()) {
                        policy_sets::apply(tx, &insert.id, &set)?;
                    }
                }
            }
            recorded::begun(tx, &insert)?;
            events::append(tx, &event).map(drop)
        })?;
        self.launch(row, prepared, around.given)
    }

    /// Starts an ended session again under the same id; its log goes on.
    pub fn resume(&self, id: &str, request: &ResumeRequest) -> Result<Session> {
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
            sandbox: Sandbox { held: String::new(), ..before.sandbox.clone() },
            boot_id: self.boot_id.clone(),
            updated_ms: time::unix_ms(),
            args: request.args.clone().unwrap_or_else(|| before.args.clone()),
            billing: request.billing.unwrap_or(before.billing),
            given: request.env.keys().cloned().collect(),
            env_sets: match &request.env_sets {
                Some(words) => self.env_set_ids(words)?,
                None => before.env_sets.clone(),
            },
            ..before.clone()
        };
        let result = self.next_launch(provider, &mut row, &cwd, &request.env);
        if result.is_err() {
            // Back to what it was: a failed resume must not look like a second end.
            let before = before.clone();
            let _ = self.store().write(move |tx| sessions::update(tx, &before));
        }
        result
    }

    fn next_launch(
        &self,
        provider: &Provider,
        row: &mut Session,
        cwd: &Path,
        given: &Vars,
    ) -> Result<Session> {
        let talk = conversation::of(row);
        let (talk, rehearsed, policy_sets) = (talk.as_ref(), None, None);
        let around = Around { given, talk, rehearsed, policy_sets };
        let prepared = self.prepare(provider, row, cwd, &around)?;
        prepared.note(row);
        let (update, event) = (row.clone(), started_event(row));
        self.store().write(move |tx| {
            sessions::update(tx, &update)?;
            recorded::begun(tx, &update)?;
            events::append(tx, &event).map(drop)
        })?;
        self.launch(row, prepared, given)
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
            forked_from: None,
            project_settings: false,
            // A rehearsal's scripted model asks for one command, which must not run.
            sandbox: Sandbox { asked: "off".to_string(), ..Sandbox::default() },
            given: Vec::new(),
            env_sets: Vec::new(),
            frozen: false,
            dangerous: None,
        }
    }

    /// Starts the keeper, connects to it, and gives the session its thread.
    fn launch(&self, row: &Session, prepared: Prepared, given: &Vars) -> Result<Session> {
        let Prepared { launch, masked, .. } = prepared;
        let copy = self.paths.hook_program(crate::BUILD);
        if self.scopes {
            self.pin()?;
        }
        let scoped = Some(&*copy).filter(|_| self.scopes);
        let (child, row) = self.start_caged(row, &launch, scoped)?;
        let deadline = time::now() + limits::KEEPER_READY;
        let connected = client::connect(&launch.socket, crate::BUILD, deadline)?;
        let from = started_at(&connected, &launch.log_dir);
        let live = self.take_over(row, connected, Some(child), from)?;
        live.remember(given);
        live.mask(masked);
        self.records.note_cage(&live);
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
    let mut payload = json!({"program": row.program, "cwd": row.cwd, "epoch": row.epoch});
    if row.project_settings {
        payload["projectSettings"] = json!(true);
    }
    if let Some(dangerous) = row.dangerous {
        let at = time::rfc3339(dangerous.until_ms);
        log::warn!("session {}: dangerous mode until {at}", row.id);
        payload["dangerousUntil"] = json!(at);
    }
    session_event(&row.id, kind, payload)
}
