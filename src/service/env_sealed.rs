//! What is sealed of an env set: its name and its variables, as one.
//!
//! ```text
//! sealed = field(name) ‖ count, 4 bytes ‖ count times (field(variable) ‖ field(value))
//! place  = table env_sets, row id, purpose variables, version of the set
//! ```
//!
//! One blob a set and not one a variable: then one version stands for all of it, so that no single
//! value can be put back as it was, be exchanged for another's, or be left out.
//!
//! 1. A set whose name, list of names or version is not the one that was sealed MUST NOT open.
//! 2. What is opened MUST be in buffers that are overwritten when they are let go.

use crate::base::bytes::{Put, Take};
use crate::base::error::{Code, Error, Result};
use crate::base::secret::Vars;
use crate::limits;
use crate::model::env_set::EnvSet;
use crate::secrets::Keyring;
use crate::secrets::Place;
use zeroize::Zeroizing;

/// Where a set's sealed part stands.
pub fn place(id: &str, version: i64) -> Place<'_> {
    Place { table: "env_sets", row: id, purpose: "variables", version }
}

/// Seals `vars` into the set, with its name and under its version; they are its variables then.
pub fn seal(keys: &Keyring, set: &mut EnvSet, vars: &Vars) -> Result<()> {
    let room = 8 + set.name.len() + size(vars) + 8 * vars.len();
    if room > limits::ENV_SET_BYTES {
        let most = limits::ENV_SET_BYTES;
        return Err(Error::invalid(format!(
            "the env set {} would have {room} bytes, at most {most} are taken; make two of it",
            set.name
        )));
    }
    let put = Put::with_room(room).blob(set.name.as_bytes()).u32(vars.len() as u32);
    let each = |put: Put, (name, value): (&String, &String)| {
        put.blob(name.as_bytes()).blob(value.as_bytes())
    };
    let plain = Zeroizing::new(vars.iter().fold(put, each).done());
    set.sealed = keys.seal(place(&set.id, set.version), &plain)?;
    set.names = vars.keys().cloned().collect();
    Ok(())
}

fn size(vars: &Vars) -> usize {
    vars.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Why a set does not open, with the way out.
pub fn refused(set: &EnvSet, why: &str) -> Error {
    let (name, id) = (&set.name, &set.id);
    let text = format!(
        "the env set {name} does not open: {why}; bring the database and master.key back from one \
         backup, or make the set anew: codepiper env-set delete {id}"
    );
    Error::new(Code::Failed, text)
}

/// The variables of a set.
pub fn open(keys: &Keyring, set: &EnvSet) -> Result<Vars> {
    let refuse = |why: &str| refused(set, why);
    let plain = keys.open(place(&set.id, set.version), &set.sealed);
    let plain = plain.map_err(|error| refuse(&error.message))?;
    let (name, vars) = decode(&plain).map_err(|error| refuse(&error.message))?;
    if name != set.name || !vars.keys().eq(&set.names) {
        return Err(refuse("its name or its list of names was changed outside of codepiper"));
    }
    Ok(vars)
}

fn decode(plain: &[u8]) -> Result<(String, Vars)> {
    let mut take = Take::new(plain);
    let (name, count) = (take.text()?, take.u32()?);
    let mut vars = Vars::default();
    for _ in 0..count {
        vars.put(take.text()?, take.text()?);
    }
    Ok((name, vars))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(name: &str) -> Keyring {
        let dir = std::env::temp_dir().join(format!("cp-envset-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        Keyring::new(dir.join("master.key"))
    }

    fn sealed(keys: &Keyring, id: &str, version: i64, value: &str) -> EnvSet {
        let mut set = EnvSet {
            id: id.into(),
            name: format!("set {id}"),
            description: None,
            names: Vec::new(),
            sealed: Vec::new(),
            version,
            created_ms: 0,
            updated_ms: 0,
        };
        let mut vars = Vars::default();
        vars.put("TOKEN", value);
        vars.put("EMPTY", "");
        seal(keys, &mut set, &vars).unwrap();
        set
    }

    #[test]
    fn a_set_opens_as_it_was_sealed() {
        let keys = ring("whole");
        let set = sealed(&keys, "a", 1, "ä\nb=c");
        assert_eq!(set.names, ["EMPTY", "TOKEN"]);
        let vars = open(&keys, &set).unwrap();
        assert_eq!((vars["TOKEN"].as_str(), vars["EMPTY"].as_str()), ("ä\nb=c", ""));
        assert!(!set.sealed.windows(4).any(|part| part == b"b=c\0" || part == b"set "));
    }

    #[test]
    fn swapped_rolled_back_cut_changed_and_renamed_sets_do_not_open_and_say_the_way_out() {
        let keys = ring("forged");
        let (old, new) = (sealed(&keys, "a", 1, "old value"), sealed(&keys, "a", 2, "new value"));
        let other = sealed(&keys, "b", 2, "other value");
        let forged = |change: &dyn Fn(&mut EnvSet)| {
            let mut set = new.clone();
            change(&mut set);
            let error = open(&keys, &set).map(drop).unwrap_err();
            assert_eq!(error.code, Code::Failed);
            let text = &error.message;
            assert!(text.contains("env-set delete a") && text.contains("backup"), "{text}");
            assert!(!text.contains("value"), "{text}");
        };
        forged(&|set| set.sealed.clone_from(&other.sealed));
        forged(&|set| set.sealed.clone_from(&old.sealed));
        forged(&|set| set.version = 1);
        forged(&|set| set.sealed.truncate(set.sealed.len() - 1));
        forged(&|set| set.sealed.truncate(3));
        forged(&|set| set.sealed.clear());
        for at in [0, 5, 15, new.sealed.len() - 1] {
            forged(&|set| set.sealed[at] ^= 1);
        }
        forged(&|set| set.name = "another".into());
        forged(&|set| set.names = vec!["EMPTY".into()]);
        open(&keys, &new).unwrap();
    }

    #[test]
    fn a_set_that_is_too_large_is_refused_before_it_is_sealed() {
        let keys = ring("large");
        let mut set = sealed(&keys, "a", 1, "x");
        let before = set.clone();
        let mut vars = Vars::default();
        (0..20).for_each(|n| vars.put(format!("V{n}"), "x".repeat(60_000)));
        let error = seal(&keys, &mut set, &vars).unwrap_err();
        assert!(error.code == Code::Invalid && error.message.contains("make two"), "{error}");
        assert_eq!(set, before);
    }
}
