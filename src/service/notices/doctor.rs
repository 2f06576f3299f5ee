//! What `doctor` says of webhooks: they need the system's `curl` and `getent`.

use crate::base::error::{Code, Error, Result};
use crate::model::channel::Kind;
use crate::provider::Version;
use crate::provider::env;
use crate::service::Service;
use crate::service::checks::dotted;
use crate::service::doctor::Row;
use crate::service::doctor::bad;
use crate::service::doctor::good;
use crate::service::notices::system;
use std::collections::BTreeMap;

const NAME: &str = "webhooks";
/// The first `curl` that takes several addresses in brackets for one name, and refuses what it does
/// not know.
const OLDEST: Version = (7, 61, 0);

impl Service {
    pub(in crate::service) fn webhooks(&self) -> Row {
        let all = self.channels().unwrap_or_default();
        let used = all.iter().filter(|one| one.kind == Kind::Webhook && one.enabled).count();
        match self.curl() {
            Ok(version) => good(NAME, format!("curl {}, {used} in use", dotted(version))),
            Err(error) if used == 0 => good(NAME, format!("none in use; {}", error.message)),
            Err(error) => bad(NAME, error.message, "install curl, or switch the webhooks off"),
        }
    }

    fn curl(&self) -> Result<Version> {
        let vars = env::base(&self.login_env.get(), &BTreeMap::new())?;
        let path = vars.get("PATH").map_or("", String::as_str);
        system::find("getent", path)?;
        let found = self.version(&system::find("curl", path)?, &vars)?;
        match found >= OLDEST {
            true => Ok(found),
            false => {
                let (found, oldest) = (dotted(found), dotted(OLDEST));
                Err(Error::new(Code::Failed, format!("curl {found} is older than {oldest}")))
            }
        }
    }
}
