//! What `doctor` says of the installed agents: found where, which version, how its gate is proven.

use crate::base::error::Result;
use crate::base::time;
use crate::model::proof::Outcome;
use crate::model::proof::Proof;
use crate::provider;
use crate::provider::Provider;
use crate::provider::Version;
use crate::service::Service;
use crate::service::doctor::Row;
use crate::service::doctor::bad;
use crate::service::doctor::good;
use crate::service::proof::SETTING;
use crate::service::proof::hash::Facts;
use crate::service::proof::subject;
use crate::store::proofs;
use std::collections::BTreeMap;
use std::path::Path;

impl Service {
    /// One row for each agent.
    pub fn agents(&self) -> Vec<Row> {
        let agents = provider::PROVIDERS.iter().filter(|p| p.rehearsal.is_some());
        agents.map(|provider| self.agent(provider)).collect()
    }

    fn agent(&self, provider: &Provider) -> Row {
        let program = match self.find_agent(provider, Path::new("/"), &BTreeMap::new()) {
            Ok(Some(program)) => program,
            Ok(None) => return good(provider.label, "has no gate".to_string()),
            Err(error) => return good(provider.label, format!("not installed: {}", error.chain())),
        };
        let shown = program.display();
        let facts = match self.facts(&program) {
            Ok(facts) => facts,
            Err(error) => {
                let detail = format!("{shown}, gate not proven: {}", error.chain());
                return bad(provider.label, detail, "make the program readable");
            }
        };
        let found = format!("{shown}, {}", version_words(&facts));
        if let Some(old) = too_old(provider, &facts.version) {
            return bad(provider.label, format!("{found}, {old}"), "upgrade it");
        }
        let subject = subject(provider, &facts);
        let proof = self.store().read(|conn| proofs::get(conn, &subject));
        row(provider, &found, &facts, proof, self.flag(SETTING))
    }
}

fn row(
    provider: &Provider,
    found: &str,
    facts: &Facts,
    proof: Result<Option<Proof>>,
    wanted: bool,
) -> Row {
    let again = format!("codepiper doctor --prove {}", provider.id);
    let version = version_words(facts);
    let proof = match proof {
        Ok(Some(proof)) => proof,
        Ok(None) if !wanted => {
            return good(provider.label, format!("{found}, gate not proven: {SETTING} is off"));
        }
        Ok(None) => {
            let when = format!("the first start does that, or {again}");
            return good(provider.label, format!("{found}, gate not proven yet: {when}"));
        }
        Err(error) => {
            let detail = format!("{found}, gate not known: {}", error.chain());
            return bad(provider.label, detail, "see the row of the database");
        }
    };
    let (at, detail) = (time::rfc3339(proof.at_ms), proof.detail);
    match proof.outcome {
        Outcome::Proven => good(
            provider.label,
            format!("{found}{}, gate proven on {version} at {at}", newer(provider, &facts.version)),
        ),
        Outcome::Disproved => bad(
            provider.label,
            format!("{found}, the gate does not hold, so it is not started ({at}): {detail}"),
            &format!("install another version; {again} tries this one again"),
        ),
        Outcome::Unclear => bad(
            provider.label,
            format!("{found}, gate not proven ({at}): {detail}"),
            &format!("see to that, then run: {again}"),
        ),
    }
}

fn version_words(facts: &Facts) -> &str {
    match facts.version.as_str() {
        "" => "of unknown version",
        version => version,
    }
}

/// Where the version is below what the gate stands on.
pub fn too_old(provider: &Provider, version: &str) -> Option<String> {
    let oldest = provider.versions?.oldest;
    let found = provider::parse_version(version)?;
    (found < oldest).then(|| format!("too old: the gate needs {}", words(oldest)))
}

/// Where the version is above what was measured: the proof covers what it shows, not the rest.
fn newer(provider: &Provider, version: &str) -> String {
    let known = provider.versions.map(|versions| versions.proven);
    match (provider::parse_version(version), known) {
        (Some(found), Some(known)) if found > known => {
            format!(" (newer than {}, which codepiper was made with)", words(known))
        }
        _ => String::new(),
    }
}

fn words((major, minor, patch): Version) -> String {
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::proof::Subject;

    fn check(version: &str, outcome: Option<Outcome>, wanted: bool) -> Row {
        let provider = provider::find("claude-code").unwrap();
        let facts = Facts { sha256: [1; 32], version: version.to_string() };
        let subject =
            Subject { provider: provider.id.into(), program_sha256: [1; 32], build: "b".into() };
        let (version, detail, at_ms) = (version.to_string(), "it hangs".to_string(), 0);
        let proof = outcome.map(|outcome| Proof { subject, version, outcome, detail, at_ms });
        row(provider, "/bin/claude, x", &facts, Ok(proof), wanted)
    }

    #[test]
    fn each_outcome_says_what_it_means_and_what_to_do() {
        let proven = check("2.1.330", Some(Outcome::Proven), true);
        let words = "/bin/claude, x, gate proven on 2.1.330 at 1970-01-01T00:00:00.000Z";
        assert_eq!((proven.ok, proven.detail.as_str()), (true, words));
        let newer = check("2.2.0", Some(Outcome::Proven), true).detail;
        assert!(newer.contains("newer than 2.1.330"), "{newer}");
        for (outcome, words) in
            [(Outcome::Disproved, "not started"), (Outcome::Unclear, "gate not proven")]
        {
            let row = check("2.1.330", Some(outcome), true);
            assert!(!row.ok && row.detail.contains(words), "{}", row.detail);
            assert!(row.detail.contains("it hangs"), "{}", row.detail);
            assert!(row.fix.unwrap().contains("doctor --prove claude-code"));
        }
        let none = check("2.1.330", None, true);
        assert!(none.ok && none.detail.contains("the first start"), "{}", none.detail);
        assert!(check("2.1.330", None, false).detail.contains("proveGate is off"));
    }

    #[test]
    fn a_version_below_the_supported_range_is_told() {
        let provider = provider::find("claude-code").unwrap();
        assert_eq!(too_old(provider, "2.1.295"), None);
        assert_eq!(too_old(provider, ""), None);
        assert!(too_old(provider, "2.1.294").unwrap().contains("2.1.295"));
    }
}
