//! One rehearsal: a session that no list shows, on a stage of its own, and nothing left of it but
//! its decisions, which name [`script::POLICY`].

use crate::base::error::{Code, Context, Result};
use crate::base::id;
use crate::base::secret::Vars;
use crate::limits;
use crate::model::audit::Filter;
use crate::model::audit::Kind;
use crate::model::call::ToolCall;
use crate::model::event;
use crate::model::proof::Outcome;
use crate::model::session::Billing;
use crate::model::session::Session;
use crate::provider::Provider;
use crate::provider::hook;
use crate::provider::hook::HookEvent;
use crate::provider::proof::Place;
use crate::provider::proof::Rehearsal;
use crate::service::Service;
use crate::service::live::Command;
use crate::service::prepare::Around;
use crate::service::proof::judge;
use crate::service::proof::judge::Evidence;
use crate::service::proof::model::Model;
use crate::service::proof::script;
use crate::store::audit::page;
use crate::store::events;
use crate::sys::file;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The directories of one rehearsal, gone when this is dropped.
pub struct Stage<'a> {
    service: &'a Service,
    /// The session's id.
    pub id: String,
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // A session that still has its thread would be written to; the next daemon clears it away.
        if self.service.records.live(&self.id).is_none() {
            self.service.remove_traces(&self.id);
        }
    }
}

impl Service {
    /// Makes a home and a project that nobody else has.
    pub(super) fn stage(&self) -> Result<Stage<'_>> {
        let stage = Stage { service: self, id: id::uuid()? };
        let id = &stage.id;
        let (home, project) = (self.paths.proof_home(id), self.paths.proof_project(id));
        let temporary = home.join("tmp");
        for dir in [self.paths.session(id), self.paths.proof(id), home, project, temporary] {
            file::private_dir(&dir)?;
        }
        Ok(stage)
    }

    /// Rehearses with `program`; says what that showed.
    pub(super) fn rehearse(
        self: &Arc<Service>,
        provider: &'static Provider,
        program: &Path,
    ) -> (Outcome, String) {
        let Some(rehearsal) = &provider.rehearsal else {
            return (Outcome::Unclear, "it has no gate".to_string());
        };
        let seen = self.stage().and_then(|stage| {
            let seen = self.play(provider, rehearsal, program, &stage.id);
            self.proofs.queue.rehearses(None);
            seen
        });
        match seen {
            Ok(seen) => judge::judge(&seen),
            Err(error) => (Outcome::Unclear, format!("it could not be tried: {}", error.chain())),
        }
    }

    fn play(
        self: &Arc<Service>,
        provider: &Provider,
        rehearsal: &'static Rehearsal,
        program: &Path,
        id: &str,
    ) -> Result<Evidence> {
        let key = format!("codepiper-proof-{}", id::hex(&id::random::<16>()?));
        let model = Model::start(rehearsal, &key)?;
        let (home, project) = (self.paths.proof_home(id), self.paths.proof_project(id));
        let project = project.to_string_lossy();
        let place = Place { url: &model.url, key: &key };
        for (name, text) in (rehearsal.files)(&place) {
            write_below(&home, name, &text)?;
        }
        let mut given = variables(&home);
        let more = (rehearsal.env)(&place);
        given.extend(more.into_iter().map(|(name, value)| (name.to_string(), value)));
        let mut row = Session {
            provider: provider.id.to_string(),
            cwd: project.to_string(),
            args: rehearsal.args.iter().map(|arg| arg.to_string()).collect(),
            // The key is the model's own; a person's has no part in this.
            billing: Billing::Api,
            ..self.blank(id)
        };
        self.proofs.queue.rehearses(Some(id));
        let given = Vars::from(given);
        let rehearsed = Some(program);
        let around = Around { given: &given, talk: None, rehearsed, policy_sets: None };
        self.first_launch(provider, &mut row, Path::new(&*project), &around)?;
        if !self.await_end(id, limits::PROOF_WAIT)
            && let Some(live) = self.records.live(id)
        {
            live.ask(Command::Stop { now: true })?;
            self.await_end(id, limits::KILL_GRACE);
        }
        self.evidence(id, &model)
    }

    fn await_end(self: &Arc<Service>, id: &str, wait: Duration) -> bool {
        let (tell, told) = crossbeam_channel::bounded(1);
        let (service, watched) = (self.clone(), id.to_string());
        // Its thread has gone: then its end is stored, and nothing is written any more.
        let check = move || service.records.live(&watched).is_none() && service.has_ended(&watched);
        let finish = move |met| {
            let _ = tell.send(met);
        };
        let parked = self.records.waits.park(id, wait, Box::new(check), Box::new(finish));
        parked.is_ok() && told.recv().unwrap_or(false)
    }

    fn evidence(&self, id: &str, model: &Model) -> Result<Evidence> {
        let row = self.find(id)?;
        let (session, limit) = (Some(id.to_string()), limits::PROOF_REQUESTS);
        let filter = Filter { session, limit, kind: Some(Kind::Decision), ..Filter::default() };
        let decided = self.store().read(|conn| page::page(conn, &filter))?.entries;
        let mut page = event::Page::newest(id, limits::PROOF_REQUESTS);
        page.kind = Some("PostToolUse".to_string());
        let told = self.store().read(|conn| events::page(conn, &page))?.events;
        let ran = told.iter().filter_map(|event| tool_call(&event.event.payload));
        let project = self.paths.proof_project(id);
        Ok(Evidence {
            forbidden: project.join(script::FORBIDDEN.file).exists(),
            allowed: project.join(script::ALLOWED.file).exists(),
            heard: model.heard(),
            decided: decided.into_iter().map(|row| row.entry).collect(),
            ran: ran.collect(),
            guarded: row.guarded,
            alarm: row.alarm.clone(),
            end: self.end(&row),
        })
    }

    /// How a rehearsal ended, for a person who wonders why.
    fn end(&self, row: &Session) -> String {
        let how = match row.exit {
            _ if row.stop_wanted => format!("ended after {} s", limits::PROOF_WAIT.as_secs()),
            Some(exit) => format!("it ended with {exit}"),
            None => "its end is unknown".to_string(),
        };
        let text = self.picture(row).map(|picture| picture.text).unwrap_or_default();
        let words = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        match words.chars().take(limits::PROOF_WORDS).collect::<String>() {
            words if words.is_empty() => how,
            words => format!("{how}; its last words: {words}"),
        }
    }
}

fn tool_call(payload: &serde_json::Value) -> Option<ToolCall> {
    match hook::parse("PostToolUse", payload) {
        Ok(HookEvent::PostToolUse(call)) => Some(call),
        _ => None,
    }
}

/// The person's own home and configuration stay out of it.
fn variables(home: &Path) -> BTreeMap<String, String> {
    let below = |name: &str| home.join(name).to_string_lossy().into_owned();
    let xdg = [
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_CACHE_HOME", ".cache"),
    ];
    let mut vars: BTreeMap<String, String> =
        xdg.iter().map(|(name, dir)| (name.to_string(), below(dir))).collect();
    vars.insert("HOME".to_string(), home.to_string_lossy().into_owned());
    vars.insert("TMPDIR".to_string(), below("tmp"));
    vars
}

fn write_below(home: &Path, name: &str, text: &str) -> Result<()> {
    let path: PathBuf = home.join(name);
    let parent = path.parent().unwrap_or(home);
    let cannot = || format!("cannot create {}", parent.display());
    std::fs::create_dir_all(parent).code(Code::Internal, cannot)?;
    file::replace(&path, text.as_bytes(), 0o600, false)
}
