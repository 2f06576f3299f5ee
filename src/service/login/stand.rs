//! What tests of logging in stand on: a service of their own, and an authenticator app.

use crate::auth::totp::Totp;
use crate::base::secret::Secret;
use crate::base::time;
use crate::config::paths::Paths;
use crate::model::login::Visitor;
use crate::service::Service;
use crate::service::login::Enrolled;
use crate::service::login::Entered;
use crate::service::login::Factor;
use crate::service::login::Offer;
use crate::store::Store;
use data_encoding::BASE32_NOPAD;
use std::path::PathBuf;
use std::sync::Arc;

/// The password of every test.
pub const PASSWORD: &str = "correct horse";

/// A service in a directory of its own, which goes with it.
pub struct Stand {
    /// The service.
    pub service: Arc<Service>,
    root: PathBuf,
}

impl Stand {
    /// Without an account.
    pub fn new(name: &str) -> Stand {
        let root = std::env::temp_dir().join(format!("cp-login-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let service = open(&root);
        Stand { service, root }
    }

    /// With a password, an app, and nobody logged in.
    pub fn ready(name: &str) -> (Stand, App, Enrolled) {
        let stand = Stand::new(name);
        stand.service.reset_password(Some(Secret::new(PASSWORD)), "test").unwrap();
        let (app, enrolled) = stand.enroll();
        (stand, app, enrolled)
    }

    /// From a login with the password alone to the first code.
    pub fn enroll(&self) -> (App, Enrolled) {
        let entered = self.service.log_in(&visitor(), &Secret::new(PASSWORD), &Factor::Missing);
        let Entered::Onboarding(opened) = entered.unwrap() else {
            panic!("a password alone opened a login");
        };
        let session = self.service.onboarding(opened.token.expose(), None).unwrap().unwrap();
        let mut app = App::of(&self.service.offer(&session).unwrap());
        let enrolled = self.service.enroll(&visitor(), &session, &app.new_code()).unwrap();
        (app, enrolled)
    }

    /// Ends the service as `kill -9` would, and starts the next on the same files.
    pub fn restart(&mut self) {
        self.service = open(&self.root);
    }

    /// Reasons in the audit log that mention `word`.
    pub fn recorded(&self, word: &str) -> Vec<String> {
        let filter = crate::model::audit::Filter { limit: 1000, ..Default::default() };
        let rows = self.service.audit(&filter).unwrap().into_iter().map(|row| row.entry.reason);
        rows.filter(|reason| reason.contains(word)).collect()
    }
}

fn open(root: &std::path::Path) -> Arc<Service> {
    let paths = Paths::below(root.to_path_buf());
    paths.prepare().unwrap();
    let store = Store::open(&paths.database()).unwrap();
    Service::new(paths, store, false, 1024).unwrap()
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// Somebody at a browser behind a tunnel.
pub fn visitor() -> Visitor {
    Visitor { address: "127.0.0.1".into(), agent: "Test/1".into(), ..Visitor::default() }
}

/// An authenticator app.
pub struct App {
    totp: Totp,
    /// The newest step that it gave a code of.
    step: i64,
}

impl App {
    /// That has read the picture.
    pub fn of(offer: &Offer) -> App {
        App::with(offer.secret.expose())
    }

    /// That somebody typed the secret into.
    pub fn with(secret: &str) -> App {
        let bytes = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
        let step = time::unix_ms() / 30_000 - 2;
        App { totp: Totp::from_bytes(&bytes).unwrap(), step }
    }

    /// The next code that was not used yet. A test has three before it would have to wait: the last
    /// step's, this one's and the next one's.
    pub fn new_code(&mut self) -> Secret {
        self.step += 1;
        assert!(self.step <= time::unix_ms() / 30_000 + 1, "a test has three codes");
        self.totp.code(self.step)
    }

    /// The code that was given last.
    pub fn last_code(&self) -> Secret {
        self.totp.code(self.step)
    }

    /// A code that is wrong.
    pub fn wrong_code(&self) -> Secret {
        let good: Vec<Secret> = (-3..=3).map(|d| self.totp.code(self.step + d)).collect();
        let wrong =
            ["000000", "000001", "000002", "000003", "000004", "000005", "000006", "000007"];
        let wrong = wrong.into_iter().find(|code| good.iter().all(|g| g.expose() != *code));
        Secret::new(wrong.unwrap())
    }
}
