//! Changing the master key, cut off at each of its steps.

use super::*;
use crate::base::secret::Secret;
use crate::base::secret::Vars;
use crate::service::env_sealed;
use crate::service::env_sets::NewEnvSet;
use crate::service::login::Enrolled;
use crate::service::login::Entered;
use crate::service::login::Factor;
use crate::service::login::stand::PASSWORD;
use crate::service::login::stand::Stand;
use crate::service::login::stand::visitor;
use std::path::PathBuf;

/// Enough for several batches.
const SETS: usize = 3 * limits::RESEAL_BATCH;

/// Everything that is sealed or keyed, with what tells whether it is whole.
struct Treasure {
    stand: Stand,
    enrolled: Enrolled,
    digests: Vec<[u8; 32]>,
}

impl Treasure {
    fn new(name: &str) -> Treasure {
        let (stand, _, enrolled) = Stand::ready(name);
        for n in 0..SETS {
            let mut vars = Vars::default();
            vars.put("TOKEN", format!("value {n}"));
            let new = NewEnvSet { name: format!("set {n}"), vars, ..NewEnvSet::default() };
            stand.service.create_env_set(new, "test").unwrap();
        }
        let digests = digests(&stand.service);
        Treasure { stand, enrolled, digests }
    }

    #[track_caller]
    fn check(&self) {
        let service = &self.stand.service;
        let sets = service.env_sets().unwrap();
        assert_eq!(sets.len(), SETS);
        for set in sets {
            let vars = env_sealed::open(&service.logins.keys, &set).unwrap();
            assert_eq!(format!("set {}", vars["TOKEN"].split_once(' ').unwrap().1), set.name);
        }
        assert!(service.sealed_values().unwrap() > SETS, "the TOTP secret as well");
        assert_eq!(digests(service), self.digests, "recovery codes and browsers are known");
    }

    fn key(&self) -> PathBuf {
        self.stand.service.paths.master_key()
    }

    /// Begins or goes on with a change, and ends it before its step `at`; true where it came to
    /// its end before.
    fn cut(&self, at: usize) -> bool {
        let mut left = at;
        let done = self.stand.service.rotate_with("test", &mut || match left {
            0 => Err(Error::internal("cut off")),
            _ => {
                left -= 1;
                Ok(())
            }
        });
        match done {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.message, "cut off");
                false
            }
        }
    }
}

fn digests(service: &Service) -> Vec<[u8; 32]> {
    let known = service.store().read(account::get).unwrap();
    let places = digest_places(known.as_ref());
    places.iter().map(|place| service.logins.keys.mac(*place, b"message").unwrap()).collect()
}

#[test]
fn cut_off_at_any_step_everything_opens_and_the_next_start_brings_it_to_its_end() {
    let mut treasure = Treasure::new("rotate-cut");
    let (mut cuts, mut keys) = (0, vec![std::fs::read(treasure.key()).unwrap()]);
    while cuts < 30 {
        for at in 0.. {
            let done = treasure.cut(at);
            // In the daemon that failed, and in the one after it.
            treasure.check();
            treasure.stand.restart();
            treasure.check();
            if done {
                break;
            }
            cuts += 1;
            treasure.stand.service.finish_rotation().unwrap();
            treasure.check();
            assert!(!treasure.stand.service.logins.keys.is_unfinished());
        }
        keys.push(std::fs::read(treasure.key()).unwrap());
    }
    let now = keys.pop().unwrap();
    assert!(!keys.contains(&now), "it is another one");
    let dir = treasure.key().parent().unwrap().to_path_buf();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let old = |key: &Vec<u8>| bytes.windows(key.len()).any(|part| part == key.as_slice());
        assert!(!keys.iter().any(old), "an old key is in {:?}", entry.path());
    }
}

#[test]
fn a_change_that_is_cut_off_again_and_again_still_comes_to_its_end() {
    let mut treasure = Treasure::new("rotate-again");
    let before = std::fs::read(treasure.key()).unwrap();
    let mut starts = 0;
    // Each start keeps the keys of digests and does one step more.
    while !treasure.cut(2) {
        treasure.stand.restart();
        treasure.check();
        starts += 1;
        assert!(starts < 30, "it makes headway");
    }
    treasure.check();
    assert_ne!(std::fs::read(treasure.key()).unwrap(), before);
    assert!(!treasure.stand.service.logins.keys.is_unfinished());
}

#[test]
fn recovery_codes_and_codes_count_after_changes_and_new_ones_do_too() {
    let treasure = Treasure::new("rotate-login");
    let service = &treasure.stand.service;
    service.rotate_key("test").unwrap();
    service.rotate_key("test").unwrap();
    let code = |at: usize| Factor::Recovery(treasure.enrolled.recovery_codes[at].clone());
    let log_in = |factor: &Factor| service.log_in(&visitor(), &Secret::new(PASSWORD), factor);
    assert!(matches!(log_in(&code(0)).unwrap(), Entered::Login(_)));
    assert!(log_in(&code(0)).is_err(), "once");
    service.reset_mfa("test").unwrap();
    let (_, anew) = treasure.stand.enroll();
    service.rotate_key("test").unwrap();
    assert!(log_in(&code(1)).is_err(), "of an app that is gone");
    let fresh = Factor::Recovery(anew.recovery_codes[0].clone());
    assert!(matches!(log_in(&fresh).unwrap(), Entered::Login(_)));
    assert_eq!(treasure.stand.recorded("changed the master key").len(), 3);
}

#[test]
fn nothing_is_begun_while_something_does_not_open_and_the_way_out_is_told() {
    let treasure = Treasure::new("rotate-broken");
    let service = &treasure.stand.service;
    let set = service.find_env_set("set 7").unwrap();
    let mut broken = set.clone();
    broken.sealed[30] ^= 1;
    let write = move |tx: &crate::store::tx::Tx<'_>| {
        crate::store::env_sets::update(tx, &broken, broken.version)
    };
    service.store().write(write).unwrap();
    let before = std::fs::read(treasure.key()).unwrap();
    let error = service.rotate_key("test").unwrap_err();
    let way = format!("codepiper env-set delete {}", set.id);
    assert!(error.message.contains(&way) && error.message.contains("backup"), "{error}");
    assert_eq!(std::fs::read(treasure.key()).unwrap(), before);
    assert!(!service.logins.keys.is_unfinished());
    service.delete_env_set(&set.id, "test").unwrap();
    service.rotate_key("test").unwrap();
}

#[test]
fn without_a_key_there_is_nothing_to_change() {
    let stand = Stand::new("rotate-none");
    let error = stand.service.rotate_key("test").unwrap_err();
    assert_eq!(error.code, Code::NotFound, "{error}");
    assert!(!stand.service.paths.master_key().exists());
}
