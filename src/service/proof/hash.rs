//! What an agent's program is: SHA-256 of its file and what it calls itself, worked out once for
//! each state of the file. Some are 400 MB.
//!
//! 1. A digest MUST NOT be remembered for longer than the file is what was read.

use crate::base::error::{Code, Context, Error, Result};
use crate::limits;
use crate::service::digest;
use crate::sys::file;
use crate::sys::file::Stamp;
use sha2::Digest;
use sha2::Sha256;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// What is known of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of its file, links followed. Of a script that belongs to a package, SHA-256 over its
    /// own digest and that of the package's `package.json`: a launcher stays the same when what it
    /// launches is upgraded.
    pub sha256: [u8; 32],
    /// What it calls itself; empty where it does not say.
    pub version: String,
}

/// The programs that were looked at.
#[derive(Default)]
pub struct Programs {
    known: Mutex<Vec<(Vec<Stamp>, Facts)>>,
}

impl Programs {
    fn lock(&self) -> MutexGuard<'_, Vec<(Vec<Stamp>, Facts)>> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// What is known of `program` as it is now, without reading it.
    pub fn known(&self, program: &Path) -> Option<Facts> {
        let stamps = stamps(&files(program).ok()?).ok()?;
        self.lock().iter().find(|(known, _)| *known == stamps).map(|(_, facts)| facts.clone())
    }

    /// What `program` is. Reads its file and asks for its version where that is not known.
    pub fn facts(&self, program: &Path, version: impl FnOnce() -> String) -> Result<Facts> {
        if let Some(facts) = self.known(program) {
            return Ok(facts);
        }
        let files = files(program)?;
        let before = stamps(&files)?;
        let digests = files.iter().map(|file| digest::read(file)).collect::<Result<Vec<_>>>()?;
        let sha256 = match digests.as_slice() {
            [one] => *one,
            all => Sha256::digest(all.concat()).into(),
        };
        let facts = Facts { sha256, version: version() };
        if stamps(&files)? != before {
            let shown = program.display();
            return Err(Error::busy(format!("{shown} was changed while it was read; try again")));
        }
        let mut known = self.lock();
        if known.len() >= limits::PROGRAMS_KNOWN {
            known.remove(0);
        }
        known.push((before, facts.clone()));
        Ok(facts)
    }
}

/// The files that make a program: its own, and the description of the package that a script is in.
fn files(program: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read {}", program.display());
    let real = std::fs::canonicalize(program).code(Code::Failed, cannot)?;
    let mut start = [0; 2];
    let mut file = File::open(&real).code(Code::Failed, cannot)?;
    let is_script = file.read_exact(&mut start).is_ok() && start == *b"#!";
    let above = real.ancestors().skip(1).take(limits::PACKAGE_LEVELS);
    let mut descriptions = above.map(|dir| dir.join("package.json"));
    let description = descriptions.find(|path| is_script && path.is_file());
    Ok(std::iter::once(real).chain(description).collect())
}

fn stamps(files: &[PathBuf]) -> Result<Vec<Stamp>> {
    files.iter().map(|path| file::stamp(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id;
    use std::fs;

    fn space(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("cp-hash-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        root
    }

    #[test]
    fn a_program_is_read_once_and_again_when_it_has_changed() {
        let root = space("once");
        let (program, link) = (root.join("agent"), root.join("link"));
        fs::write(&program, "abc").unwrap();
        std::os::unix::fs::symlink(&program, &link).unwrap();
        let programs = Programs::default();
        assert_eq!(programs.known(&link), None);
        let first = programs.facts(&link, || "1.0.0".into()).unwrap();
        // printf abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((id::hex(&first.sha256), first.version.as_str()), (abc.into(), "1.0.0"));
        let again = programs.facts(&program, || panic!("asked twice")).unwrap();
        assert_eq!(again, first);
        // The same length, and even the same bytes: it is another state of the file.
        for text in ["abd", "abc"] {
            let new = root.join("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, &program).unwrap();
            assert_eq!(programs.known(&link), None, "{text}");
            let facts = programs.facts(&link, || text.into()).unwrap();
            assert_eq!((facts.sha256 == first.sha256, facts.version), (text == "abc", text.into()));
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_launcher_is_another_program_when_its_package_is_upgraded() {
        let root = space("launcher");
        fs::create_dir_all(root.join("pkg/bin")).unwrap();
        let (script, description) = (root.join("pkg/bin/agent.js"), root.join("pkg/package.json"));
        fs::write(&script, "#!/usr/bin/env node\n").unwrap();
        let programs = Programs::default();
        let mut seen = Vec::new();
        for version in ["1.0.0", "1.0.1"] {
            fs::write(&description, format!("{{\"version\":\"{version}\"}}")).unwrap();
            let facts = programs.facts(&script, || version.into()).unwrap();
            assert_eq!(facts.version, version);
            seen.push(facts.sha256);
        }
        assert_ne!(seen[0], seen[1]);
        fs::write(&script, "\x7fELF").unwrap();
        let native = programs.facts(&script, String::new).unwrap().sha256;
        assert_eq!(native, <[u8; 32]>::from(Sha256::digest("\x7fELF")), "the file alone");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_file_that_changes_under_the_reader_is_not_remembered() {
        let root = space("changes");
        let program = root.join("agent");
        fs::write(&program, "abc").unwrap();
        let programs = Programs::default();
        let change = || {
            fs::write(&program, "abcd").unwrap();
            String::new()
        };
        assert_eq!(programs.facts(&program, change).unwrap_err().code, Code::Busy);
        assert_eq!(programs.known(&program), None);
        let missing = programs.facts(&root.join("none"), String::new).unwrap_err();
        assert!(missing.message.contains("none"), "{missing}");
        fs::remove_dir_all(root).unwrap();
    }
}
