//! Gives each build its name: a hash over everything that goes into the binary.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=schema.sql");
    println!("cargo:rerun-if-changed=Cargo.lock");
    let mut files = BTreeSet::from([PathBuf::from("Cargo.lock"), PathBuf::from("schema.sql")]);
    let mut dirs = vec![PathBuf::from("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                files.insert(path);
            }
        }
    }
    // Not for security: it only has to differ when the sources differ. Its keys are fixed.
    #[allow(deprecated)]
    let mut hasher = std::hash::SipHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file).unwrap_or_default().hash(&mut hasher);
    }
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    println!("cargo:rustc-env=CODEPIPER_BUILD={version}-{:016x}", hasher.finish());
}
