//! Where a path leads: over which links, and to what kind of file system.

use nix::sys::statfs;
use nix::unistd::AccessFlags;
use std::ffi::OsString;
use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// As many links as the kernel follows.
const LINKS: usize = 40;

/// File systems that other hosts write to as well, by the kernel's number for each.
const SHARED: [(u32, &str); 5] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0x5346_414f, "AFS"),
];

/// The links that an absolute path leads over, in their order; the last part counts too.
pub fn links(path: &Path) -> Vec<PathBuf> {
    let (mut found, mut at, mut rest) = (Vec::new(), PathBuf::from("/"), parts(path));
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        let Ok(target) = fs::read_link(&at) else { continue };
        found.push(at.clone());
        if found.len() == LINKS {
            break;
        }
        match target.is_absolute() {
            true => at = PathBuf::from("/"),
            false => drop(at.pop()),
        }
        rest.extend(parts(&target));
    }
    found
}

/// The names in a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut parts: Vec<OsString> = parts.collect();
    parts.reverse();
    parts
}

/// Whether we may replace what stands at this path.
pub fn is_replaceable(path: &Path) -> bool {
    let parent = path.parent().unwrap_or(Path::new("/"));
    nix::unistd::access(parent, AccessFlags::W_OK).is_ok()
}

/// What other hosts share this file system by; `None` where it is this host's own.
pub fn shared_by(path: &Path) -> Option<&'static str> {
    let kind = statfs::statfs(path).ok()?.filesystem_type();
    name(kind.0 as u32)
}

fn name(kind: u32) -> Option<&'static str> {
    SHARED.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn each_link_on_the_way_is_found_and_a_circle_ends() {
        let root = std::env::temp_dir().join(format!("cp-links-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("disk/home")).unwrap();
        let root = root.canonicalize().unwrap();
        symlink(root.join("disk"), root.join("mnt")).unwrap();
        symlink("mnt/../mnt/home", root.join("home")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        let found = |path: &str| links(&root.join(path));
        let expected = ["home", "mnt", "mnt"].map(|name| root.join(name));
        assert_eq!(found("home/state"), expected);
        assert!(found("disk/home/state").is_empty());
        assert_eq!(found("circle/x").len(), LINKS);
        assert!(is_replaceable(&root.join("home")));
    }

    #[test]
    fn what_other_hosts_write_to_is_told_from_what_is_ours() {
        let kinds = [0x6969, 0xff53_4d42, 0xef53, 0x0102_1994, 0x9123_683e, 0x794c_7630];
        let told = kinds.map(name);
        assert_eq!(told, [Some("NFS"), Some("SMB"), None, None, None, None]);
        assert_eq!(shared_by(Path::new("/proc")), None);
    }
}
