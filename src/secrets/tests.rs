//! The keyring with its file.

use super::*;
use crate::base::error::Code;

const PLACE: Place<'static> = Place { table: "t", row: "r", purpose: "p", version: 1 };

fn space(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("cp-ring-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap();
    dir.join("master.key")
}

#[test]
fn a_key_is_made_by_sealing_and_never_by_opening() {
    let path = space("made");
    let blob = Keyring::new(path.clone()).seal(PLACE, b"secret").unwrap();
    let ring = Keyring::new(path.clone());
    assert_eq!(&ring.open(PLACE, &blob).unwrap()[..], b"secret");
    std::fs::remove_file(&path).unwrap();
    let error = Keyring::new(path.clone()).open(PLACE, &blob).unwrap_err();
    assert_eq!(error.code, Code::NotFound, "{error}");
    assert!(!path.exists() && error.message.contains("backup"), "{error}");
    let error = Keyring::new(path.clone()).mac(PLACE, b"x").unwrap_err();
    assert!(error.code == Code::NotFound && !path.exists(), "{error}");
    Keyring::new(path.clone()).seal(PLACE, b"new").unwrap();
    let error = Keyring::new(path).open(PLACE, &blob).unwrap_err();
    assert!(error.message.contains("another master.key"), "{error}");
}

#[test]
fn many_first_uses_make_one_key() {
    let ring = Keyring::new(space("many"));
    let sealed: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let each = (0..8).map(|_| scope.spawn(|| ring.seal(PLACE, b"x").unwrap()));
        let each: Vec<_> = each.collect();
        each.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(sealed.iter().all(|blob| ring.open(PLACE, blob).is_ok()));
}
