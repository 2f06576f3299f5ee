//! What a person who types a directory is offered, on a disk of a test's own.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

struct Ground(PathBuf);

impl Ground {
    fn new(name: &str) -> Ground {
        let root = std::env::temp_dir().join(format!("cp-dirs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        Ground(root.canonicalize().unwrap())
    }

    fn dir(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn typed(&self, rest: &str) -> String {
        format!("{}/{rest}", self.0.display())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_begins_like_that_is_listed_by_name_with_the_hidden_behind() {
    let ground = Ground::new("list");
    for name in ["project", "pro", ".profile.d", "other", "probe/.git"] {
        ground.dir(name);
    }
    fs::write(ground.0.join("prose.txt"), "").unwrap();
    symlink("other", ground.0.join("prolink")).unwrap();
    symlink("prose.txt", ground.0.join("profile")).unwrap();
    symlink("prone", ground.0.join("prone")).unwrap();
    let names = |typed: &str| {
        let found = complete(&ground.typed(typed));
        assert_eq!((found.more, found.problem), (false, None));
        found.directories.into_iter().map(|d| d.name).collect::<Vec<_>>()
    };
    assert_eq!(names("pro"), ["pro", "probe", "project", "prolink"]);
    assert_eq!(names(""), ["other", "pro", "probe", "project", "prolink", ".profile.d"]);
    assert_eq!(names("pro/"), Vec::<String>::new());
    let found = complete(&ground.typed("pro"));
    let marks: Vec<_> =
        found.directories.iter().map(|d| (d.is_git, d.is_link, d.is_hidden)).collect();
    let plain = (false, false, false);
    assert_eq!(marks, [plain, (true, false, false), plain, (false, true, false)]);
    assert_eq!(found.directories[3].path, ground.typed("prolink"), "as it was typed");
    assert!(complete(&ground.typed("none/x")).problem.unwrap().contains("is not there"));
    let file = complete(&ground.typed("prose.txt/"));
    assert!(file.problem.unwrap().contains("not a directory"));
}

#[test]
fn a_long_list_has_an_end() {
    let ground = Ground::new("many");
    for number in 0..limits::LOOK_SHOWN + 1 {
        ground.dir(&format!("d{number:03}"));
    }
    let found = complete(&ground.typed("d"));
    assert!(found.more && found.directories.len() == limits::LOOK_SHOWN);
    assert!(!complete(&ground.typed("d00")).more);
}

#[test]
fn a_path_begins_at_the_root_or_at_home_and_goes_nowhere_else() {
    let full = |typed: &str| absolute(typed, "/home/u").ok();
    assert_eq!(full("~").as_deref(), Some("/home/u/"));
    assert_eq!(full("~/pr").as_deref(), Some("/home/u/pr"));
    assert_eq!(full("/srv").as_deref(), Some("/srv"));
    let long = "/x".repeat(limits::CWD_BYTES);
    for bad in ["", "x", "~root/x", "/a/../b", "~/..", "/.", "/a\0", &long] {
        assert_eq!(full(bad), None, "{bad:.20}");
    }
}

#[test]
fn a_repository_and_its_branch_are_read_without_git() {
    let ground = Ground::new("git");
    let check = |rest: &str| check(&ground.typed(rest), Path::new("/nowhere"), "/home/nobody");
    let root = ground.dir("repo");
    ground.dir("repo/.git");
    ground.dir("repo/sub/deep");
    fs::write(root.join(".git/HEAD"), "ref: refs/heads/feature/x\n").unwrap();
    let place = check("repo/sub/deep/");
    assert_eq!(place.git, Some((root.clone(), Some("feature/x".into()))));
    assert!(place.exists && place.errors.is_empty(), "{place:?}");
    assert_eq!(place.cwd, ground.typed("repo/sub/deep"));
    // A worktree of it.
    let tree = ground.dir("tree");
    ground.dir("repo/.git/worktrees/tree");
    fs::write(root.join(".git/worktrees/tree/HEAD"), "ref: refs/heads/other\n").unwrap();
    fs::write(tree.join(".git"), "gitdir: ../repo/.git/worktrees/tree\n").unwrap();
    assert_eq!(check("tree").git, Some((tree, Some("other".into()))));
    // Detached; a link, a pipe and what is no name are not read.
    let head = root.join(".git/HEAD");
    fs::write(&head, "0123456789012345678901234567890123456789\n").unwrap();
    assert_eq!(check("repo").git, Some((root.clone(), None)));
    fs::write(&head, "ref: refs/heads/a\u{1b}b\n").unwrap();
    assert_eq!(check("repo").git, Some((root.clone(), None)));
    fs::remove_file(&head).unwrap();
    symlink("../../tree/.git", &head).unwrap();
    assert_eq!(check("repo").git, Some((root, None)));
}

#[test]
fn what_keeps_a_session_from_starting_is_told() {
    let ground = Ground::new("errors");
    let check = |rest: &str, own: &str, home: &str| {
        let at = |name: &str| ground.0.join(name);
        check(&ground.typed(rest), &at(own), &at(home).display().to_string())
    };
    ground.dir("state/sub");
    ground.dir("home/p/.codepiper");
    fs::write(ground.0.join("file"), "").unwrap();
    assert!(check("none", "state", "home").errors[0].contains("is not there"));
    assert!(check("file", "state", "home").errors[0].contains("not a directory"));
    assert!(check("state/sub", "state", "home").errors[0].contains("own directory"));
    let place = check("home", "state", "home");
    assert!(place.errors.is_empty() && place.warnings[0].contains("no project"), "{place:?}");
    let policy = ground.0.join("home/p/.codepiper/policy");
    fs::write(&policy, "deny shell make\nallow tool Read\n").unwrap();
    let place = check("home/p", "state", "home");
    assert_eq!(place.warnings, [".codepiper/policy makes sessions here stricter: 1 rules"]);
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&policy, "nonsense").unwrap();
    assert!(check("home/p", "state", "home").warnings[0].contains("cannot be understood"));
}

#[test]
fn a_file_system_that_does_not_answer_holds_up_a_few_threads_and_no_more() {
    let looks = Looks::default();
    let (go, gone) = crossbeam_channel::bounded::<()>(0);
    for _ in 0..limits::LOOKS {
        let gone = gone.clone();
        let late = looks.run(Duration::ZERO, move || gone.recv().is_ok());
        assert_eq!(late.unwrap_err().code, Code::Timeout);
    }
    let wait = limits::LOOK_WAIT;
    assert_eq!(looks.run(wait, || 7).unwrap_err().code, Code::Busy);
    drop(go);
    while looks.0.load(Ordering::Acquire) > 0 {
        std::thread::yield_now();
    }
    assert_eq!(looks.run(wait, || 7).unwrap(), 7);
}
