//! What codepiper does: sessions and their threads, the gate and its policies, waiting, settings.
//! Knows nothing of HTTP or of the command line.

pub mod actor;
pub mod adopt;
pub mod alone;
pub mod applied;
pub mod approvals;
pub mod checks;
pub mod conversation;
pub mod dangerous;
pub mod decide;
pub mod digest;
pub mod directories;
pub mod doctor;
pub mod drafts;
pub mod driving;
pub mod effective;
pub mod env_sealed;
pub mod env_sets;
pub mod environment;
pub mod freezing;
pub mod gate;
pub mod guard;
pub mod held;
pub mod history;
pub mod input;
pub mod keys;
pub mod live;
pub mod login;
pub mod login_env;
pub mod model;
pub mod news;
pub mod notices;
pub mod offers;
pub mod pin;
pub mod place;
pub mod policies;
pub mod policy_rows;
pub mod policy_sets;
pub mod prepare;
pub mod probe;
pub mod program;
pub mod proof;
pub mod rebuild;
pub mod recorded;
pub mod records;
pub mod replay;
pub mod reserve;
pub mod resolve;
pub mod rotate;
pub mod sandbox;
mod sandbox_row;
pub mod seat;
pub mod sessions;
pub mod settings;
pub mod settle;
pub mod show_env;
pub mod start;
pub mod tail;
pub mod tighten;
pub mod waits;

use crate::base::error::Result;
use crate::config::paths::Paths;
use crate::config::paths::user_home;
use crate::config::web::Web;
use crate::service::alone::Alone;
use crate::service::approvals::Approvals;
use crate::service::checks::KnownVersions;
use crate::service::digest::Digests;
use crate::service::directories::Looks;
use crate::service::effective::Cache;
use crate::service::guard::Watched;
use crate::service::keys::Keys;
use crate::service::login::Logins;
use crate::service::login_env::LoginEnv;
use crate::service::proof::Proofs;
use crate::service::records::Records;
use crate::service::reserve::Reserved;
use crate::service::sandbox::Host;
use crate::service::waits::Waits;
use crate::store::Store;
use crate::sys::proc;
use std::sync::Arc;
use std::sync::OnceLock;

/// The handles that a request may use; nothing else is global.
pub struct Service {
    /// Where everything lives.
    pub paths: Paths,
    /// Sessions, events and who waits for them.
    pub records: Arc<Records>,
    /// The user's home directory, for rules that speak of it.
    pub user_home: String,
    /// Our own directories and sockets, which no tool call may touch.
    pub own: Vec<String>,
    /// What sessions' environments start from.
    pub login_env: LoginEnv,
    /// What agents bill by token with.
    pub keys: Keys,
    /// This boot of the host.
    pub boot_id: String,
    /// Keepers get systemd scopes of their own.
    pub scopes: bool,
    /// Soft limit of open files that programs get.
    pub soft_limit: u64,
    /// SHA-256 of program files.
    pub digests: Digests,
    /// Versions of agents' programs.
    pub versions: KnownVersions,
    /// Files that hooks stand on; none where the host has no watches left.
    pub watched: Option<Watched>,
    /// Questions to the person that have no answer yet.
    pub approvals: Approvals,
    /// Where the web doors are, once they are open.
    pub web: OnceLock<Web>,
    /// How a person logs in over the web.
    pub logins: Logins,
    /// What is being started, named or removed at the moment.
    reserved: Reserved,
    /// What decides in the running sessions.
    rules: Cache,
    /// What their repositories add to that.
    tightened: tighten::Known,
    /// Which agents' gates are proven, and who waits for that.
    proofs: Proofs,
    /// What this host's kernel lets us build.
    host: Host,
    /// Drafts that are tried on the past.
    replays: Alone,
    /// Checks of the audit log.
    checks: Alone,
    /// Who looks at directories.
    looks: Looks,
}

impl Service {
    /// Puts the pieces together. `scopes` when the daemon was started by systemd.
    pub fn new(paths: Paths, store: Store, scopes: bool, soft_limit: u64) -> Result<Arc<Service>> {
        let records = Arc::new(Records::new(store, Waits::start()?));
        let (login_env, boot_id) = (LoginEnv::default(), proc::boot_id()?);
        let (reserved, rules) = (Reserved::default(), Cache::default());
        let watched = Watched::new(&paths.hook_dir());
        let watched = watched.inspect_err(|error| log::error!("{}", error.chain())).ok();
        let logins = Logins::start(paths.master_key())?;
        let own = [paths.home(), paths.control()].map(|path| path.to_string_lossy().into_owned());
        let service = Service {
            paths,
            own: own.to_vec(),
            records,
            user_home: user_home().to_string_lossy().into_owned(),
            login_env,
            keys: Keys::read(),
            boot_id,
            scopes,
            soft_limit,
            digests: Digests::default(),
            versions: KnownVersions::default(),
            watched,
            approvals: Approvals::default(),
            web: OnceLock::new(),
            logins,
            reserved,
            rules,
            tightened: tighten::Known::default(),
            proofs: Proofs::default(),
            host: Host::default(),
            replays: Alone::default(),
            checks: Alone::default(),
            looks: Looks::default(),
        };
        // What cannot be read is told by whoever needs it.
        if let Err(error) = service.know_digest_keys() {
            log::warn!("{}", error.chain());
        }
        Ok(Arc::new(service))
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.records.store
    }
}
