//! Which cage a session gets: what was asked for, what this host can build, what was granted. What
//! a cage is made of is in [`crate::cage`].
//!
//! 1. A level that was named MUST be had or the session does not start; only `auto` takes less, and
//!    never less than this host is known to have: a session could use up what the next one needs.
//! 2. The row MUST say what was tried from within that very session, and nothing before that.
//! 3. A variable that leads to what a cage hides MUST NOT pass without its grant.

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::cage;
use crate::cage::Cage;
use crate::cage::Level;
use crate::cage::grants;
use crate::cage::grants::Granted;
use crate::cage::placeholder::Placeholders;
use crate::cage::plan;
use crate::cage::plan::Facts;
use crate::cage::refused;
use crate::cage::shift;
use crate::cage::start::CANNOT;
use crate::keeper::client;
use crate::keeper::launch::Launch;
use crate::model::audit::Kind;
use crate::model::notice::Kind as Notice;
use crate::model::session::Sandbox;
use crate::model::session::Session;
use crate::provider::LaunchFile;
use crate::service::Service;
use crate::service::live::Live;
use crate::service::notices::raise;
use crate::service::recorded;
use crate::service::records::Records;
use crate::service::start::StartRequest;
use crate::store::notices;
use crate::store::project_grants;
use crate::store::project_grants::ProjectGrant;
use crate::store::sessions;
use crate::sys::namespace;
use crate::sys::proc;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// The best that the host has.
pub const AUTO: &str = "auto";
/// The setting: the level of sessions that name none.
pub const SANDBOX: &str = "sandbox";

/// How many steps below a whole `guard` this host's `auto` is; found out by the first start.
#[derive(Default)]
pub struct Host {
    below: AtomicUsize,
}

/// Refuses what is no level.
pub fn check_level(word: &str) -> Result<()> {
    if word == AUTO || Level::from_word(word).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = Level::ALL.iter().map(|level| level.word()).collect();
    let known = known.join(", ");
    Err(Error::invalid(format!("the sandbox is {AUTO}, {known}; not {word:?}")))
}

impl Service {
    /// What a new session asks for.
    pub(super) fn sandbox_for(&self, request: &StartRequest, cwd: &Path) -> Result<Sandbox> {
        let asked = match &request.sandbox {
            Some(level) => level.clone(),
            None => self.word(SANDBOX),
        };
        check_level(&asked)?;
        let project = project(cwd);
        let mut grants = self.store().read(|conn| project_grants::of(conn, &project))?;
        for name in &request.grants {
            if !grants.contains(name) {
                grants.push(name.clone());
            }
        }
        Ok(Sandbox { asked, held: String::new(), grants })
    }

    /// All sessions of a project are granted this from now on.
    pub(super) fn remember_grants(&self, cwd: &Path, names: &[String]) -> Result<()> {
        let (project, names) = (project(cwd), names.to_vec());
        self.store().write(move |tx| {
            let added = project_grants::add(tx, &project, &names, time::unix_ms())?;
            if added.is_empty() {
                return Ok(());
            }
            let reason = format!("{project} is granted {}", added.join(", "));
            let details = json!({"project": project, "grants": added});
            recorded::changed(tx, Kind::Grant, "start --remember", reason, details).map(drop)
        })
    }

    /// What projects are granted.
    pub fn project_grants(&self) -> Result<Vec<ProjectGrant>> {
        self.store().read(project_grants::list)
    }

    /// Takes one back.
    pub fn revoke_project_grant(&self, project: &str, name: &str, by: &str) -> Result<()> {
        let (project, name, by) = (project.to_string(), name.to_string(), by.to_string());
        self.store().write(move |tx| {
            if !project_grants::remove(tx, &project, &name)? {
                return Err(Error::not_found(format!(
                    "{project} is not granted {name:?}; see: codepiper sandbox grants"
                )));
            }
            let reason = format!("{project} is no longer granted {name}");
            let details = json!({"project": project, "revoked": name});
            recorded::changed(tx, Kind::Grant, &by, reason, details).map(drop)
        })
    }

    /// The cage of a start; `None` where it has none.
    pub(super) fn plan_cage(
        &self,
        row: &Session,
        cwd: &Path,
        program: &Path,
        vars: &BTreeMap<String, String>,
        (files, dirs): (&[LaunchFile], &[String]),
    ) -> Result<Option<Cage>> {
        let auto = row.sandbox.asked == AUTO;
        let level = match Level::from_word(&row.sandbox.asked) {
            Some(level) => level,
            None if auto => Level::Guard,
            None => return check_level(&row.sandbox.asked).map(|()| None),
        };
        if level == Level::Off {
            return Ok(None);
        }
        let (home, uid) = (vars.get("HOME").map_or("/", String::as_str), proc::uid());
        let granted = Granted::new(&row.sandbox.grants, Path::new(home), uid, vars)?;
        check_variables(row)?;
        let mut shown = vec![self.paths.hook_dir()];
        shown.extend(files.iter().map(|file| PathBuf::from(&file.path)));
        let facts = Facts {
            level,
            processes: true,
            uid,
            shifts: uid == 0 && namespace::may_map_all(),
            home: Path::new(home),
            program,
            agent: &row.provider,
            vars,
            cwd: &cwd.canonicalize().unwrap_or_else(|_| cwd.to_path_buf()),
            state: self.paths.home(),
            shown,
            written: dirs.iter().map(PathBuf::from).collect(),
            closed: vec![self.paths.master_key(), self.paths.database(), self.paths.keepers()],
            open: vec![self.paths.hook_socket()],
            fixed: std::env::current_exe().into_iter().collect(),
            granted: &granted,
        };
        let mut cage = Some(plan::plan(&facts)?);
        let below = if auto { self.host.below.load(Ordering::Relaxed) } else { 0 };
        for _ in 0..below {
            cage = cage.and_then(|cage| plan::weaker(&cage, self.paths.home()));
        }
        Ok(cage)
    }

    /// Starts a keeper with the best cage that `auto` can have, or the one that was named.
    pub(super) fn start_caged(
        &self,
        row: &Session,
        launch: &Launch,
        scoped: Option<&Path>,
    ) -> Result<(Child, Session)> {
        let mut launch = launch.clone();
        loop {
            let words = launch.cage.as_ref().map_or(Level::Off.word().to_string(), Cage::words);
            let error = match client::start(&launch, scoped) {
                Ok(child) => {
                    let sandbox = Sandbox { held: words, ..row.sandbox.clone() };
                    return Ok((child, Session { sandbox, ..row.clone() }));
                }
                Err(error) => error,
            };
            let cage = launch.cage.as_ref();
            let why = error.message.strip_prefix(CANNOT);
            let keeps_owners = |_: &&Cage| why.is_some_and(|why| why.starts_with(shift::CANNOT));
            // No matter of this moment, nor of the host: of the file system that is worked on.
            if let Some(cage) = cage.filter(keeps_owners) {
                launch.cage = plan::weaker(cage, self.paths.home());
                continue;
            }
            cage.into_iter().for_each(|cage| Placeholders::hold(&cage.made).let_go());
            let Some(why) = why else { return Err(error) };
            let way_out = refused::way_out(Path::new("/proc"), proc::uid());
            let may_be_less =
                row.sandbox.asked == AUTO && !had_before(self.list()?.iter(), &words, row);
            let Some(cage) = cage.filter(|_| may_be_less) else {
                return Err(Error::new(
                    Code::Failed,
                    format!(
                        "the sandbox {words} cannot be had: {why}; {}, or choose a looser level \
                         with --sandbox",
                        way_out.unwrap_or("end what uses the host up")
                    ),
                ));
            };
            let way_out = way_out.map(|way| format!("; {way}")).unwrap_or_default();
            log::warn!("no sandbox {words} on this host: {why}{way_out}");
            self.host.below.fetch_add(1, Ordering::Relaxed);
            launch.cage = plan::weaker(cage, self.paths.home());
        }
    }
}

impl Records {
    /// A cage that is less than the usual one is on record.
    pub(super) fn note_cage(&self, live: &Live) {
        let row = live.row();
        let Sandbox { asked, held, .. } = &row.sandbox;
        let is_less = asked == AUTO
            && (row.sandbox.level() != Level::Guard.word()
                || row.sandbox.lacks().iter().any(|lack| *lack != cage::ROOT));
        if !is_less {
            return;
        }
        self.record(recorded::less_caged(&row.id, asked, held));
        // Said once since the boot: what the host cannot do is so for every session.
        let others = self.store.read(sessions::list).unwrap_or_default();
        if had_before(others.iter().filter(|other| other.id != row.id), held, &row) {
            return;
        }
        let id = row.id.clone();
        let raised = self.store.write(move |tx| {
            let why = row.sandbox.held.as_str();
            notices::raise(tx, &raise::dwell(tx, &row, Notice::PartialSandbox, Some(why))?)
        });
        if let Err(error) = raised {
            log::warn!("session {id}: nobody is told of its cage: {}", error.chain());
        }
        self.told();
    }
}

/// Whether this host, since it was booted, has had such a cage: then it can, and what keeps it from
/// that now may be a session that has used up what the next one needs.
fn had_before<'a>(
    mut sessions: impl Iterator<Item = &'a Session>,
    words: &str,
    row: &Session,
) -> bool {
    sessions.any(|other| other.boot_id == row.boot_id && other.sandbox.held == words)
}

/// A project's one name, whatever link leads to it.
fn project(cwd: &Path) -> String {
    let real = cwd.canonicalize().unwrap_or_else(|_| cwd.to_path_buf());
    real.to_string_lossy().into_owned()
}

/// Where a program is to start: a link to its directory may lie where its cage shows nothing.
pub(super) fn seen(cage: Option<&Cage>, cwd: &Path, real_cwd: &Path) -> PathBuf {
    match cage {
        Some(cage) if cage.level >= Level::Workspace => real_cwd.to_path_buf(),
        _ => cwd.to_path_buf(),
    }
}

fn check_variables(row: &Session) -> Result<()> {
    for grant in grants::all() {
        if row.sandbox.grants.iter().any(|name| name == grant.name) {
            continue;
        }
        let named = |name: &&&str| row.given.iter().any(|given| given == **name);
        if let Some(name) = grant.variables.iter().find(named) {
            return Err(Error::invalid(format!(
                "{name} leads to what the sandbox hides; add --grant {} ({}), or --sandbox off",
                grant.name, grant.gives
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::login::stand::Stand;

    #[test]
    fn a_cage_that_the_host_has_had_since_its_boot_is_not_given_up() {
        let stand = Stand::new("had-before");
        let row = |boot: &str, held: &str| Session {
            boot_id: boot.into(),
            sandbox: Sandbox { held: held.into(), ..Sandbox::default() },
            ..stand.service.blank("x")
        };
        let asking = row("now", "");
        let had = |boot: &str, held: &str| had_before([row(boot, held)].iter(), "guard", &asking);
        assert!(had("now", "guard"));
        assert!(!had("now", "guard no-pidns") && !had("now", "off") && !had("before", "guard"));
    }
}
