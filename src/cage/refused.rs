//! Why a host refuses namespaces, as far as its own settings say so, and the way out.

use std::fs;
use std::path::Path;

/// The name of our profile, as `packaging/apparmor` has it.
const PROFILE: &str = "codepiper";

/// What to do about it; `None` where no setting is known to be the reason. `proc` is /proc.
pub fn way_out(proc: &Path, uid: u32) -> Option<&'static str> {
    let read = |name: &str| fs::read_to_string(proc.join(name)).unwrap_or_default();
    let is = |name: &str, value: &str| read(&format!("sys/{name}")).trim() == value;
    if is("user/max_user_namespaces", "0") {
        return Some(
            "this host allows no user namespaces; raise user.max_user_namespaces (sysctl)",
        );
    }
    if uid != 0 && is("kernel/unprivileged_userns_clone", "0") {
        return Some(
            "this host leaves namespaces to root; set kernel.unprivileged_userns_clone to 1 \
             (sysctl)",
        );
    }
    let has_profile = read("self/attr/current").starts_with(PROFILE);
    if uid != 0 && !has_profile && is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        return Some(
            "AppArmor refuses namespaces to programs without a profile; load codepiper's (README, \
             \"The cage\"), then restart the daemon",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_is_that_of_the_setting_and_none_where_none_is_known() {
        let root = std::env::temp_dir().join(format!("cp-refused-{}", std::process::id()));
        let set = |name: &str, value: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, value).unwrap();
        };
        let says = |word: &str, uid: u32| way_out(&root, uid).is_some_and(|way| way.contains(word));
        assert_eq!(way_out(&root, 1000), None);
        set("sys/user/max_user_namespaces", "63000\n");
        set("sys/kernel/unprivileged_userns_clone", "1\n");
        set("sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        set("self/attr/current", "unconfined\n");
        assert!(says("AppArmor", 1000));
        assert_eq!(way_out(&root, 0), None, "root is not held by it");
        set("self/attr/current", "codepiper-home (unconfined)\n");
        assert_eq!(way_out(&root, 1000), None, "it has the profile; the reason is another");
        set("sys/kernel/unprivileged_userns_clone", "0\n");
        assert!(says("kernel.unprivileged_userns_clone", 1000) && !says("kernel", 0));
        set("sys/user/max_user_namespaces", "0\n");
        assert!(says("user.max_user_namespaces", 1000) && says("user.max_user_namespaces", 0));
    }

    #[test]
    fn the_profile_is_for_the_paths_that_are_installed_to() {
        let profile = include_str!("../../packaging/apparmor");
        let code = profile.lines().filter(|line| !line.starts_with('#'));
        let code = code.collect::<Vec<_>>().join("\n");
        assert!(code.contains("profile codepiper /{usr/local/bin,usr/bin}/codepiper "), "{code}");
        assert!(code.contains("profile codepiper-home @{HOME}/.local/bin/codepiper "), "{code}");
        for (part, times) in [("flags=(unconfined) {\n  userns,\n", 2), ("abi <abi/4.0>,", 1)] {
            assert_eq!(code.matches(part).count(), times, "{part} in {code}");
        }
        let makefile = include_str!("../../Makefile");
        assert!(makefile.contains("/usr/local,$(HOME)/.local)"), "where `make install` puts it");
    }
}
