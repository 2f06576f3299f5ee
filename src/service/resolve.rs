//! What a path truly is: where the kernel would come to, link by link. Changes nothing on disk and
//! opens no file.

use crate::limits;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// An absolute path with its links resolved and without `.` and `..`. Names that do not exist stay
/// as they are, and so does what is behind them: a file that is to be written is below the nearest
/// parent that exists. That holds for a link to nothing as well: its target is what would be made.
pub fn path(path: &str) -> String {
    let mut open: VecDeque<String> = path.split('/').map(str::to_string).collect();
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    while let Some(name) = open.pop_front() {
        match name.as_str() {
            "" | "." => {}
            ".." => drop(at.pop()),
            name => {
                let next = at.join(name);
                match link(&next).filter(|_| links < limits::gate::PATH_LINKS) {
                    Some(target) => {
                        links += 1;
                        if target.starts_with('/') {
                            at = PathBuf::from("/");
                        }
                        target.split('/').rev().for_each(|n| open.push_front(n.to_string()));
                    }
                    None => at = next,
                }
            }
        }
    }
    at.to_string_lossy().into_owned()
}

fn link(path: &Path) -> Option<String> {
    fs::read_link(path).ok().map(|target| target.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_is_what_the_kernel_would_come_to_also_if_it_does_not_exist() {
        let dir = std::env::temp_dir().join(format!("codepiper-resolve-{}", std::process::id()));
        fs::create_dir_all(dir.join("a/b")).unwrap();
        let root = fs::canonicalize(&dir).unwrap();
        symlink("a/b", dir.join("short")).unwrap();
        symlink("/etc", dir.join("a/out")).unwrap();
        symlink("../new/file", dir.join("a/dangling")).unwrap();
        symlink("loop", dir.join("loop")).unwrap();
        let ask = |rest: &str| path(&format!("{}/{rest}", dir.display()));
        let want = |rest: &str| root.join(rest).to_string_lossy().into_owned();
        assert_eq!(ask("a/./b//"), want("a/b"));
        assert_eq!(ask("short/x/y"), want("a/b/x/y"));
        assert_eq!(ask("short/../x"), want("a/x"), "`..` is taken behind the link");
        assert_eq!(ask("a/out/passwd"), path("/etc/passwd"));
        assert_eq!(ask("a/dangling"), want("new/file"), "what would be made");
        assert_eq!(ask("none/../../x"), root.with_file_name("x").to_string_lossy());
        assert!(ask("loop/x").ends_with("/loop/x"), "as far as the kernel would go");
        assert_eq!(path("/"), "/");
        fs::remove_dir_all(&dir).unwrap();
    }
}
