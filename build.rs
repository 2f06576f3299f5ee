//! Gives each build its name, a hash over everything that goes into the binary, and packs the
//! dashboard's files for `src/http/assets.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

/// What has an address of its own; the files of `static/js` and `static/css` have their paths.
const PAGES: &[(&str, &str)] = &[
    ("/", "static/index.html"),
    ("/login", "static/login.html"),
    ("/manifest.webmanifest", "static/manifest.webmanifest"),
    ("/icon.svg", "static/icon.svg"),
    ("/icon-maskable.svg", "static/icon-maskable.svg"),
    // Beside the pages, because it can only stand in for what lies below it.
    ("/sw.js", "static/sw.js"),
];

/// What the pages use of the libraries in `static/package.json`.
const LIBRARIES: &[(&str, &str)] = &[
    ("/vendor/xterm.mjs", "@xterm/xterm/lib/xterm.mjs"),
    ("/vendor/xterm.css", "@xterm/xterm/css/xterm.css"),
    ("/vendor/addon-fit.mjs", "@xterm/addon-fit/lib/addon-fit.mjs"),
    ("/vendor/addon-search.mjs", "@xterm/addon-search/lib/addon-search.mjs"),
    ("/vendor/addon-unicode11.mjs", "@xterm/addon-unicode11/lib/addon-unicode11.mjs"),
    ("/vendor/addon-web-links.mjs", "@xterm/addon-web-links/lib/addon-web-links.mjs"),
];

fn main() {
    let mut sources = BTreeSet::from([PathBuf::from("Cargo.lock"), PathBuf::from("schema.sql")]);
    sources.extend(files(Path::new("src")));
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=schema.sql");
    println!("cargo:rerun-if-changed=Cargo.lock");
    let assets = assets();
    for (_, file) in &assets {
        println!("cargo:rerun-if-changed={}", file.display());
        sources.insert(file.clone());
    }
    // New files too.
    println!("cargo:rerun-if-changed=static/js");
    println!("cargo:rerun-if-changed=static/css");
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    println!("cargo:rustc-env=CODEPIPER_BUILD={version}-{}", hash(sources.iter()));
    match assets.iter().all(|(_, file)| file.is_file()) {
        true => pack(&assets),
        false => println!("cargo:error=the dashboard's libraries are missing: run `make assets`"),
    }
}

/// Each address of the dashboard and the file behind it.
fn assets() -> Vec<(String, PathBuf)> {
    let owned = |(address, file): &(&str, &str)| (address.to_string(), PathBuf::from(file));
    let mut assets: Vec<_> = PAGES.iter().map(owned).collect();
    let own = ["static/js", "static/css"].into_iter().flat_map(|dir| files(Path::new(dir)));
    for file in own {
        let address = file.strip_prefix("static").expect("it is in static").display();
        assets.push((format!("/{address}"), file.clone()));
    }
    let library = |(address, file): &(&str, &str)| {
        (address.to_string(), Path::new("static/node_modules").join(file))
    };
    assets.extend(LIBRARIES.iter().map(library));
    assets
}

/// Writes each file compressed, and the table of them.
fn pack(assets: &[(String, PathBuf)]) {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut table = String::from("&[\n");
    for (number, (address, file)) in assets.iter().enumerate() {
        let packed = out.join(format!("asset-{number}.gz"));
        let level = flate2::Compression::best();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
        gzip.write_all(&fs::read(file).expect("an asset can be read")).expect("memory takes it");
        let bytes = gzip.finish().expect("memory takes it");
        fs::write(&packed, bytes).expect("OUT_DIR can be written");
        let (kind, tag) = (kind(file), hash([file].into_iter()));
        let row = format!(
            "Asset {{ path: {address:?}, kind: {kind:?}, tag: {:?}, gzip: include_bytes!({packed:?}) }},",
            format!("\"{tag}\""),
        );
        writeln!(table, "    {row}").expect("memory takes it");
    }
    fs::write(out.join("assets.rs"), table + "]\n").expect("OUT_DIR can be written");
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        _ => panic!("{}: no content type is known for it", file.display()),
    }
}

/// All files below a directory.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("a directory of sources can be listed") {
            let path = entry.expect("a directory of sources can be listed").path();
            match path.is_dir() {
                true => dirs.push(path),
                false => drop(found.insert(path)),
            }
        }
    }
    found
}

/// Over names and contents. Not for security: it only has to differ when they do.
fn hash<'a>(files: impl Iterator<Item = &'a PathBuf>) -> String {
    // Its keys are fixed.
    #[allow(deprecated)]
    let mut hasher = std::hash::SipHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(file).unwrap_or_default().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}
