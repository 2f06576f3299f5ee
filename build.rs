//! Gives each build its name, a hash over everything that goes into the binary, and packs the
//! dashboard's files for `src/http/assets.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

/// What has an address of its own; the files of `static/js` have their paths.
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
    ("/vendor/addon-fit.mjs", "@xterm/addon-fit/lib/addon-fit.mjs"),
    ("/vendor/addon-search.mjs", "@xterm/addon-search/lib/addon-search.mjs"),
    ("/vendor/addon-unicode11.mjs", "@xterm/addon-unicode11/lib/addon-unicode11.mjs"),
    ("/vendor/addon-web-links.mjs", "@xterm/addon-web-links/lib/addon-web-links.mjs"),
];

/// The style sheet of xterm.js.
const XTERM: &str = "../node_modules/@xterm/xterm/css/xterm";

/// The style sheets of the pages, each of several files of `static/css` in this order: one request,
/// and half the bytes.
const STYLES: &[(&str, &[&str])] = &[
    ("/css/login.css", &["tokens", "base", "parts", "login"]),
    (
        "/css/dashboard.css",
        &[
            XTERM, "tokens", "base", "layout", "parts", "views", "settings", "calls", "inbox",
            "policies", "audit", "env_sets", "sessions", "session", "start",
        ],
    ),
];

fn main() {
    let mut sources = BTreeSet::from([PathBuf::from("Cargo.lock"), PathBuf::from("schema.sql")]);
    sources.extend(files(Path::new("src")));
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=schema.sql");
    println!("cargo:rerun-if-changed=Cargo.lock");
    let assets = assets();
    for file in assets.iter().flat_map(|(_, files)| files) {
        println!("cargo:rerun-if-changed={}", file.display());
        sources.insert(file.clone());
    }
    for file in files(Path::new("static/css")) {
        assert!(sources.contains(&file), "{}: no page has it, see STYLES", file.display());
    }
    // New files too.
    println!("cargo:rerun-if-changed=static/js");
    println!("cargo:rerun-if-changed=static/css");
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    println!("cargo:rustc-env=CODEPIPER_BUILD={version}-{}", hash(sources.iter()));
    match assets.iter().flat_map(|(_, files)| files).all(|file| file.is_file()) {
        true => pack(&assets),
        false => println!("cargo:error=the dashboard's libraries are missing: run `make assets`"),
    }
}

/// Each address of the dashboard and the files behind it.
fn assets() -> Vec<(String, Vec<PathBuf>)> {
    let one = |address: &str, file: PathBuf| (address.to_string(), vec![file]);
    let mut assets: Vec<_> =
        PAGES.iter().map(|(address, file)| one(address, PathBuf::from(file))).collect();
    for file in files(Path::new("static/js")) {
        let address = file.strip_prefix("static").expect("it is in static").display().to_string();
        assets.push(one(&format!("/{address}"), file));
    }
    for (address, names) in STYLES {
        let file = |name: &&str| Path::new("static/css").join(format!("{name}.css"));
        assets.push((address.to_string(), names.iter().map(file).collect()));
    }
    let modules = Path::new("static/node_modules");
    assets.extend(LIBRARIES.iter().map(|(address, file)| one(address, modules.join(file))));
    assets
}

/// Writes each asset compressed, and the table of them.
fn pack(assets: &[(String, Vec<PathBuf>)]) {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut table = String::from("&[\n");
    for (number, (address, files)) in assets.iter().enumerate() {
        let packed = out.join(format!("asset-{number}.gz"));
        let level = flate2::Compression::best();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
        for file in files {
            let bytes = fs::read(file).expect("an asset can be read");
            gzip.write_all(&bytes).expect("memory takes it");
        }
        let bytes = gzip.finish().expect("memory takes it");
        fs::write(&packed, bytes).expect("OUT_DIR can be written");
        let (kind, tag) = (kind(&files[0]), hash(files.iter()));
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
