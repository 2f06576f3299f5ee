//! Checks where a session runs and finds what it runs: an absolute path, and never one that the
//! project put in the way.
//!
//! 1. A name without a slash MUST resolve outside the project: a repository must not be able to
//!    replace `claude` by a file of its own.

use crate::base::error::{Code, Context, Error, Result};
use crate::limits;
use crate::sys::tty::Size;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Resolves `name` by `path` (the login shell's PATH) for a session in `cwd`. A name with a slash
/// is a path that the person wrote down: taken from `cwd`, wherever it leads.
pub fn resolve(name: &str, path: &str, cwd: &Path, home: &Path) -> Result<PathBuf> {
    if name.contains('\0') {
        return Err(Error::invalid("the program's name must not contain NUL"));
    }
    if name.contains('/') {
        let full = cwd.join(name);
        return match is_program(&full) {
            true => Ok(full),
            false => {
                let shown = full.display();
                Err(Error::new(Code::Failed, format!("{shown} is not a program that you can run")))
            }
        };
    }
    let project = project_of(cwd, home);
    let mut inside = None;
    for dir in path.split(':').map(Path::new).filter(|dir| dir.is_absolute()) {
        let full = dir.join(name);
        if !is_program(&full) {
            continue;
        }
        let real = std::fs::canonicalize(&full).unwrap_or_else(|_| full.clone());
        let hit = |p: &PathBuf| real.starts_with(p) || full.starts_with(p);
        match project.as_ref().filter(|p| hit(p)) {
            Some(_) => inside = inside.or(Some(full)),
            None => return Ok(full),
        }
    }
    Err(Error::new(
        Code::Failed,
        match inside {
            Some(full) => format!(
                "{name} is only found inside the project, at {}; to run that one, give its path",
                full.display()
            ),
            None => format!("program {name:?} is not found on the login shell's PATH ({path})"),
        },
    ))
}

/// Checks a working directory: absolute, there, a directory that can be entered.
pub fn check_cwd(cwd: &str) -> Result<PathBuf> {
    let most = limits::CWD_BYTES;
    if cwd.contains('\0') {
        return Err(Error::invalid("the directory must not contain NUL"));
    }
    if cwd.len() > most {
        return Err(Error::invalid(format!("the directory's path is longer than {most} bytes")));
    }
    let path = PathBuf::from(cwd);
    if !path.is_absolute() {
        return Err(Error::invalid(format!("the directory must be absolute, not {cwd:?}")));
    }
    let meta = std::fs::metadata(&path)
        .code(Code::Invalid, || format!("directory {cwd} is not there; create it first"))?;
    if !meta.is_dir() {
        return Err(Error::invalid(format!("{cwd} is not a directory")));
    }
    Ok(path)
}

/// Checks a terminal size.
pub fn size(cols: u64, rows: u64) -> Result<Size> {
    let (most_cols, most_rows) = (limits::COLS_MAX, limits::ROWS_MAX);
    match (u16::try_from(cols), u16::try_from(rows)) {
        (Ok(cols @ 1..=limits::COLS_MAX), Ok(rows @ 1..=limits::ROWS_MAX)) => {
            Ok(Size { cols, rows })
        }
        _ => Err(Error::invalid(format!(
            "a terminal has 1 to {most_cols} columns and 1 to {most_rows} rows, \
             not {cols} x {rows}"
        ))),
    }
}

fn is_program(path: &Path) -> bool {
    let meta = std::fs::metadata(path);
    meta.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// The directory whose files are the project's: the nearest one upwards with a `.git`, else `cwd`.
/// The home directory and what lies above it belong to the person, not to a project.
fn project_of(cwd: &Path, home: &Path) -> Option<PathBuf> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let (cwd, home) = (real(cwd), real(home));
    let root = cwd.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(&cwd);
    (!home.starts_with(root)).then(|| root.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn program(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_project_cannot_put_its_own_program_in_the_way() {
        let root = std::env::temp_dir().join(format!("cp-prog-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let (project, home) = (root.join("home/proj"), root.join("home"));
        fs::create_dir_all(project.join(".git")).unwrap();
        fs::create_dir_all(project.join("sub")).unwrap();
        program(&project.join("bin/claude"));
        program(&home.join(".local/bin/claude"));
        let path =
            format!("{}:.:{}", project.join("bin").display(), home.join(".local/bin").display());
        let find = |name: &str, path: &str, cwd: &Path| resolve(name, path, cwd, &home);
        let outside = home.join(".local/bin/claude");
        assert_eq!(find("claude", &path, &project.join("sub")).unwrap(), outside);
        // A link from outside into the project is the project's file.
        fs::create_dir_all(root.join("links")).unwrap();
        std::os::unix::fs::symlink(project.join("bin/claude"), root.join("links/claude")).unwrap();
        let links = root.join("links").display().to_string();
        let error = find("claude", &links, &project).unwrap_err();
        assert!(error.message.contains("inside the project"), "{error}");
        assert!(find("nothing", &path, &project).unwrap_err().message.contains("PATH"));
        assert!(find("./bin/claude", &path, &project).is_ok(), "a path is the person's choice");
        assert_eq!(find("claude", &path, &home).unwrap(), project.join("bin/claude"));
        fs::remove_dir_all(root).unwrap();
    }
}
